//! Permits: who may do what, where, when, until when.
//!
//! In: the text of a permits file, the catalogue. Out: checked [`Permit`]s, or every mistake of the file at
//! once. Never: the name of a person: a permit knows its holder by a number.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::calendar::{Calendar, Day, read_day};
use crate::camera::{Camera, read_hours};
use crate::check::{Problem, Section, Source};
use crate::matter::{Catalogue, GBT_47678_5, matter_known};
use crate::rule::Rule;
use crate::schedule::Schedule;
use crate::space::{ImagePoint, LocalPlane, LonLat};
use crate::time::Timestamp;
use crate::zone::polygon;

/// Something that is allowed somewhere.
#[derive(Debug, Clone)]
pub struct Permit {
    /// The permit's own number, the only one of its file.
    pub number: String,
    /// The holder's number in the city's register.
    pub holder: String,
    /// The standard that `matters` belong to.
    pub standard_ref: String,
    /// Codes of the matters that it allows.
    pub matters: Vec<String>,
    /// Where it allows them.
    pub place: Place,
    /// When it allows them.
    pub hours: Schedule,
    /// Its first day.
    pub from: Day,
    /// Its last day.
    pub until: Day,
}

/// Where a permit holds.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a zone that a camera's file draws.
    Zone {
        /// The camera's id; any camera with such a zone where there is none.
        camera: Option<String>,
        /// The zone's id.
        zone: String,
    },
    /// In an area on the ground.
    Area(Area),
}

/// A polygon of longitude and latitude.
#[derive(Debug, Clone)]
pub struct Area {
    corners: Vec<[f64; 2]>,
    plane: LocalPlane,
    polygon: geo::Polygon,
}

impl Area {
    /// From corners in order, longitude first, degrees (CGCS2000), the first one not repeated at the end.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(corners: &[[f64; 2]]) -> Result<Self, String> {
        let china = |[lon, lat]: &[f64; 2]| (73.0..=136.0).contains(lon) && (3.0..=54.0).contains(lat);
        if let Some([x, y]) = corners.iter().find(|corner| !china(corner)) {
            return Err(format!("[{x}, {y}] lies outside China; longitude comes first"));
        }
        let Some(&first) = corners.first() else { return Err("has no points".to_owned()) };
        let plane = LocalPlane::at(LonLat::from(first));
        let in_metres: Vec<[f64; 2]> =
            corners.iter().map(|&corner| plane.ground_from_lon_lat(LonLat::from(corner)).into()).collect();
        let polygon = polygon(&in_metres).map_err(|error| error.to_string())?;
        Ok(Self { corners: corners.to_vec(), plane, polygon })
    }

    /// Its corners as given.
    pub fn corners(&self) -> &[[f64; 2]] {
        &self.corners
    }

    /// Whether a place lies in it, its border included.
    pub fn contains(&self, p: LonLat) -> bool {
        use geo::Intersects;
        let p = self.plane.ground_from_lon_lat(p);
        self.polygon.intersects(&geo::Point::new(p.x, p.y))
    }
}

impl Permit {
    /// Whether it allows a matter at an instant by a clock `offset_minutes` ahead of UTC; the place is asked
    /// for apart ([`Place`]).
    pub fn allows(&self, standard_ref: &str, code: &str, at: Timestamp, offset_minutes: i32) -> bool {
        self.standard_ref == standard_ref
            && self.matters.iter().any(|own| own == code)
            && self.hours.holds_on(at, offset_minutes, |day| (self.from..=self.until).contains(&day))
    }

    /// The same permit with work days and rest days of a calendar.
    pub fn keep_to(&mut self, calendar: &Arc<Calendar>) {
        self.hours.keep_to(calendar);
    }
}

impl Camera {
    /// The permit, if any, that allows one of a rule's matters where a thing stands in the home view.
    pub fn permit(&self, rule: &Rule, foot_in_image: ImagePoint, at: Timestamp) -> Option<&Permit> {
        self.permit_in(None, rule, foot_in_image, at)
    }

    /// The same in one of the camera's views.
    pub fn permit_in(
        &self,
        preset: Option<usize>,
        rule: &Rule,
        foot_in_image: ImagePoint,
        at: Timestamp,
    ) -> Option<&Permit> {
        let view = self.view(preset);
        let here = |place: &Place| match place {
            Place::Zone { zone, .. } => self
                .zones
                .iter()
                .any(|own| own.id == *zone && own.preset == preset && own.contains(foot_in_image, view)),
            Place::Area(area) => view.is_some_and(|view| {
                let foot = view.ground_from_image(foot_in_image);
                foot.is_some_and(|foot| area.contains(view.map.plane().lon_lat_from_ground(foot)))
            }),
        };
        let codes = || std::iter::once(&rule.code).chain(rule.other.as_ref().map(|other| &other.code));
        let allows = |permit: &Permit| {
            codes().any(|code| permit.allows(&rule.standard_ref, code, at, self.utc_offset_minutes))
        };
        self.permits.iter().find(|permit| allows(permit) && here(&permit.place))
    }
}

/// Keys under which offices write names and telephones of people; a permit has none.
const PRIVATE_KEYS: [&str; 5] = ["name", "holder_name", "phone", "mobile", "id_card"];

/// What to write as a holder.
pub(crate) const HOLDER_MEND: &str = "write the holder's number in the city's register, like \"H-0001\"";

/// Why a text that should be a number in a register tells who somebody is: an identity card's number, a mobile
/// phone's, or no number at all, as a name has none.
pub(crate) fn tells_who(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let identity = text.len() == 18 && digits >= 17 && (digits == 18 || text.ends_with(['X', 'x']));
    let mobile = text.len() == 11 && digits == 11 && text.starts_with('1');
    match () {
        () if identity => Some("looks like the number of an identity card".to_owned()),
        () if mobile => Some("looks like somebody's mobile phone".to_owned()),
        () if digits == 0 => Some(format!("`{text}` has no digit; is it a name?")),
        () => None,
    }
}

/// Reads a permits file; `file` names it in messages.
///
/// # Errors
/// Every mistake in the file, each with its key, line and mend.
pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Vec<Permit>, Vec<Problem>> {
    let mut source = Source::new(file, text);
    let mut root = source.root();
    root.text(&mut source, "note");
    let mut numbers = BTreeSet::new();
    let mut permits: Vec<Permit> = Vec::new();
    for mut section in root.sections(&mut source, "permit") {
        let at = section.at_key("number");
        let permit = read_permit(&mut source, &mut section, catalogue);
        for key in PRIVATE_KEYS {
            if section.has(key) {
                let mend = "leave the person out; holder = \"…\" takes the number in the city's register";
                source.problem(&section.at_key(key), "tells who the holder is", mend);
            }
        }
        section.finish(&mut source);
        let Some(permit) = permit else { continue };
        if !numbers.insert(permit.number.clone()) {
            let what = format!("`{}` is used twice", permit.number);
            source.problem(&at, what, "give each permit its own number, or join its matters and hours");
        }
        permits.push(permit);
    }
    root.finish(&mut source);
    if source.is_clean() { Ok(permits) } else { Err(source.into_problems()) }
}

fn read_permit<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    catalogue: &Catalogue,
) -> Option<Permit> {
    let number = section.text_required(source, "number", "write number = \"371329-2026-0012\"");
    let holder = section.text_required(source, "holder", "write the holder's number, never a name");
    if let Some(what) = holder.as_deref().and_then(tells_who) {
        source.problem(&section.at_key("holder"), what, HOLDER_MEND);
    }
    let standard = section.text(source, "standard").unwrap_or_else(|| GBT_47678_5.to_owned());
    let matters = read_matters(source, section, &standard, catalogue);
    let place = read_place(source, section);
    let hours = read_hours(source, section);
    let (from, until) = (read_day(source, section, "from"), read_day(source, section, "until"));
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        let what = format!("`{until}` is before its first day, {from}");
        source.problem(&section.at_key("until"), what, "write its last day, itself a day of the permit");
    }
    Some(Permit {
        number: number?,
        holder: holder?,
        standard_ref: standard,
        matters: matters?,
        place: place?,
        hours,
        from: from?,
        until: until?,
    })
}

fn read_matters<'t>(
    source: &mut Source<'t>,
    section: &mut Section<'t>,
    standard: &str,
    catalogue: &Catalogue,
) -> Option<Vec<String>> {
    let codes = section.texts(source, "matters");
    let at = section.at_key("matters");
    let Some(codes) = codes.filter(|codes| !codes.is_empty()) else {
        source.problem(&at, "names no matter", "write matters = [\"09006\"]");
        return None;
    };
    let known = codes.iter().filter(|code| matter_known(source, &at, standard, code, catalogue)).count();
    (known == codes.len()).then_some(codes)
}

fn read_place<'t>(source: &mut Source<'t>, section: &mut Section<'t>) -> Option<Place> {
    let zone = section.text(source, "zone");
    let camera = section.text(source, "camera");
    let has_ground = section.has("ground");
    let mend = "write zone = \"market\" (with camera = \"…\" for one camera's), or ground = [[lon, lat], …]";
    if zone.is_some() == has_ground {
        let what = if has_ground { "has both zone and ground" } else { "has no place" };
        source.problem(&section.at(), what, mend);
        return None;
    }
    if let Some(zone) = zone {
        return Some(Place::Zone { camera, zone });
    }
    if camera.is_some() {
        source.problem(&section.at_key("camera"), "stands beside ground", "a camera goes with a zone");
    }
    let corners = section.pairs(source, "ground")?;
    let at = section.at_key("ground");
    Area::new(&corners).map_err(|what| source.problem(&at, what, mend)).ok().map(Place::Area)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_belongs_to_the_day_before_its_midnight() {
        let text = "[[permit]]\nnumber = 'EX-1'\nholder = 'H-1'\nmatters = ['09006']\nzone = 'market'\n\
                    hours = ['18:00-02:00']\nfrom = '2026-06-01'\nuntil = '2026-06-30'\n";
        let permits = parse("p.toml", text, &Catalogue::builtin()).unwrap();
        let at = |local: &str| {
            let utc = Timestamp::from_millis(local.parse::<Timestamp>().unwrap().as_millis() - 8 * 3_600_000);
            permits[0].allows(GBT_47678_5, "09006", utc, 480)
        };
        // The last night ends on the morning after the last day; the first begins with the first evening.
        assert!(at("2026-06-30T23:00:00Z") && at("2026-07-01T01:00:00Z") && at("2026-06-01T18:00:00Z"));
        assert!(!at("2026-06-01T01:00:00Z") && !at("2026-07-01T18:30:00Z") && !at("2026-07-02T01:00:00Z"));
    }

    #[test]
    fn a_holder_is_a_number_in_a_register_and_nobody() {
        for told in ["张三", "37132919900101123X", "371329199001011234", "13800000000"] {
            assert!(tells_who(told).is_some(), "{told}");
        }
        for number in ["H-0001", "000123", "临沭-摊-17", "371329-2026-0012"] {
            assert_eq!(tells_who(number), None);
        }
    }

    #[test]
    fn an_area_holds_what_lies_in_it() {
        let area = Area::new(&[[118.65, 34.92], [118.66, 34.92], [118.66, 34.93], [118.65, 34.93]]).unwrap();
        assert!(area.contains(LonLat::new(118.655, 34.925)));
        assert!(area.contains(LonLat::new(118.65, 34.925)), "the border counts");
        assert!(!area.contains(LonLat::new(118.649, 34.925)));
        assert!(Area::new(&[[34.92, 118.65], [34.92, 118.66], [34.93, 118.66]]).is_err());
        assert!(Area::new(&[[118.65, 34.92], [118.66, 34.92]]).is_err());
        assert!(Area::new(&[]).is_err());
    }

    #[test]
    fn every_mistake_of_a_file_is_told() {
        let row = |number: &str, rest: &str| {
            format!(
                "[[permit]]\nnumber='{number}'\nholder='h'\nfrom='2026-05-01'\nuntil='2026-06-01'\n{rest}\n"
            )
        };
        let text = [
            row("a", "matters=['09006']\nzone='z'"),
            row("a", "matters=['09006']\nzone='z'"),
            row("b", "matters=[]\nzone='z'\nground=[[118.65,34.92]]"),
            row("c", "matters=['09006']\nground=[[118.65,34.92],[118.66,34.92]]"),
            row("d", "matters=['09006']\ncamera='x'\nground=[[118.65,34.92],[118.66,34.92],[118.66,34.93]]"),
            row("e", "matters=['09006']\nzone='z'\nphone='1'\nhour=['06:00-09:00']"),
            "[[permit]]\nfrom='x'\n".to_owned(),
        ];
        let found = parse("permits.toml", &text.concat(), &Catalogue::builtin()).unwrap_err();
        let told: Vec<String> = found.iter().map(|p| format!("{}: {}", p.key, p.what)).collect();
        for part in [
            "permit[1].number: `a` is used twice",
            "permit[2].matters: names no matter",
            "permit[2]: has both zone and ground",
            "permit[3].ground: has 2 points",
            "permit[4].camera: stands beside ground",
            "permit[5].phone: tells who the holder is",
            "permit[5].hour: is not a key",
            "permit[6].number: is missing",
            "permit[6].holder: is missing",
            "permit[6].from: `x` is no day",
            "permit[6].until: is missing",
            "permit[6]: has no place",
        ] {
            assert!(told.iter().any(|t| t.contains(part)), "{part}\n{told:#?}");
        }
        assert!(found.iter().all(|p| p.line.is_some() && !p.mend.is_empty()));
    }
}
