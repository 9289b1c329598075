//! Coordinate systems that control points come in, and the way from each to CGCS2000 and back.
//!
//! In: the name of a system and two numbers in it. Out: longitude and latitude in CGCS2000, degrees, or why
//! not. Never: heights, grids of shifts, systems whose datum needs parameters that are not public.
//!
//! CGCS2000 and WGS-84 are taken for one: their ellipsoids differ by a tenth of a millimetre in the shorter
//! axis and their frames by centimetres, below what a pixel tells. Beijing 1954 and Xi'an 1980 are refused:
//! they lie 50 to 150 m off by an amount that differs from city to city.

use std::fmt;

use proj4rs::Proj;

use crate::space::{GroundPoint, LocalPlane, LonLat};

/// West, south, east and north of what is taken for China, degrees.
pub const CHINA: [f64; 4] = [73.0, 3.0, 136.0, 54.0];
/// A place further than this from its projection's central meridian is in the wrong zone, degrees.
const OFF_MERIDIAN_DEG_MAX: f64 = 6.0;
/// An inversion is done when it misses by less than this, degrees (a hundredth of a millimetre).
const INVERT_TOLERANCE_DEG: f64 = 1e-10;

/// A coordinate system.
#[derive(Clone)]
pub struct Crs {
    name: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    /// CGCS2000 and WGS-84.
    Geographic,
    Gcj02,
    Bd09,
    /// Metres east and north.
    Projected(Box<Projection>),
    /// Metres to the right and along a bearing, from an origin.
    Local {
        plane: LocalPlane,
        bearing: f64,
    },
}

#[derive(Clone)]
struct Projection {
    metres: Proj,
    degrees: Proj,
    central_meridian: Option<f64>,
}

/// Why numbers have no place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CrsError {
    /// Not a name that is known.
    #[error("`{given}` is no coordinate system that Shirong knows")]
    Unknown {
        /// As written.
        given: String,
    },
    /// Its datum is another one.
    #[error("`{given}` rests on a datum that lies 50 to 150 m off CGCS2000, differently in each city")]
    OtherDatum {
        /// As written.
        given: String,
    },
    /// The place is not in China.
    #[error("[{}, {}] in {crs} lies outside China", at[0], at[1])]
    Outside {
        /// The system.
        crs: String,
        /// The numbers.
        at: [f64; 2],
    },
    /// The place is far from the projection's zone.
    #[error("[{}, {}] lies {off_deg:.1}° off the central meridian of {crs}", at[0], at[1])]
    OtherZone {
        /// The system.
        crs: String,
        /// The numbers.
        at: [f64; 2],
        /// Degrees.
        off_deg: f64,
    },
}

impl CrsError {
    /// What to write instead.
    pub fn mend(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => {
                "write EPSG:4490 (CGCS2000), EPSG:4326 (WGS-84), GCJ-02, BD-09, EPSG:4491 to EPSG:4554 \
                 (Gauss-Krüger), EPSG:32643 to EPSG:32653 (UTM), \"+proj=… +ellps=GRS80\", or \
                 local:LON,LAT,BEARING"
            }
            Self::OtherDatum { .. } => {
                "have the points converted to CGCS2000 with the city's own parameters first"
            }
            Self::Outside { .. } => {
                "longitude or easting comes first (surveyors' sheets put northing, X, first), in the system named"
            }
            Self::OtherZone { .. } => {
                "easting comes first; with the zone's two digits before it use EPSG:4513 to EPSG:4533, without \
                 them EPSG:4534 to EPSG:4554"
            }
        }
    }
}

impl fmt::Debug for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crs({})", self.name)
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for Crs {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Crs {
    /// CGCS2000 in degrees.
    pub fn cgcs2000() -> Self {
        Self { name: crate::space::CRS.to_owned(), kind: Kind::Geographic }
    }

    /// Reads a name: an EPSG code, `CGCS2000`, `WGS-84`, `GCJ-02`, `BD-09`, a PROJ string of a projection on
    /// GRS80 or WGS-84 (a city's own meridian), or `local:LON,LAT,BEARING`, metres from an origin in CGCS2000
    /// with the second axis along the bearing.
    ///
    /// # Errors
    /// A name that is not known, a datum that has no public way to CGCS2000.
    pub fn parse(given: &str) -> Result<Self, CrsError> {
        let unknown = || CrsError::Unknown { given: given.to_owned() };
        let trimmed = given.trim();
        if let Some(numbers) = trimmed.strip_prefix("local:") {
            return local(numbers).map(|kind| Self { name: trimmed.to_owned(), kind }).ok_or_else(unknown);
        }
        if trimmed.starts_with("+proj=") {
            let same = ["+ellps=GRS80", "+ellps=WGS84", "+datum=WGS84"].iter().any(|e| trimmed.contains(e));
            if !same || trimmed.contains("+towgs84") {
                return Err(CrsError::OtherDatum { given: given.to_owned() });
            }
            let kind = Kind::projected(trimmed).ok_or_else(unknown)?;
            return Ok(Self { name: trimmed.to_owned(), kind });
        }
        let plain: String = trimmed.to_ascii_uppercase().replace(['-', '_', ' '], "");
        let (name, kind) = match plain.as_str() {
            "CGCS2000" | "EPSG:4490" => ("EPSG:4490".to_owned(), Kind::Geographic),
            "WGS84" | "EPSG:4326" => ("EPSG:4326".to_owned(), Kind::Geographic),
            "GCJ02" => ("GCJ-02".to_owned(), Kind::Gcj02),
            "BD09" | "BD09LL" => ("BD-09".to_owned(), Kind::Bd09),
            other => {
                let code = other.strip_prefix("EPSG:").and_then(|code| code.parse::<u32>().ok());
                let code = code.ok_or_else(unknown)?;
                if is_older_datum(code) {
                    return Err(CrsError::OtherDatum { given: given.to_owned() });
                }
                let definition = definition(code).ok_or_else(unknown)?;
                (format!("EPSG:{code}"), Kind::projected(&definition).ok_or_else(unknown)?)
            }
        };
        Ok(Self { name, kind })
    }

    /// Whether its numbers are degrees, longitude first; metres, easting first, otherwise.
    pub fn is_degrees(&self) -> bool {
        matches!(self.kind, Kind::Geographic | Kind::Gcj02 | Kind::Bd09)
    }

    /// The place of two numbers, the eastward one first.
    ///
    /// # Errors
    /// Numbers that lie outside China or far outside the projection's zone.
    pub fn lon_lat(&self, at: [f64; 2]) -> Result<LonLat, CrsError> {
        let outside = || CrsError::Outside { crs: self.name.clone(), at };
        let place = match &self.kind {
            Kind::Geographic => Some(LonLat::from(at)),
            Kind::Bd09 => bd09_inverse(LonLat::from(at)).and_then(gcj02_inverse),
            Kind::Gcj02 => gcj02_inverse(LonLat::from(at)),
            Kind::Projected(projection) => {
                let place = projection.lon_lat(at).ok_or_else(outside)?;
                let off_deg = projection.central_meridian.map_or(0.0, |m| (place.lon - m).abs());
                if off_deg > OFF_MERIDIAN_DEG_MAX {
                    return Err(CrsError::OtherZone { crs: self.name.clone(), at, off_deg });
                }
                Some(place)
            }
            Kind::Local { plane, bearing } => {
                let (sin, cos) = bearing.to_radians().sin_cos();
                let turned = GroundPoint::new(at[0] * cos + at[1] * sin, at[1] * cos - at[0] * sin);
                Some(plane.lon_lat_from_ground(turned))
            }
        };
        place.filter(|place| is_in_china(*place)).ok_or_else(outside)
    }

    /// The two numbers of a place, the eastward one first; `None` where the projection has none.
    pub fn numbers(&self, place: LonLat) -> Option<[f64; 2]> {
        match &self.kind {
            Kind::Geographic => Some(place.into()),
            Kind::Gcj02 => Some(gcj02(place).into()),
            Kind::Bd09 => Some(bd09(gcj02(place)).into()),
            Kind::Projected(projection) => projection.metres(place),
            Kind::Local { plane, bearing } => {
                let (sin, cos) = bearing.to_radians().sin_cos();
                let g = plane.ground_from_lon_lat(place);
                Some([g.x * cos - g.y * sin, g.x * sin + g.y * cos])
            }
        }
    }
}

/// Whether the place lies in the box around China.
pub fn is_in_china(LonLat { lon, lat }: LonLat) -> bool {
    let [west, south, east, north] = CHINA;
    (west..=east).contains(&lon) && (south..=north).contains(&lat)
}

fn local(numbers: &str) -> Option<Kind> {
    let numbers: Vec<f64> = numbers.split(',').map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
    let (lon, lat, bearing) = match numbers[..] {
        [lon, lat] => (lon, lat, 0.0),
        [lon, lat, bearing] => (lon, lat, bearing),
        _ => return None,
    };
    let origin = LonLat::new(lon, lat);
    let sound = is_in_china(origin) && f64::is_finite(bearing);
    sound.then(|| Kind::Local { plane: LocalPlane::at(origin), bearing })
}

/// Projections of CGCS2000 and WGS-84 by their EPSG codes, as PROJ strings. The CGCS2000 codes run in four
/// series: zones of 6° and of 3°, each with the zone's number before the easting and without.
fn definition(code: u32) -> Option<String> {
    let gauss = |meridian: u32, false_easting: u32| {
        format!(
            "+proj=tmerc +lat_0=0 +lon_0={meridian} +k=1 +x_0={false_easting} +y_0=0 +ellps=GRS80 +units=m \
             +no_defs"
        )
    };
    Some(match code {
        4491..=4501 => gauss(75 + 6 * (code - 4491), (13 + code - 4491) * 1_000_000 + 500_000),
        4502..=4512 => gauss(75 + 6 * (code - 4502), 500_000),
        4513..=4533 => gauss(75 + 3 * (code - 4513), (25 + code - 4513) * 1_000_000 + 500_000),
        4534..=4554 => gauss(75 + 3 * (code - 4534), 500_000),
        32643..=32653 => format!("+proj=utm +zone={} +datum=WGS84 +units=m +no_defs", code - 32600),
        _ => return None,
    })
}

/// Codes of Beijing 1954 (Krassowsky) and Xi'an 1980 (IAG 1975).
fn is_older_datum(code: u32) -> bool {
    matches!(code, 2327..=2390 | 2401..=2442 | 4214 | 4610 | 21413..=21423 | 21453..=21463 | 21473..=21483)
}

impl Kind {
    fn projected(definition: &str) -> Option<Self> {
        let metres = Proj::from_proj_string(definition).ok()?;
        // The same datum on both sides: only the projection is undone.
        let ellipsoid = if definition.contains("GRS80") { "+ellps=GRS80" } else { "+datum=WGS84" };
        let degrees = Proj::from_proj_string(&format!("+proj=longlat {ellipsoid} +no_defs")).ok()?;
        let key = |name: &str| -> Option<f64> {
            let at = definition.split_whitespace().find_map(|word| word.strip_prefix(name));
            at.and_then(|number| number.parse().ok())
        };
        // Zone 1 of UTM has its meridian at 177° west, each next one 6° further east.
        let meridian = key("+lon_0=").or_else(|| key("+zone=").map(|zone| zone * 6.0 - 183.0));
        Some(Self::Projected(Box::new(Projection { metres, degrees, central_meridian: meridian })))
    }
}

impl Projection {
    fn lon_lat(&self, [east, north]: [f64; 2]) -> Option<LonLat> {
        let mut point = (east, north, 0.0);
        proj4rs::transform::transform(&self.metres, &self.degrees, &mut point).ok()?;
        let place = LonLat::new(point.0.to_degrees(), point.1.to_degrees());
        (place.lon.is_finite() && place.lat.is_finite()).then_some(place)
    }

    fn metres(&self, place: LonLat) -> Option<[f64; 2]> {
        let mut point = (place.lon.to_radians(), place.lat.to_radians(), 0.0);
        proj4rs::transform::transform(&self.degrees, &self.metres, &mut point).ok()?;
        (point.0.is_finite() && point.1.is_finite()).then_some([point.0, point.1])
    }
}

/// GCJ-02 of a WGS-84 place.
///
/// GCJ-02 is the shift that map services in China must apply. It was never published; this is the formula
/// that became public around 2010 and that free map tools share: a polynomial and sines of the distance from
/// 105° E, 35° N, in metres, turned into degrees on the Krassowsky ellipsoid. It follows the services to about
/// a metre, so a control point read from such a map is no better than that, whatever its digits say.
pub fn gcj02(place: LonLat) -> LonLat {
    use std::f64::consts::PI;
    /// Krassowsky 1940.
    const A_M: f64 = 6_378_245.0;
    const E2: f64 = 0.006_693_421_622_965_943;
    let (x, y) = (place.lon - 105.0, place.lat - 35.0);
    let wave = |amplitude: f64, argument: f64| amplitude * (PI * argument).sin();
    let shared = (wave(20.0, 6.0 * x) + wave(20.0, 2.0 * x)) * 2.0 / 3.0;
    let north_m = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + shared
        + (wave(20.0, y) + wave(40.0, y / 3.0)) * 2.0 / 3.0
        + (wave(160.0, y / 12.0) + wave(320.0, y / 30.0)) * 2.0 / 3.0;
    let east_m = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + shared
        + (wave(20.0, x) + wave(40.0, x / 3.0)) * 2.0 / 3.0
        + (wave(150.0, x / 12.0) + wave(300.0, x / 30.0)) * 2.0 / 3.0;
    let (sin, cos) = place.lat.to_radians().sin_cos();
    let w2 = 1.0 - E2 * sin * sin;
    let meridian_m = A_M * (1.0 - E2) / (w2 * w2.sqrt());
    let prime_vertical_m = A_M / w2.sqrt();
    LonLat::new(
        place.lon + (east_m / (prime_vertical_m * cos)).to_degrees(),
        place.lat + (north_m / meridian_m).to_degrees(),
    )
}

/// The WGS-84 place of a GCJ-02 one.
pub fn gcj02_inverse(shifted: LonLat) -> Option<LonLat> {
    inverse(shifted, gcj02)
}

/// BD-09 of a GCJ-02 place: the second shift, of Baidu's maps. Not published by Baidu either; the formula
/// is the public one, in polar coordinates around 0° E, 0° N.
pub fn bd09(gcj: LonLat) -> LonLat {
    const FREQUENCY: f64 = std::f64::consts::PI * 3000.0 / 180.0;
    let radius = gcj.lon.hypot(gcj.lat) + 0.000_02 * (gcj.lat * FREQUENCY).sin();
    let angle = gcj.lat.atan2(gcj.lon) + 0.000_003 * (gcj.lon * FREQUENCY).cos();
    LonLat::new(radius * angle.cos() + 0.006_5, radius * angle.sin() + 0.006)
}

/// The GCJ-02 place of a BD-09 one.
pub fn bd09_inverse(shifted: LonLat) -> Option<LonLat> {
    inverse(shifted, bd09)
}

/// Fixed-point inversion of a shift that is small and smooth; each step leaves less than a hundredth.
fn inverse(shifted: LonLat, shift: impl Fn(LonLat) -> LonLat) -> Option<LonLat> {
    let mut place = shifted;
    for _ in 0..30 {
        let there = shift(place);
        let (lon, lat) = (shifted.lon - there.lon, shifted.lat - there.lat);
        place = LonLat::new(place.lon + lon, place.lat + lat);
        if lon.abs().max(lat.abs()) < INVERT_TOLERANCE_DEG {
            return Some(place);
        }
    }
    None
}
