//! Every reader of foreign bytes, for `SHIRONG_FUZZ_SECS` each (2; `make fuzz` takes longer): no panic, and no more
//! memory than its bound. A search prints its seed, `SHIRONG_FUZZ_SEED` repeats it. An input that broke something is
//! kept in `corpus/NAME`, which every run begins with.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]
#![expect(clippy::print_stdout, reason = "a search says how far it came")]
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to write; this one hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use calib::grid::{GridLayer, LayerKind};
use calib::matter::Catalogue;

struct Counting;

static HELD: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size() as u64, Ordering::Relaxed) + layout.size() as u64;
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What reading one input of at most 256 KiB may take, bytes. A picture's own bound is what the desk says.
const READER_BYTES_MAX: u64 = 96 * 1024 * 1024;
const PICTURE_BYTES_MAX: u64 = desk::PIXELS_MAX * 8 + READER_BYTES_MAX;
/// No input of such a size may take longer, on a slow and busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Files of the repository as seeds; large ones cut to their beginning, which is a broken file and a seed all the same.
fn files(folder: &str, extension: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let bytes = std::fs::read(&path).unwrap();
                found.push(bytes[..bytes.len().min(16 * 1024)].to_vec());
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no {extension} under {folder}");
    found
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Searches, keeping an eye on memory and time.
fn search(
    name: &str,
    mut seeds: Vec<Vec<u8>>,
    words: &[&str],
    bytes_max: u64,
    mut reader: impl FnMut(&[u8]) -> String,
) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    if kept.is_dir() {
        let mut paths: Vec<_> =
            std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        seeds.splice(0..0, paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    let seed = setting("SHIRONG_FUZZ_SEED", rand::random::<u32>().into());
    let lasts = Duration::from_secs(setting("SHIRONG_FUZZ_SECS", 2));
    println!("{name}: SHIRONG_FUZZ_SEED={seed}");
    let mut largest = 0;
    let mut watched = |input: &[u8]| {
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let answer = reader(input);
        let took = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        largest = largest.max(took);
        assert!(took <= bytes_max, "took {took} bytes for an input of {}", input.len());
        answer
    };
    let found = fuzz::search(&seeds, words, seed, lasts, &mut watched);
    match found {
        Ok(searched) => {
            println!(
                "{name}: {} inputs in {lasts:?}, {} different answers, {largest} bytes and {:?} at most",
                searched.inputs, searched.answers, searched.longest
            );
            assert!(searched.longest < LONGEST, "{:?}", searched.longest);
            assert!(searched.answers > 1, "the reader says always the same: nothing is searched");
        }
        Err(broken) => {
            let path = root().join(format!("target/fuzz-{name}"));
            std::fs::write(&path, &broken.input).unwrap();
            panic!("{name}: {}\nthe input is {}; keep it in {}", broken.why, path.display(), kept.display());
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The beginnings of what was said: where the reader came to.
fn said<T, E: std::fmt::Display>(outcome: Result<T, Vec<E>>) -> String {
    match outcome {
        Ok(_) => "good".to_owned(),
        Err(errors) => errors.iter().take(4).map(|error| error.to_string()).collect::<Vec<_>>().join("|"),
    }
}

#[test]
fn camera_files_break_nothing() {
    let catalogue = Catalogue::builtin();
    let words = [
        "[[zone]]",
        "[[rule]]",
        "kind = ",
        "polygon = [[",
        "hours = [\"22:00-06:00\"]",
        "[calibration]",
        "point = [",
    ];
    search("camera", files("samples/cameras", "toml"), &words, READER_BYTES_MAX, |input| {
        said(calib::camera::Camera::parse("fuzz.toml", &text(input), &catalogue))
    });
}

#[test]
fn geojson_breaks_nothing() {
    let square = |code: &str, lon: f64| {
        format!(
            r#"{{"type":"Feature","properties":{{"code":"{code}","name":"n"}},"geometry":{{"type":"Polygon","coordinates":[[[{lon},34.9],[{0},34.9],[{0},34.901],[{lon},34.901],[{lon},34.9]]]}}}}"#,
            lon + 0.001
        )
    };
    let small = format!(
        r#"{{"type":"FeatureCollection","features":[{},{}]}}"#,
        square("371329001005001", 118.65),
        square("371329001005002", 118.651)
    );
    let mut seeds = vec![small.into_bytes()];
    seeds.extend(files("calib/example-county", "geojson"));
    let words =
        ["\"coordinates\":", "\"MultiPolygon\"", "[[[", "]]]", "null", "\"crs\":", "\"properties\":{}"];
    search("geojson", seeds, &words, READER_BYTES_MAX, |input| {
        said(GridLayer::parse(
            "fuzz.geojson",
            &text(input),
            LayerKind::Unit { profile: calib::grid::CodeProfile::Digits15 },
        ))
    });
}

#[test]
fn papers_break_nothing() {
    let catalogue = Catalogue::builtin();
    let mut seeds = files("calib/example-county", "toml");
    seeds.push(b"9999-12-31T23:59:59.999Z".to_vec());
    seeds.push(b"2026-07-01T08:30:00+08:00".to_vec());
    let words = ["[[permit]]", "[[post]]", "2026-02-29", "0000-00-00", "T24:00:00Z", "+23:59", "hours = "];
    search("papers", seeds, &words, READER_BYTES_MAX, |input| {
        let text = text(input);
        let instant = text.trim().parse::<calib::time::Timestamp>().is_ok();
        [
            said(calib::calendar::Calendar::parse("fuzz.toml", &text)),
            said(calib::permit::parse("fuzz.toml", &text, &catalogue)),
            said(calib::roster::parse("fuzz.toml", &text)),
            said(Catalogue::parse("fuzz.toml", &text)),
            instant.to_string(),
        ]
        .concat()
    });
}

#[test]
fn office_tables_break_nothing() {
    use calib::office::{Table, calendar, permits, roster};
    let catalogue = Catalogue::builtin();
    let mut seeds = files("calib/tests/office", "xlsx");
    seeds.push("日期,类型\n2026-10-01,放假\n".as_bytes().to_vec());
    seeds.push(
        "许可证号,事项,开始,结束,经度,纬度\nA1,09006,2026-01-01,2026-12-31,118.65,34.92\n"
            .as_bytes()
            .to_vec(),
    );
    seeds.push("责任网格,部门,电话\nLS-G-017,城管,110\n".as_bytes().to_vec());
    let words = ["\"", ",", "\n", "2026-13-45", "PK\u{3}\u{4}", "9999999999999999"];
    search("office", seeds, &words, READER_BYTES_MAX, |input| match Table::read("fuzz", input) {
        Ok(table) => {
            [said(calendar(&table)), said(permits(&table, &catalogue)), said(roster(&table))].concat()
        }
        Err(problem) => problem.to_string(),
    });
}

#[test]
fn manifests_break_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.toml");
    let mut seeds = files("models/tests/families", "toml");
    seeds.extend(files("models/city-nano", "toml"));
    let words =
        ["family = ", "[input]", "labels = [", "sha256 = ", "score_min = ", "../../etc/passwd", "layout = "];
    search("manifest", seeds, &words, READER_BYTES_MAX, |input| {
        std::fs::write(&path, input).unwrap();
        let first = models::Manifest::load(&path).map(|manifest| manifest.name().len());
        let second = models::ClassifierManifest::load(&path).is_ok();
        format!("{}{second}", first.map_or_else(|error| error.to_string(), |_| "good".to_owned()))
    });
}

#[test]
fn api_bodies_break_nothing() {
    let sha = "0".repeat(64);
    let case = format!(
        r#"{{"case_id":"0199c1f2-0000-7000-8000-000000000000","idempotency_key":"k","state":"reported","linked_case_id":null,
        "matter":{{"standard_ref":"GB/T 47678.5-2026","code":"09006","name":"占道经营"}},"first_seen":"2026-07-01T08:30:00Z",
        "confirmed_at":"2026-07-01T08:34:00Z","last_seen":"2026-07-01T08:34:00Z","sightings":1,
        "sources":[{{"kind":"camera","id":"ls-012","zone":"z","preset":null}}],
        "location":{{"lon":118.65,"lat":34.92,"crs":"EPSG:4490","error_m":1.8}},
        "unit_grid":{{"code":"371329001005012","probability":0.98}},"responsibility_grid":"LS-G-017","score":0.83,
        "model":{{"name":"m","sha256":"{sha}"}},"config_sha256":"{sha}",
        "evidence":[{{"role":"crop","uri":"/api/v1/evidence/{sha}","sha256":"{sha}","captured_at":"2026-07-01T08:34:00Z","masked":true}}]}}"#
    );
    let sighting = r#"{"idempotency_key":"k","at":"2026-07-01T08:40:00Z","source":{"kind":"camera","id":"a"},"score":0.7,"evidence":[]}"#;
    let seeds = vec![
        case.into_bytes(),
        sighting.as_bytes().to_vec(),
        br#"{"reason":"cleared"}"#.to_vec(),
        b"state=reported&matter=GB/T%2047678.5-2026%2009006&since=2026-07-01T00:00:00Z&limit=5&after=1.2"
            .to_vec(),
    ];
    let words =
        ["null", "\\u0000", "\\ud800", "\"boundary\":[", "&limit=", "&after=-1.-1", "%00", "%ff", "{{", "[["];
    search("api", seeds, &words, READER_BYTES_MAX, |input| desk::read_body(input).join("|"));
}

/// A description with parameter sets as a camera gives them.
const DESCRIPTION: &str = "v=0\r\na=control:*\r\nm=audio 0 RTP/AVP 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n\
    a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z00AKp2oHgCJ+WbgICAoAAADAAgAAAMAwCA=,aO48gA==\r\na=control:v\r\n";

#[test]
fn descriptions_break_nothing() {
    let h265 =
        DESCRIPTION.replace("H264", "H265").replace("sprop-parameter-sets", "sprop-max-don-diff=0;sprop-vps");
    let seeds = vec![DESCRIPTION.as_bytes().to_vec(), h265.into_bytes()];
    let words =
        ["m=video ", "a=rtpmap:", "a=fmtp:96 ", "sprop-sps=", "sprop-pps=", "/90000", ",,,,", "a=control:"];
    search("description", seeds, &words, READER_BYTES_MAX, ingest::read_description);
}

/// Answers, RTP packets and sender reports as they come in from a camera: parameter sets, slices, fragments, stamps.
#[test]
fn streams_break_nothing() {
    let answer = |head: &str, body: &str| {
        format!("RTSP/1.0 200 OK\r\nCSeq: 1\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    };
    let packet = |channel: u8, bytes: &[u8]| {
        [&[b'$', channel][..], &u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    };
    let rtp = |sequence: u16, is_last: bool, payload: &[u8]| {
        let head = [0x80, 96 | u8::from(is_last) << 7];
        packet(
            0,
            &[&head[..], &sequence.to_be_bytes(), &9000u32.to_be_bytes(), &7u32.to_be_bytes(), payload]
                .concat(),
        )
    };
    let report =
        [&[0x80, 200, 0, 6][..], &7u32.to_be_bytes(), &(3_990_000_000u64 << 32).to_be_bytes(), &[0; 16]]
            .concat();
    let plays = [
        answer("Public: DESCRIBE, GET_PARAMETER\r\n", ""),
        answer("Content-Base: rtsp://camera/street/\r\n", DESCRIPTION),
        answer("Session: 7F;timeout=30\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n", ""),
        answer("", ""),
        packet(1, &report),
        rtp(1, false, &[0x67, 0x4d, 0, 0x2a, 0x9d]),
        rtp(2, false, &[0x78, 0, 4, 0x68, 0xee, 0x3c, 0x80, 0, 2, 0x06, 5]),
        rtp(3, false, &[0x7c, 0x85, 0x88, 0x84]),
        rtp(4, true, &[0x7c, 0x45, 1, 2, 3]),
        rtp(5, true, &[0x61, 0xe0, 0x20]),
    ];
    let refused = answer("", "").iter().map(|&byte| if byte == b'2' { b'4' } else { byte }).collect();
    let words = [
        "RTSP/1.0 ",
        "WWW-Authenticate: Digest realm=",
        "Session: ",
        "$\u{0}\u{ff}",
        "Content-Length: ",
        "\r\n\r\n",
    ];
    search("stream", vec![plays.concat(), refused], &words, READER_BYTES_MAX, ingest::read_stream);
}

#[test]
fn uploads_break_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upload");
    let encoded = |format: image::ImageFormat, side: u32| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture =
            image::RgbImage::from_fn(side, side, |x, y| image::Rgb([(x * 7) as u8, (y * 3) as u8, 9]));
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let of = |kind: &[u8; 4], bytes: u32| {
        [&(8 + bytes).to_be_bytes()[..], kind, &vec![7; bytes as usize]].concat()
    };
    let seeds = vec![
        encoded(image::ImageFormat::Jpeg, 8),
        encoded(image::ImageFormat::Jpeg, 65),
        encoded(image::ImageFormat::Png, 8),
        encoded(image::ImageFormat::Png, 65),
        [of(b"ftyp", 8), of(b"moov", 8), of(b"mdat", 8)].concat(),
    ];
    let words = ["\u{0}\u{0}\u{0}\u{1}mdat", "IHDR", "IDAT", "moov", "\u{7f}\u{7f}"];
    search("upload", seeds, &words, PICTURE_BYTES_MAX, |input| {
        std::fs::write(&path, input).unwrap();
        ["image/jpeg", "image/png", "video/mp4"]
            .map(|kind| desk::check_content(&path, kind).err().map_or_else(String::new, |e| e.to_string()))
            .join("|")
    });
}

#[test]
fn shapefiles_break_nothing() {
    // One polygon of one ring: a header of 100 bytes, a record of 8 + 128; beside it a table of one field.
    let mut shp = vec![0u8; 100];
    shp[..4].copy_from_slice(&9994u32.to_be_bytes());
    shp[24..28].copy_from_slice(&118u32.to_be_bytes());
    shp[28..32].copy_from_slice(&1000u32.to_le_bytes());
    shp[32..36].copy_from_slice(&5u32.to_le_bytes());
    let corners = [(118.65, 34.92), (118.65, 34.921), (118.651, 34.921), (118.651, 34.92), (118.65, 34.92)];
    let mut record = [&1u32.to_be_bytes()[..], &64u32.to_be_bytes(), &5u32.to_le_bytes()].concat();
    for bound in [118.65f64, 34.92, 118.651, 34.921] {
        record.extend(bound.to_le_bytes());
    }
    record.extend([&1u32.to_le_bytes()[..], &5u32.to_le_bytes(), &0u32.to_le_bytes()].concat());
    for (lon, lat) in corners {
        record.extend(f64::to_le_bytes(lon));
        record.extend(f64::to_le_bytes(lat));
    }
    shp.extend(record);
    let mut dbf = vec![3u8, 126, 7, 1];
    dbf.extend([&1u32.to_le_bytes()[..], &65u16.to_le_bytes(), &17u16.to_le_bytes(), &[0; 20]].concat());
    let mut field = b"code".to_vec();
    field.resize(11, 0);
    field.push(b'C');
    field.extend([0; 4]);
    field.push(16);
    field.extend([0; 15]);
    dbf.extend(field);
    dbf.extend(b"\x0d 371329001005001 \x1a");
    let whole = [&(shp.len() as u32).to_le_bytes()[..], &shp, &dbf].concat();
    search("shapefile", vec![whole], &["code", "\u{1}\u{0}\u{0}\u{0}"], READER_BYTES_MAX, |input| {
        let length = input.get(..4).map_or(0, |head| u32::from_le_bytes(head.try_into().unwrap())) as usize;
        let rest = input.get(4..).unwrap_or_default();
        let (shp, dbf) = rest.split_at(length.min(rest.len()));
        said(GridLayer::parse_shapefile(
            "fuzz.shp",
            shp,
            dbf,
            None,
            LayerKind::Unit { profile: calib::grid::CodeProfile::Digits15 },
        ))
    });
}
