//! Points files.
//!
//! In: the text of a TOML or CSV file. Out: a [`Survey`], or every mistake at once. Never: a guess at a
//! coordinate system; where none is named it is CGCS2000 in degrees.

use super::crs::{Crs, CrsError};
use super::{IMAGE_SIDE_RANGE, Origin, Survey, SurveyPoint};
use crate::check::{At, Problem, Source};
use crate::homography::ControlPoint;
use crate::space::{LonLat, PixelPoint};

/// What the caller knows and the file need not say.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Given {
    /// The coordinate system of the points.
    pub crs: Option<Crs>,
    /// Width and height of the picture, pixels.
    pub image_size: Option<[f64; 2]>,
}

/// Reads a TOML points file: `crs`, `image_size`, and `[[point]]` with `pixel`, `name` and either `lonlat`
/// (degrees) or `east_north` (metres).
///
/// # Errors
/// Every mistake in the file.
pub fn read_toml(file: &str, text: &str, given: &Given) -> Result<Survey, Vec<Problem>> {
    let mut source = Source::new(file, text);
    let mut root = source.root();
    let named = root.text(&mut source, "crs");
    let crs = match named.as_deref().map(Crs::parse) {
        Some(Ok(crs)) => crs,
        Some(Err(error)) => {
            source.problem(&root.at_key("crs"), error.to_string(), error.mend());
            return Err(source.into_problems());
        }
        None => given.crs.clone().unwrap_or_else(Crs::cgcs2000),
    };
    let image_size = root.pair(&mut source, "image_size").or(given.image_size);
    check_size(&mut source, &root.at_key("image_size"), image_size);
    let mut points = Vec::new();
    let sections = root.sections(&mut source, "point");
    if sections.is_empty() {
        let mend = "write [[point]] and under it pixel = [x, y] and lonlat = [longitude, latitude]";
        source.problem(&root.at_key("point"), "is missing", mend);
    }
    for mut section in sections {
        let name = section.text(&mut source, "name");
        let pixel = section.pair(&mut source, "pixel");
        let (degrees, metres) =
            (section.pair(&mut source, "lonlat"), section.pair(&mut source, "east_north"));
        let (key, at) = if crs.is_degrees() { ("lonlat", degrees) } else { ("east_north", metres) };
        let place_at = section.at_key(key);
        if let (Some(pixel), Some(at)) = (pixel, at) {
            match point(name, pixel, at, &crs) {
                Ok(point) => points.push(point),
                Err(error) => source.problem(&place_at, error.to_string(), error.mend()),
            }
        } else {
            let mend = format!("in {crs} a point needs pixel = [x, y] and {key} = [eastward, northward]");
            source.problem(&section.at(), "is half a control point", mend);
        }
        check_pixel(&mut source, &section.at_key("pixel"), pixel, image_size);
        section.finish(&mut source);
    }
    root.finish(&mut source);
    if source.is_clean() { Ok(Survey { image_size, points }) } else { Err(source.into_problems()) }
}

/// A point from the numbers of a file.
fn point(name: Option<String>, pixel: [f64; 2], at: [f64; 2], crs: &Crs) -> Result<SurveyPoint, CrsError> {
    let lon_lat = crs.lon_lat(at)?;
    let converted = *crs != Crs::cgcs2000();
    Ok(SurveyPoint {
        name: name.filter(|name| !name.is_empty()),
        control: ControlPoint { pixel: PixelPoint::from(pixel), lon_lat },
        source: converted.then(|| Origin { crs: crs.to_string(), at }),
    })
}

/// Whether a size is one of a picture.
pub(super) fn check_size(source: &mut Source<'_>, at: &At, size: Option<[f64; 2]>) {
    let (least, most) = IMAGE_SIDE_RANGE;
    if size.is_some_and(|size| size.iter().any(|side| !(least..=most).contains(side))) {
        let mend = "write the width and height of the picture that the pixels were read from: [1920, 1080]";
        source.problem(at, "is missing or no size of a picture", mend);
    }
}

/// Whether a pixel lies in the picture.
pub(super) fn check_pixel(source: &mut Source<'_>, at: &At, pixel: Option<[f64; 2]>, size: Option<[f64; 2]>) {
    if let (Some([x, y]), Some([w, h])) = (pixel, size)
        && !((0.0..=w).contains(&x) && (0.0..=h).contains(&y))
    {
        let mend = "read the pixels from a picture of image_size, or write the size they were read from";
        source.problem(at, "lies outside image_size", mend);
    }
}

/// Whether a place is one in China.
pub(super) fn check_place(source: &mut Source<'_>, at: &At, lon_lat: Option<[f64; 2]>) {
    if lon_lat.is_some_and(|place| !super::crs::is_in_china(LonLat::from(place))) {
        let mend = "longitude comes first, in degrees, CGCS2000: [118.65012, 34.92034]";
        source.problem(at, "lies outside China", mend);
    }
}

/// Reads a CSV points file with the header `name,pixel_x,pixel_y,lon,lat` or `…,east,north`; columns in any
/// order, `name` may be absent. The coordinate system is what the caller gives.
///
/// # Errors
/// Every mistake in the file.
pub fn read_csv(file: &str, text: &str, given: &Given) -> Result<Survey, Vec<Problem>> {
    let crs = given.crs.clone().unwrap_or_else(Crs::cgcs2000);
    let mut sheet = Sheet { file, problems: Vec::new() };
    // Spreadsheets put a byte order mark before the header.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let columns = Columns::of(&mut sheet, reader.headers().ok(), &crs);
    let mut points = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let Some(columns) = &columns else { break };
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                sheet.problem(row + 2, "", error.to_string(), "give each line as many fields as the header");
                continue;
            }
        };
        let line = record.position().map_or(row + 2, |at| at.line() as usize);
        let numbers = columns.numbers.map(|(name, column)| {
            let field = record.get(column).unwrap_or_default();
            let number = field.parse::<f64>().ok().filter(|number| number.is_finite());
            if number.is_none() {
                sheet.problem(line, name, format!("`{field}` is no number"), "write it like 118.65012");
            }
            number
        });
        let [Some(x), Some(y), Some(first), Some(second)] = numbers else { continue };
        if let Some([w, h]) = given.image_size
            && !((0.0..=w).contains(&x) && (0.0..=h).contains(&y))
        {
            let mend = "read the pixels from a picture of image_size, or give the size they were read from";
            sheet.problem(line, "pixel_x", format!("[{x}, {y}] lies outside the picture"), mend);
        }
        let name = columns.name.and_then(|column| record.get(column)).map(str::to_owned);
        match point(name, [x, y], [first, second], &crs) {
            Ok(point) => points.push(point),
            Err(error) => sheet.problem(line, columns.numbers[2].0, error.to_string(), error.mend()),
        }
    }
    if sheet.problems.is_empty() {
        Ok(Survey { image_size: given.image_size, points })
    } else {
        Err(sheet.problems)
    }
}

struct Sheet<'t> {
    file: &'t str,
    problems: Vec<Problem>,
}

impl Sheet<'_> {
    fn problem(&mut self, line: usize, key: &str, what: impl Into<String>, mend: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            key: key.to_owned(),
            line: Some(line),
            what: what.into(),
            mend: mend.into(),
        });
    }
}

/// Where the four numbers and the name stand.
struct Columns {
    numbers: [(&'static str, usize); 4],
    name: Option<usize>,
}

impl Columns {
    fn of(sheet: &mut Sheet<'_>, header: Option<&csv::StringRecord>, crs: &Crs) -> Option<Self> {
        let names = if crs.is_degrees() {
            ["pixel_x", "pixel_y", "lon", "lat"]
        } else {
            ["pixel_x", "pixel_y", "east", "north"]
        };
        let position = |name: &str| header?.iter().position(|column| column.eq_ignore_ascii_case(name));
        let found = names.map(|name| position(name).map(|column| (name, column)));
        let [Some(x), Some(y), Some(first), Some(second)] = found else {
            let missing: Vec<&str> =
                std::iter::zip(names, found).filter(|(_, at)| at.is_none()).map(|(name, _)| name).collect();
            let mend = format!("in {crs} the first line is name,{}", names.join(","));
            sheet.problem(1, &missing.join(","), "is no column of the header", mend);
            return None;
        };
        Some(Self { numbers: [x, y, first, second], name: position("name") })
    }
}
