//! From the bytes of a Shapefile to cells: the way of every GeoJSON feature, once the rings are nested.
//!
//! In: `.shp`, `.dbf`, `.prj`. Out: cells, or every fault. Never: a projection undone; a `.prj` that is not
//! longitude and latitude is refused.

use std::io::Cursor;

use serde_json::{Map, Value, json};
use shapefile::dbase::encoding::EncodingRs;
use shapefile::dbase::{self, FieldValue};
use shapefile::{PolygonRing, Shape, ShapeReader};

use super::read::{Faults, checked};
use super::{Cell, GridError, GridFault, LayerKind};

/// Reads all shapes with their records.
pub(super) fn cells(
    file: &str,
    shp: &[u8],
    dbf: &[u8],
    prj: Option<&str>,
    kind: LayerKind,
) -> Result<Vec<Cell>, Vec<GridError>> {
    let mut faults = Faults { file, found: Vec::new() };
    if let Some(prj) = prj.map(str::trim).filter(|prj| !prj.is_empty() && !is_cgcs2000(prj)) {
        let name = prj.split('"').nth(1).unwrap_or(prj);
        faults.add("prj", GridFault::Crs(name.chars().take(60).collect()));
    }
    let shapes = shapes(shp).map_err(|error| faults.add("shp", GridFault::Feature(error))).ok();
    let records = records(dbf).map_err(|error| faults.add("dbf", GridFault::Feature(error))).ok();
    let (Some(shapes), Some(records)) = (shapes, records) else { return Err(faults.found) };
    if shapes.is_empty() {
        faults.add("shp", GridFault::Empty);
    }
    if shapes.len() != records.len() {
        let what = format!("{} shapes and {} records", shapes.len(), records.len());
        faults.add("dbf", GridFault::Feature(what));
    }
    let features = shapes.into_iter().zip(records).map(|(shape, properties)| {
        json!({ "type": "Feature", "properties": properties, "geometry": geometry(shape) })
    });
    checked(features.collect(), kind, faults)
}

/// What every `.shp` begins with.
const FILE_CODE: u32 = 9994;
/// Bytes of a `.shp` before its first record, and of a record's own head.
const HEADER_BYTES: usize = 100;
const RECORD_HEAD_BYTES: usize = 8;

/// Reads each record by itself, once its counts are known to fit into it. The library's reader takes memory for as
/// many parts and corners as a record claims to have, before it looks for them, and goes on where it stopped reading
/// and not where the record ends: gigabytes for a file of four hundred bytes.
fn shapes(shp: &[u8]) -> Result<Vec<Shape>, String> {
    let Some(header) = shp.get(..HEADER_BYTES) else {
        return Err(format!("{} bytes are no Shapefile, whose header alone takes {HEADER_BYTES}", shp.len()));
    };
    if big(shp, 0) != Some(FILE_CODE) {
        return Err("is no Shapefile: it begins with another number than 9994".to_owned());
    }
    let said = u64::from(big(shp, 24).unwrap_or_default()) * 2;
    if said > shp.len() as u64 {
        return Err(format!(
            "{} bytes of the {said} that its header speaks of: is the file whole?",
            shp.len()
        ));
    }
    let mut shapes = Vec::new();
    let mut at = HEADER_BYTES;
    while let Some(words) = big(shp, at + 4) {
        let broken = |what: &str| format!("record {} {what}: is the file whole?", shapes.len() + 1);
        let content = &shp[at + RECORD_HEAD_BYTES..];
        let length = u64::from(words) * 2;
        if length > content.len() as u64 {
            return Err(broken("is longer than the file"));
        }
        let content = &content[..length as usize];
        sound(content).map_err(broken)?;
        // A file of this record alone, its length where the reader looks for it.
        let end = at + RECORD_HEAD_BYTES + content.len();
        let mut alone = [header, &shp[at..end]].concat();
        let length_words = (alone.len() / 2) as u32;
        alone[24..28].copy_from_slice(&length_words.to_be_bytes());
        let read = ShapeReader::new(Cursor::new(alone)).and_then(ShapeReader::read);
        shapes.append(&mut read.map_err(|error| format!("record {}: {error}", shapes.len() + 1))?);
        at = end;
    }
    Ok(shapes)
}

fn big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Whether the counts in a record's content fit into it.
fn sound(content: &[u8]) -> Result<(), &'static str> {
    let little = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(content.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    let Some(kind) = little(0) else { return Err("is too short for the kind of its shape") };
    // Lines and polygons have parts and points, multipatches kinds of parts beside, multipoints points alone.
    let (parts_at, points_at, bytes_a_part) = match kind {
        3 | 5 | 13 | 15 | 23 | 25 => (Some(36), 40, 4),
        31 => (Some(36), 40, 8),
        8 | 18 | 28 => (None, 36, 0),
        _ => return Ok(()),
    };
    let count = |at: usize| little(at).map_or(u64::MAX, u64::from);
    let (parts, points) = (parts_at.map_or(0, count), count(points_at));
    let head = points_at as u64 + 4;
    let needed = parts.checked_mul(bytes_a_part).zip(points.checked_mul(16));
    let is_within = |(parts, points): (u64, u64)| {
        parts.saturating_add(points).saturating_add(head) <= content.len() as u64
    };
    if !needed.is_some_and(is_within) {
        return Err("claims more corners than it holds");
    }
    let mut before = 0;
    for part in 0..parts as usize {
        let first = count(points_at + 4 + 4 * part);
        if first < before || first > points {
            return Err("has a ring that begins at no corner of its own");
        }
        before = first;
    }
    Ok(())
}

/// Whether a `.prj` means degrees of CGCS2000, or of WGS 84, which is the same within centimetres. Older systems
/// (Beijing 1954, Xian 1980) lie tens of metres off.
fn is_cgcs2000(prj: &str) -> bool {
    let name = prj.to_ascii_uppercase();
    let known = [
        "CGCS2000",
        "CGCS_2000",
        "CHINA_2000",
        "CHINA_GEODETIC_COORDINATE_SYSTEM_2000",
        "WGS_1984",
        "WGS84",
        "WGS 84",
    ];
    (name.starts_with("GEOGCS") || name.starts_with("GEOGCRS"))
        && known.iter().any(|known| name.contains(known))
}

/// Field names of a `.dbf` are capitals by custom and at most ten characters long; the two that matter are
/// known in either case. Texts are GB 18030 unless they are UTF-8.
fn records(dbf: &[u8]) -> Result<Vec<Map<String, Value>>, String> {
    // The file's own mark of its encoding is often wrong. Its records begin where bytes 8 and 9 say.
    let header = dbf.get(8..10).map_or(0, |bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
    let is_utf8 = dbf.get(header..).is_some_and(|records| std::str::from_utf8(records).is_ok());
    let encoding = EncodingRs::from(if is_utf8 { encoding_rs::UTF_8 } else { encoding_rs::GB18030 });
    let reader = dbase::ReaderBuilder::new().with_encoding(encoding).build(Cursor::new(dbf));
    let mut reader = reader.map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for record in reader.iter_records() {
        let record = record.map_err(|error| error.to_string())?;
        let mut properties = Map::new();
        for (name, value) in record {
            let name = match name.to_ascii_lowercase() {
                lower if ["code", "name", "zone_class"].contains(&lower.as_str()) => lower,
                _ => name,
            };
            properties.insert(name, json_of(value));
        }
        all.push(properties);
    }
    Ok(all)
}

fn json_of(value: FieldValue) -> Value {
    match value {
        FieldValue::Character(Some(text)) => Value::from(text.trim()),
        // A whole number of a `.dbf` is a number with no decimals.
        FieldValue::Numeric(Some(n)) if n.fract() == 0.0 && n.abs() < 9e15 => Value::from(n as i64),
        FieldValue::Numeric(Some(n)) => Value::from(n),
        FieldValue::Integer(n) => Value::from(n),
        FieldValue::Double(n) => Value::from(n),
        FieldValue::Logical(Some(switch)) => Value::from(switch),
        _ => Value::Null,
    }
}

/// The shape as GeoJSON: each hole in the outer ring that holds its first corner.
fn geometry(shape: Shape) -> Value {
    let rings: Vec<(bool, Vec<[f64; 2]>)> = match shape {
        Shape::Polygon(p) => p.rings().iter().map(|ring| plain(ring, |p| [p.x, p.y])).collect(),
        Shape::PolygonM(p) => p.rings().iter().map(|ring| plain(ring, |p| [p.x, p.y])).collect(),
        Shape::PolygonZ(p) => p.rings().iter().map(|ring| plain(ring, |p| [p.x, p.y])).collect(),
        Shape::NullShape => return Value::Null,
        other => return json!({ "type": format!("{}", other.shapetype()) }),
    };
    let (outer, holes): (Vec<_>, Vec<_>) = rings.into_iter().partition(|(is_outer, _)| *is_outer);
    let mut polygons: Vec<Vec<Vec<[f64; 2]>>> = outer.into_iter().map(|(_, ring)| vec![ring]).collect();
    for (_, hole) in holes {
        let first = hole.first().copied().unwrap_or_default();
        match polygons.iter_mut().find(|polygon| holds(&polygon[0], first)) {
            Some(polygon) => polygon.push(hole),
            // A ring that turns the wrong way with none around it is an outer one.
            None => polygons.push(vec![hole]),
        }
    }
    json!({ "type": "MultiPolygon", "coordinates": polygons })
}

fn plain<P>(ring: &PolygonRing<P>, xy: impl Fn(&P) -> [f64; 2]) -> (bool, Vec<[f64; 2]>) {
    let is_outer = matches!(ring, PolygonRing::Outer(_));
    (is_outer, ring.points().iter().map(xy).collect())
}

/// Even-odd by a ray to the east.
fn holds(ring: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
    ring.windows(2).fold(false, |inside, ends| {
        let ([x0, y0], [x1, y1]) = (ends[0], ends[1]);
        let crosses = (y0 <= y) != (y1 <= y) && x < x0 + (y - y0) / (y1 - y0) * (x1 - x0);
        inside ^ crosses
    })
}

#[cfg(test)]
mod tests {
    use shapefile::dbase::{FieldName, Record, TableWriterBuilder};
    use shapefile::{Point, Polygon, ShapeWriter};

    use super::super::{CodeProfile, GridLayer};
    use super::*;
    use crate::space::LonLat;

    const UNIT: LayerKind = LayerKind::Unit { profile: CodeProfile::Digits15 };

    /// One polygon of one ring, as the fuzzer begins with it.
    fn record_of(parts: u32, points: u32, first: u32, words: u32) -> Vec<u8> {
        let mut shp = vec![0; 100];
        shp[..4].copy_from_slice(&9994u32.to_be_bytes());
        shp[28..32].copy_from_slice(&1000u32.to_le_bytes());
        shp[32..36].copy_from_slice(&5u32.to_le_bytes());
        shp.extend([1u32.to_be_bytes(), words.to_be_bytes(), 5u32.to_le_bytes()].concat());
        shp.extend([0; 32]);
        shp.extend([parts.to_le_bytes(), points.to_le_bytes(), first.to_le_bytes()].concat());
        shp.extend([0; 5 * 16]);
        shp
    }

    #[test]
    fn a_record_that_claims_more_than_it_holds_takes_no_memory() {
        shapes(&record_of(1, 5, 0, 64)).unwrap();
        for broken in [
            record_of(1, 0x6600_0000, 0, 64),
            record_of(0x7fff_ffff, 5, 0, 64),
            record_of(u32::MAX, u32::MAX, 0, 64),
            record_of(1, 5, 6, 64),
            record_of(1, 5, 0, 65),
            record_of(1, 5, 0, u32::MAX),
            record_of(1, 5, 0, 3),
            record_of(1, 5, 0, 0),
        ] {
            let error = shapes(&broken).err().unwrap();
            assert!(error.starts_with("record 1 "), "{error}");
        }
    }

    #[test]
    fn a_record_is_read_no_further_than_it_reaches() {
        // An empty shape in a record that is longer; read on at once, what fills it would be the next record.
        let mut padded = record_of(1, 5, 0, 64);
        let filling = [2u32.to_be_bytes(), 0x7fff_ffffu32.to_be_bytes()].concat();
        padded.splice(100..100, [&1u32.to_be_bytes()[..], &6u32.to_be_bytes(), &[0; 4], &filling].concat());
        assert_eq!(shapes(&padded).unwrap().len(), 2);
        padded[24..28].copy_from_slice(&1000u32.to_be_bytes());
        assert!(shapes(&padded).err().unwrap().contains("is the file whole?"));
    }

    fn ring(west: f64, south: f64, size: f64) -> Vec<Point> {
        let (east, north) = (west + size, south + size);
        let corners = [(west, south), (west, north), (east, north), (east, south), (west, south)];
        corners.map(|(x, y)| Point::new(x, y)).to_vec()
    }

    fn shp(polygons: &[Polygon]) -> Vec<u8> {
        let mut bytes = Vec::new();
        ShapeWriter::new(Cursor::new(&mut bytes)).write_shapes(polygons).unwrap();
        bytes
    }

    fn dbf(codes: &[&str], encoding: &'static encoding_rs::Encoding) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = TableWriterBuilder::with_encoding(EncodingRs::from(encoding))
            .add_character_field(FieldName::try_from("CODE").unwrap(), 20)
            .add_character_field(FieldName::try_from("NAME").unwrap(), 60)
            .build_with_dest(Cursor::new(&mut bytes));
        for code in codes {
            let mut record = Record::default();
            record.insert("CODE".into(), FieldValue::Character(Some((*code).to_owned())));
            record.insert("NAME".into(), FieldValue::Character(Some("临沭街道网格".to_owned())));
            writer.write_record(&record).unwrap();
        }
        writer.finalize().unwrap();
        drop(writer);
        bytes
    }

    #[test]
    fn a_shapefile_is_a_layer_like_any_other() {
        let holed = Polygon::with_rings(vec![
            PolygonRing::Outer(ring(118.0, 34.0, 1e-3)),
            PolygonRing::Inner(ring(118.0004, 34.0004, 2e-4)),
        ]);
        let shp = shp(&[holed, Polygon::new(PolygonRing::Outer(ring(118.001, 34.0, 1e-3)))]);
        let codes = ["371329001001001", "371329001001002"];
        for encoding in [encoding_rs::UTF_8, encoding_rs::GB18030] {
            let dbf = dbf(&codes, encoding);
            let layer = GridLayer::parse_shapefile(
                "u.shp",
                &shp,
                &dbf,
                Some("GEOGCS[\"GCS_China_Geodetic_Coordinate_System_2000\"]"),
                UNIT,
            )
            .unwrap();
            let at = |lon, lat| layer.lookup(LonLat::new(lon, lat)).map(|cell| cell.code.as_str());
            assert_eq!((at(118.0001, 34.0005), at(118.0015, 34.0005)), (Some(codes[0]), Some(codes[1])));
            assert_eq!(at(118.0005, 34.0005), None, "the hole");
            assert_eq!(layer.cells()[0].name.as_deref(), Some("临沭街道网格"));
        }
    }

    #[test]
    fn what_is_wrong_with_the_files_is_told() {
        let one = shp(&[Polygon::new(PolygonRing::Outer(ring(118.0, 34.0, 1e-3)))]);
        let dbf = dbf(&["371329001001001", "371329001001002"], encoding_rs::UTF_8);
        let prj = Some("PROJCS[\"CGCS2000_3_Degree_GK_CM_117E\",GEOGCS[]]");
        let told = |shp: &[u8], dbf: &[u8]| {
            let errors = GridLayer::parse_shapefile("u.shp", shp, dbf, prj, UNIT).unwrap_err();
            errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let both = told(&one, &dbf);
        assert!(both[0].contains("CGCS2000_3_Degree_GK_CM_117E"), "{both:?}");
        assert!(both[1].contains("1 shapes and 2 records"), "{both:?}");
        assert_eq!(told(b"no shapes", b"no records").len(), 3, "crs, shp, dbf");
        // Degrees, but of systems tens of metres off.
        for old in ["GCS_Xian_1980", "GCS_Beijing_1954"] {
            let prj = format!("GEOGCS[\"{old}\"]");
            let errors = GridLayer::parse_shapefile("u.shp", &one, &dbf, Some(&prj), UNIT).unwrap_err();
            assert!(errors[0].to_string().contains(old), "{errors:?}");
        }
    }
}
