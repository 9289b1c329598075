//! Cells as people write them, read into what files hold: dates, hours, matters, polygons.

use crate::calendar::Day;
use crate::matter::{Catalogue, GBT_47678_5};
use crate::schedule::Window;

/// `2026-05-01`, `2026/5/1`, `2026.5.1`, `20260501`, `2026年5月1日`.
pub(super) fn day(text: &str) -> Option<Day> {
    let plain = text.split([' ', 'T']).next().unwrap_or(text);
    if plain.len() == 8 && plain.bytes().all(|b| b.is_ascii_digit()) {
        return Day::from_parts(
            plain[..4].parse().ok()?,
            plain[4..6].parse().ok()?,
            plain[6..].parse().ok()?,
        );
    }
    let plain = half_width(plain).replace(['年', '月'], "-").replace('日', "");
    let parts: Vec<&str> = plain.split(['-', '/', '.']).filter(|part| !part.is_empty()).collect();
    let [year, month, day] = parts.try_into().ok()?;
    (year.len() == 4).then_some(())?;
    Day::from_parts(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// Full-width digits and signs as ASCII.
pub(super) fn half_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '！'..='～' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
            '\u{3000}' => ' ',
            _ => c,
        })
        .collect()
}

/// `6:00-9:00、17:00至22:00`, `工作日 07:00～09:00`, `全天`: as files write windows.
///
/// # Errors
/// The part that is no window.
pub(super) fn hours(text: &str) -> Result<Vec<String>, String> {
    let text = text.replace('～', "-");
    let text = half_width(&text).replace(['~', '—', '–', '至'], "-").replace("--", "-");
    let mut windows = Vec::new();
    // Days stand before the first of the windows that they are for.
    let mut on = String::new();
    for part in text.split([',', ';', '、', '\n']).map(str::trim).filter(|part| !part.is_empty()) {
        let part = part.replace("工作日", "work_days ").replace("休息日", "rest_days ");
        let part = part.replace(" -", "-").replace("- ", "-");
        let (days, window) = part.trim().rsplit_once(' ').unwrap_or(("", part.trim()));
        if !days.is_empty() {
            days.trim().clone_into(&mut on);
        }
        let days = on.as_str();
        let window = match window.trim() {
            "全天" | "24小时" | "always" => "00:00-24:00".to_owned(),
            window => window.split('-').map(|time| padded(time.trim())).collect::<Vec<_>>().join("-"),
        };
        let window = format!("{days} {window}").trim().to_owned();
        window.parse::<Window>().map_err(|_| part.trim().to_owned())?;
        windows.push(window);
    }
    if windows.is_empty() { Err(text) } else { Ok(windows) }
}

/// `6:00` as `06:00`, `6` and `6点` as `06:00`.
fn padded(time: &str) -> String {
    let time = time.trim_end_matches(['点', '时']);
    match time.split_once(':') {
        Some((hour, minute)) => format!("{hour:0>2}:{minute:0>2}"),
        None => format!("{time:0>2}:00"),
    }
}

/// Codes or names of matters, separated by commas: as codes of GB/T 47678.5.
///
/// # Errors
/// What is none, and what it may have been.
pub(super) fn matters(text: &str, catalogue: &Catalogue) -> Result<Vec<String>, (String, String)> {
    let text = half_width(text);
    let mut codes: Vec<String> = Vec::new();
    for part in text.split([',', ';', '、', ' ']).map(str::trim).filter(|part| !part.is_empty()) {
        // A spreadsheet drops a leading zero.
        let padded = format!("{part:0>5}");
        let known = catalogue.get(GBT_47678_5, &padded).or_else(|| {
            catalogue.matters().find(|matter| matter.standard_ref == GBT_47678_5 && matter.name == part)
        });
        match known {
            Some(matter) => codes.push(matter.code.clone()),
            None => {
                let mend = crate::matter::suggestion(catalogue, part, GBT_47678_5);
                return Err((format!("`{part}` is no matter of {GBT_47678_5}"), mend));
            }
        }
    }
    codes.sort();
    codes.dedup();
    Ok(codes)
}

/// `118.65 34.92; 118.66 34.92; …`, with commas or as WKT: pairs of longitude and latitude.
pub(super) fn polygon(text: &str) -> Option<Vec<[f64; 2]>> {
    let plain: String = half_width(text)
        .chars()
        .map(|c| if c.is_ascii_digit() || c == '.' || c == '-' { c } else { ' ' })
        .collect();
    let numbers: Vec<f64> = plain.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    (numbers.len() >= 6 && numbers.len().is_multiple_of(2))
        .then(|| numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}

/// A text as TOML writes it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// Texts as a TOML list.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them() {
        for text in [
            "2026-05-01",
            "2026/5/1",
            "2026.5.1",
            "20260501",
            "2026年5月1日",
            "２０２６-5-1",
            "2026-05-01 00:00:00",
        ] {
            assert_eq!(day(text).map(|d| d.to_string()).as_deref(), Some("2026-05-01"), "{text}");
        }
        for text in ["", "5/1/2026", "2026-02-30", "明年", "26-05-01", "2026-05"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn hours_are_read_as_people_write_them() {
        let read = |text: &str| hours(text).map(|windows| windows.join("|"));
        assert_eq!(read("6:00-9:00、17:00至22:30"), Ok("06:00-09:00|17:00-22:30".into()));
        assert_eq!(read("１７：００～次"), Err("17:00-次".into()));
        assert_eq!(read("6点—9点"), Ok("06:00-09:00".into()));
        assert!(read("工作日7:00-9:00; sat,sun 08:00-12:00").is_err(), "a comma parts windows");
        assert_eq!(
            read("工作日7:00-9:00; sat-sun 08:00-12:00"),
            Ok("work_days 07:00-09:00|sat-sun 08:00-12:00".into())
        );
        assert_eq!(read("全天"), Ok("00:00-24:00".into()));
        assert!(read("").is_err() && read("25:00-26:00").is_err());
    }

    #[test]
    fn matters_go_by_code_or_name() {
        let catalogue = Catalogue::builtin();
        assert_eq!(matters("占道经营、9001", &catalogue), Ok(vec!["09001".into(), "09006".into()]));
        let (what, mend) = matters("占到经营", &catalogue).unwrap_err();
        assert!(what.contains("占到经营") && mend.contains("09006"), "{what} {mend}");
    }

    #[test]
    fn polygons_come_in_several_spellings() {
        let expected = Some(vec![[118.1, 34.1], [118.2, 34.1], [118.2, 34.2]]);
        for text in [
            "118.1 34.1; 118.2 34.1; 118.2 34.2",
            "118.1,34.1;118.2,34.1;118.2,34.2",
            "POLYGON((118.1 34.1, 118.2 34.1, 118.2 34.2))",
            "[[118.1, 34.1], [118.2, 34.1], [118.2, 34.2]]",
        ] {
            assert_eq!(polygon(text), expected, "{text}");
        }
        assert_eq!(polygon("118.1 34.1; 118.2 34.1"), None);
        assert_eq!(polygon("118.1 34.1 118.2 34.1 118.2"), None);
    }
}
