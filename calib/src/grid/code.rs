//! Codes of unit grid cells (单元网格标识码) and how their digits are divided.
//!
//! In: a code. Out: its segments, or what is wrong with it. Never: which codes exist.

use super::GridFault;

/// How many digits a unit grid code has. All begin with six digits of the county, three of the street and
/// three of the community; the rest counts the cells, west to east, then north to south.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodeProfile {
    /// 6 + 3 + 3 + 2, CJ/T 213-2005 (recalled, not confirmed).
    Digits14,
    /// 6 + 3 + 3 + 3, GB/T 47678.5-2026 (second-hand).
    Digits15,
    /// 6 + 3 + 3 + 4, one product; the division of the digits is assumed.
    Digits16,
}

/// A unit grid code in its segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitCode<'a> {
    /// County (GB/T 2260), six digits.
    pub division: &'a str,
    /// Street or town, three digits.
    pub street: &'a str,
    /// Community, three digits.
    pub community: &'a str,
    /// The cell within the community.
    pub sequence: &'a str,
}

impl CodeProfile {
    /// Every profile.
    pub const ALL: [Self; 3] = [Self::Digits14, Self::Digits15, Self::Digits16];

    /// How many digits a code has.
    pub const fn digits(self) -> usize {
        match self {
            Self::Digits14 => 14,
            Self::Digits15 => 15,
            Self::Digits16 => 16,
        }
    }

    /// The profile of that many digits.
    pub fn of_digits(digits: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.digits() == digits)
    }

    /// The segments of a code.
    ///
    /// # Errors
    /// [`GridFault::CodeDigits`] where it is not that many digits, [`GridFault::CodeSegment`] where a segment
    /// cannot be: a county that GB/T 2260 has no province for, or a number 0.
    pub fn split(self, code: &str) -> Result<UnitCode<'_>, GridFault> {
        if code.len() != self.digits() || !code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(GridFault::CodeDigits { code: code.to_owned(), digits: self.digits() });
        }
        let segments = UnitCode {
            division: &code[..6],
            street: &code[6..9],
            community: &code[9..12],
            sequence: &code[12..],
        };
        let zero = |segment: &str| segment.bytes().all(|b| b == b'0');
        let province: u8 = code[..2].parse().unwrap_or(0);
        let wrong = match segments {
            // Provinces are numbered 11 (Beijing) to 82 (Macao).
            UnitCode { division, .. } if !(11..=82).contains(&province) => Some(("county", division)),
            UnitCode { street, .. } if zero(street) => Some(("street", street)),
            UnitCode { community, .. } if zero(community) => Some(("community", community)),
            UnitCode { sequence, .. } if zero(sequence) => Some(("sequence", sequence)),
            _ => None,
        };
        match wrong {
            Some((segment, digits)) => {
                Err(GridFault::CodeSegment { code: code.to_owned(), segment, digits: digits.to_owned() })
            }
            None => Ok(segments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_standard_splits() {
        let code = CodeProfile::Digits15.split("371329001005012").unwrap();
        assert_eq!(
            (code.division, code.street, code.community, code.sequence),
            ("371329", "001", "005", "012")
        );
        assert_eq!(CodeProfile::Digits14.split("37132900100512").unwrap().sequence, "12");
        assert_eq!(CodeProfile::Digits16.split("3713290010050012").unwrap().sequence, "0012");
    }

    #[test]
    fn wrong_codes_are_refused() {
        let refused = |code: &str| CodeProfile::Digits15.split(code).unwrap_err();
        for code in ["", "37132900100501", "3713290010050123", "37132900100501x", "３７１３２"] {
            assert!(matches!(refused(code), GridFault::CodeDigits { digits: 15, .. }), "{code}");
        }
        for (code, part) in [
            ("071329001005012", "county"),
            ("371329000005012", "street"),
            ("371329001000012", "community"),
            ("371329001005000", "sequence"),
        ] {
            assert!(
                matches!(refused(code), GridFault::CodeSegment { segment, .. } if segment == part),
                "{code}"
            );
        }
    }

    #[test]
    fn profiles_go_by_their_digits() {
        for profile in CodeProfile::ALL {
            assert_eq!(CodeProfile::of_digits(profile.digits()), Some(profile));
        }
        assert_eq!(CodeProfile::of_digits(13), None);
    }
}
