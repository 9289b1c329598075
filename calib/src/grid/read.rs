//! From the text of a GeoJSON file to cells.
//!
//! In: the text and what kind of codes it holds. Out: cells with rings that close, turn the right way and lie
//! in longitude and latitude, or every fault of the file. Never: files, a repaired ring, a guessed code.

use std::collections::BTreeMap;

use geojson::{Feature, GeometryValue, PolygonType};
use serde_json::Value;

use super::{Cell, GridError, GridFault, LayerKind, mass, topology};
use crate::matter::ZoneClass;
use crate::space::{GroundPoint, LonLat};

/// Names of coordinate systems that are longitude and latitude of CGCS2000 or WGS-84: how they end.
const LON_LAT_CRS: [&str; 3] = [":4490", ":4326", ":CRS84"];

/// Collects faults with their places.
pub(super) struct Faults<'a> {
    pub(super) file: &'a str,
    pub(super) found: Vec<GridError>,
}

impl Faults<'_> {
    pub(super) fn add(&mut self, place: &str, fault: GridFault) {
        self.found.push(GridError { file: self.file.to_owned(), place: place.to_owned(), fault });
    }
}

/// Reads all features.
pub(super) fn cells(file: &str, text: &str, kind: LayerKind) -> Result<Vec<Cell>, Vec<GridError>> {
    let mut faults = Faults { file, found: Vec::new() };
    let features = match collection(text) {
        Ok((crs, features)) => {
            if let Some(name) = crs {
                faults.add("crs", GridFault::Crs(name));
            }
            features
        }
        Err(fault) => {
            faults.add("file", fault);
            return Err(faults.found);
        }
    };
    checked(features, kind, faults)
}

/// Features of whichever file, checked one by one and together.
pub(super) fn checked(
    features: Vec<Value>,
    kind: LayerKind,
    mut faults: Faults<'_>,
) -> Result<Vec<Cell>, Vec<GridError>> {
    let mut cells = Vec::with_capacity(features.len());
    let mut first_with: BTreeMap<String, usize> = BTreeMap::new();
    for (i, value) in features.into_iter().enumerate() {
        let code = value.pointer("/properties/code").and_then(text_of).unwrap_or_default();
        let place =
            if code.is_empty() { format!("features[{i}]") } else { format!("features[{i}] ({code})") };
        if code.is_empty() {
            faults.add(&place, GridFault::CodeMissing);
        } else if let Some(&first) = first_with.get(&code) {
            faults.add(&place, GridFault::Duplicate { code: code.clone(), first });
        } else {
            first_with.insert(code.clone(), i);
        }
        if let (LayerKind::Unit { profile }, false) = (kind, code.is_empty())
            && let Err(fault) = profile.split(&code)
        {
            faults.add(&place, fault);
        }
        match serde_json::from_value::<Feature>(value) {
            Ok(feature) => cells.push(Cell { feature: i, ..cell(feature, code, &place, &mut faults) }),
            Err(error) => faults.add(&place, GridFault::Feature(error.to_string())),
        }
    }
    if let LayerKind::Unit { .. } = kind {
        other_divisions(&first_with, &mut faults);
    }
    if faults.found.is_empty() { Ok(cells) } else { Err(faults.found) }
}

/// The features, and the name of the file's CRS where it is not longitude and latitude.
fn collection(text: &str) -> Result<(Option<String>, Vec<Value>), GridFault> {
    // Exports from Windows begin with a byte order mark, which JSON does not have.
    let text = text.trim_start_matches('\u{feff}');
    let mut root: Value = serde_json::from_str(text).map_err(|e| GridFault::Json(e.to_string()))?;
    if root.get("type").and_then(Value::as_str) != Some("FeatureCollection") {
        return Err(GridFault::NoCollection);
    }
    let crs = root.get("crs").filter(|crs| !crs.is_null()).map(|crs| {
        crs.pointer("/properties/name").and_then(Value::as_str).map_or_else(|| crs.to_string(), str::to_owned)
    });
    let strange = crs.filter(|name| {
        let name = name.to_ascii_uppercase();
        !LON_LAT_CRS.iter().any(|known| name.ends_with(known))
    });
    match root.get_mut("features").map(Value::take) {
        Some(Value::Array(features)) if features.is_empty() => Err(GridFault::Empty),
        Some(Value::Array(features)) => Ok((strange, features)),
        _ => Err(GridFault::NoCollection),
    }
}

/// Text and whole numbers as text; a fraction is no code and no name.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// Codes whose first six digits are not those of most.
fn other_divisions(first_with: &BTreeMap<String, usize>, faults: &mut Faults<'_>) {
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for division in first_with.keys().filter_map(|code| code.get(..6)) {
        *count.entry(division).or_default() += 1;
    }
    let Some((&most, &of_most)) = count.iter().max_by_key(|(_, n)| **n) else { return };
    // Two counties in one file are no slip of the pen: only a minority of one in fifty is.
    for (code, i) in first_with {
        let strays = code.get(..6).filter(|division| *division != most).and_then(|d| count.get(d));
        if strays.is_some_and(|&strays| strays * 50 <= of_most) {
            let fault = GridFault::OtherDivision { code: code.clone(), division: most.to_owned() };
            faults.add(&format!("features[{i}] ({code})"), fault);
        }
    }
}

fn cell(feature: Feature, code: String, place: &str, faults: &mut Faults<'_>) -> Cell {
    let mut attributes: BTreeMap<String, String> = feature
        .properties
        .iter()
        .flatten()
        .filter_map(|(key, value)| {
            let text = text_of(value).or_else(|| value.as_f64().map(|number| number.to_string()))?;
            Some((key.clone(), text))
        })
        .collect();
    attributes.remove("code");
    let name = attributes.remove("name").filter(|name| !name.is_empty());
    let polygons = match feature.geometry.map(|g| g.value) {
        Some(GeometryValue::Polygon { coordinates }) => vec![coordinates],
        Some(GeometryValue::MultiPolygon { coordinates }) => coordinates,
        other => {
            let found = other.map_or("missing", |g| g.type_name());
            faults.add(place, GridFault::Geometry(found.to_owned()));
            Vec::new()
        }
    };
    if let Some(class) = attributes.get("zone_class").filter(|class| ZoneClass::from_name(class).is_none()) {
        faults.add(place, GridFault::ZoneClass(class.clone()));
    }
    let mut rings = Vec::new();
    let before = faults.found.len();
    for polygon in &polygons {
        polygon_rings(polygon, place, &mut rings, faults);
    }
    // What is wrong with a ring would be told a second time as a crossing.
    if faults.found.len() == before
        && let Some(at) = topology::crossing(&rings)
    {
        faults.add(place, GridFault::Crossed { at });
    }
    Cell { code, name, attributes, rings, index: 0, feature: 0 }
}

/// Appends the rings of one polygon: the outer one counter-clockwise, the others clockwise.
fn polygon_rings(polygon: &PolygonType, place: &str, rings: &mut Vec<Vec<LonLat>>, faults: &mut Faults<'_>) {
    if polygon.is_empty() {
        faults.add(place, GridFault::Flat { ring: rings.len() });
    }
    for (nth, ring) in polygon.iter().enumerate() {
        let number = rings.len();
        let mut points = Vec::with_capacity(ring.len());
        let mut strange = None;
        for position in ring {
            let [x, y] = [0, 1].map(|axis| position.as_slice().get(axis).copied().unwrap_or(f64::NAN));
            strange = strange.or_else(|| range_fault(x, y));
            points.push(LonLat::new(x, y));
        }
        if let Some(fault) = strange {
            // One fault a ring: the others are the same.
            faults.add(place, fault);
        } else if points.first() != points.last() {
            faults.add(place, GridFault::Open { ring: number });
        } else {
            match signed_area_degrees(&points) {
                area if points.len() < 4 || area == 0.0 => {
                    faults.add(place, GridFault::Flat { ring: number });
                }
                area if (area > 0.0) != (nth == 0) => points.reverse(),
                _ => {}
            }
        }
        rings.push(points);
    }
}

fn range_fault(x: f64, y: f64) -> Option<GridFault> {
    if (73.0..=136.0).contains(&x) && (3.0..=54.0).contains(&y) {
        None
    } else if (73.0..=136.0).contains(&y) && (3.0..=54.0).contains(&x) {
        Some(GridFault::Exchanged { x, y })
    } else if x.abs() <= 180.0 && y.abs() <= 90.0 {
        Some(GridFault::Abroad { x, y })
    } else if x.abs() <= 90.0 && y.abs() <= 180.0 {
        Some(GridFault::Exchanged { x, y })
    } else {
        Some(GridFault::Projected { x, y })
    }
}

/// Square degrees, for the sense of rotation only; measured from the first point, so that the digits of the
/// longitude do not cancel.
fn signed_area_degrees(points: &[LonLat]) -> f64 {
    let Some(&first) = points.first() else { return 0.0 };
    mass::signed_area(points.iter().map(|p| GroundPoint::new(p.lon - first.lon, p.lat - first.lat)))
}
