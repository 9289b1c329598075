//! The real model on a sample street that lies far off in a 4K picture.

use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use calib::class::Class;
use calib::matter::Catalogue;
use calib::picture::{Chroma, Matrix, Plane, Range};
use ingest::{Cadence, Frame, SourceConfig, SourceLocation};
use models::{Detector, Manifest, ModelError, Runtime};

use super::*;

const UHD: [usize; 2] = [3840, 2160];
/// The sample street is shrunk so many times before it is put into the wide picture.
const SHRUNK: usize = 3;
/// Where the heap of the sample street lies in it, pixels (samples/clips/litter.truth.json).
const HEAP_PX: [f32; 4] = [509.0, 266.0, 851.0, 422.0];

pub(crate) fn checkout() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sample street with its heap.
fn street() -> &'static Frame {
    static STREET: OnceLock<Frame> = OnceLock::new();
    STREET.get_or_init(|| {
        ingest::init().unwrap();
        let path = checkout().join("samples/clips/litter.mp4");
        let mut config =
            SourceConfig::new("litter", SourceLocation::File { path, realtime: false, looped: false });
        config.cadence = Cadence::Keyframes;
        let (frames, taken) = sync_channel(1);
        // As fast as it is taken: a full channel holds the recording up, a closed one lets it run out.
        let camera = ingest::Camera::start(config, move |frame| drop(frames.send(frame)), |_| {}).unwrap();
        let frame = taken.iter().find(|frame| frame.pts.as_secs() >= 20).unwrap();
        drop(taken);
        camera.stop();
        frame
    })
}

/// A grey 4K picture with the small street in it, and where the heap then lies.
pub(crate) struct Wide {
    planes: [Vec<u8>; 3],
    pub(crate) heap: ImageBox,
}

impl Wide {
    pub(crate) fn with_street_at([left, top]: [usize; 2]) -> Self {
        let [width, height] = UHD;
        let (half, quarter) = (width / 2, width * height / 4);
        let mut planes = [vec![120; width * height], vec![128; quarter], vec![128; quarter]];
        let frame = street();
        let view = frame.view().unwrap();
        for (y, x) in (0..view.height / SHRUNK).flat_map(|y| (0..view.width / SHRUNK).map(move |x| (y, x))) {
            let [luma, u, v] = view.yuv_at(x * SHRUNK, y * SHRUNK);
            let (column, row) = (left + x, top + y);
            planes[0][row * width + column] = luma;
            planes[1][row / 2 * half + column / 2] = u;
            planes[2][row / 2 * half + column / 2] = v;
        }
        let [x0, y0, x1, y1] = HEAP_PX.map(|side| side / SHRUNK as f32);
        let (left, top, width, height) = (left as f32, top as f32, width as f32, height as f32);
        let heap = [(left + x0) / width, (top + y0) / height, (left + x1) / width, (top + y1) / height];
        Self { planes, heap: heap.into() }
    }

    pub(crate) fn view(&self) -> YuvView<'_> {
        let [luma, u, v] = &self.planes;
        let chroma = Chroma::I420 {
            u: Plane { data: u, stride: UHD[0] / 2 },
            v: Plane { data: v, stride: UHD[0] / 2 },
        };
        let luma = Plane { data: luma, stride: UHD[0] };
        YuvView { width: UHD[0], height: UHD[1], luma, chroma, matrix: Matrix::Bt709, range: Range::Limited }
    }
}

fn camera(more: &str) -> Arc<Camera> {
    let text = format!(
        "name = 'Wide'\n[stream]\nurl = 'rtsp://192.0.2.1/x'\n[[zone]]\nid = 'far'\nkind = 'footway'\n\
         polygon = [[0.3, 0.4], [0.7, 0.4], [0.7, 0.55], [0.3, 0.55]]\n{more}"
    );
    Arc::new(Camera::parse("wide.toml", &text, &Catalogue::builtin()).unwrap())
}

fn line(manifest: Manifest) -> Line {
    Line::new(Detector::open(&Runtime::load(None).unwrap(), manifest, 2).unwrap()).unwrap()
}

/// Eyes for cameras whose one zone has these lines more.
fn knowing(zones: &[&str]) -> Eyes {
    judging(zones, None)
}

/// The same with a second model.
fn judging(zones: &[&str], second: Option<Classifier>) -> Eyes {
    let manifest = Manifest::load(&checkout().join("models/city-nano")).unwrap();
    let mut eyes = Eyes::new(line(manifest), second);
    for (at, lines) in zones.iter().enumerate() {
        eyes.know(at, &CameraId::new(&format!("camera-{at}")), &camera(lines));
    }
    eyes
}

#[test]
fn a_heap_far_off_is_seen_in_tiles_once_wherever_their_seams_are() {
    let mut eyes = knowing(&["", "tiles = true\n"]);
    for place in [[1300, 900], [1434, 930], [1568, 870], [1702, 912]] {
        let wide = Wide::with_street_at(place);
        let looks = eyes.see(&[(0, wide.view()), (1, wide.view())]);
        let heaps = |look: usize| -> Vec<Detection> {
            let seen = looks[look].iter().flatten().copied();
            seen.filter(|seen| seen.class == Class::Garbage).collect()
        };
        let (plain, tiled) = (heaps(0), heaps(1));
        println!("{place:?}: {} of the whole picture, {tiled:?} with tiles", plain.len());
        assert!(plain.is_empty(), "too easy: {plain:?}");
        assert_eq!(tiled.len(), 1, "{tiled:?}");
        assert!(tiled[0].bounds.iou(&wide.heap) > 0.5, "{tiled:?} for {:?}", wide.heap);
    }
}

#[test]
fn an_odd_picture_costs_the_others_nothing() {
    let mut eyes = knowing(&["tiles = true\n"; 2]);
    let wide = Wide::with_street_at([1300, 900]);
    let odd = YuvView { width: 4, ..wide.view() };
    let looks = eyes.see(&[(0, odd), (1, wide.view())]);
    assert!(looks[0].is_none() && looks[1].as_ref().is_some_and(|look| !look.is_empty()));
}

#[test]
fn an_exchanged_model_signs_what_it_sees() {
    let mut eyes = knowing(&["tiles = true\n"]);
    let before = Arc::clone(eyes.model());
    let folder = tempfile::tempdir().unwrap();
    let old = checkout().join("models/city-nano");
    for name in ["city_nano.onnx", "LICENSE-YOLOX.txt"] {
        std::fs::copy(old.join(name), folder.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(old.join("manifest.toml")).unwrap();
    let text = text.replace("\"city-nano\"", "\"short-sighted\"").replace("default = 0.4", "default = 1.0");
    let text = text.replace("garbage = 0.48", "garbage = 1.0");
    std::fs::write(folder.path().join("manifest.toml"), text).unwrap();
    let wide = Wide::with_street_at([1300, 900]);
    let garbage = |look: &[Option<Vec<Detection>>]| {
        look[0].iter().flatten().filter(|seen| seen.class == Class::Garbage).count()
    };
    assert_eq!(garbage(&eyes.see(&[(0, wide.view())])), 1);
    let manifest = Manifest::load(folder.path()).unwrap();
    eyes.exchange(line(manifest));
    assert_eq!(garbage(&eyes.see(&[(0, wide.view())])), 0, "the new model asks for a score of 1");
    assert_eq!((before.name.as_str(), eyes.model().name.as_str()), ("city-nano", "short-sighted"));
    assert_eq!(before.sha256, eyes.model().sha256);
}

#[test]
fn too_many_tiles_are_a_problem_with_a_mend_that_works() {
    let calibrated = |zone: &str| {
        let text = format!(
            "name = 'Wide'\n[stream]\nurl = 'rtsp://192.0.2.1/x'\n[calibration]\nimage_size = [3840, 2160]\n\
             [[calibration.point]]\npixel = [400, 2000]\nlonlat = [118.65000, 34.92000]\n\
             [[calibration.point]]\npixel = [3400, 2000]\nlonlat = [118.65010, 34.92000]\n\
             [[calibration.point]]\npixel = [2600, 1000]\nlonlat = [118.65010, 34.92020]\n\
             [[calibration.point]]\npixel = [1200, 1000]\nlonlat = [118.65000, 34.92020]\n\
             [[zone]]\nid = 'road'\nkind = 'road'\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n{zone}"
        );
        Camera::parse("wide.toml", &text, &Catalogue::builtin()).unwrap()
    };
    let problem = |zone: &str| tile_problem(Path::new("wide.toml"), &calibrated(zone), [416, 416]);
    assert_eq!(problem(""), None);
    let over = problem("tiles = true\n").unwrap();
    assert_eq!((over.file.as_str(), over.key.as_str()), ("wide.toml", "zone[0].tiles"));
    assert!(over.what.contains("3840x2160") && over.what.contains("12"), "{over}");
    let (_, mend) = over.mend.split_once("write ").unwrap();
    let (mend, _) = mend.split_once(" beside").unwrap();
    assert_eq!(problem(&format!("tiles = true\n{mend}\n")), None, "{mend}");
    assert!(problem("tiles = true\ntile_px = 416\n").is_some());
}

/// The small classifier of `models/tests/second`, made to judge garbage: all of it becomes that, whatever it shows.
fn judge_of_garbage(becomes: &str) -> Classifier {
    let small = checkout().join("models/tests/second/softmax");
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.onnx", "LICENCE.txt"] {
        std::fs::copy(small.join(name), folder.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(small.join("manifest.toml")).unwrap();
    let text = text.replace("\"garbage_bin\", \"bin_overflow\"]", "\"garbage\"]");
    let text = text.replace("score_min = 0.6", "score_min = 0.01");
    let (kept, _) = text.split_once("[becomes]").unwrap();
    let words =
        ["overflowing", "closed", "no_bin", "unsure"].map(|label| format!("{label} = \"{becomes}\"\n"));
    std::fs::write(folder.path().join("manifest.toml"), format!("{kept}[becomes]\n{}", words.concat()))
        .unwrap();
    Classifier::open(&Runtime::load(None).unwrap(), folder.path(), 1).unwrap()
}

#[test]
fn what_a_second_model_judges_is_judged_after_the_tiles_on_the_whole_picture() {
    let wide = Wide::with_street_at([1300, 900]);
    let look = |second: Option<Classifier>| {
        let mut eyes = judging(&["tiles = true\n"], second);
        (eyes.see(&[(0, wide.view())]).remove(0).unwrap(), eyes.model().name.clone())
    };
    let (alone, _) = look(None);
    let heap = *alone.iter().find(|seen| seen.class == Class::Garbage).unwrap();
    let (relabelled, model) = look(Some(judge_of_garbage("bin_overflow")));
    assert!(relabelled.contains(&Detection { class: Class::BinOverflow, ..heap }), "{relabelled:?}");
    assert!(relabelled.iter().all(|seen| seen.class != Class::Garbage), "{relabelled:?}");
    assert_eq!(model, "city-nano", "evidence names the detector");
    let (dropped, _) = look(Some(judge_of_garbage("drop")));
    let kept: Vec<Detection> = alone.into_iter().filter(|seen| seen.class != Class::Garbage).collect();
    assert_eq!(dropped, kept);
}

#[test]
fn an_odd_picture_costs_the_others_no_second_opinion() {
    let mut eyes = judging(&["tiles = true\n"; 2], Some(judge_of_garbage("drop")));
    let wide = Wide::with_street_at([1300, 900]);
    let odd = YuvView { width: 4, ..wide.view() };
    let looks = eyes.see(&[(0, odd), (1, wide.view())]);
    assert!(looks[0].is_none());
    let seen = looks[1].as_ref().unwrap();
    assert!(seen.iter().all(|seen| seen.class != Class::Garbage), "{seen:?}");
}

#[test]
fn a_fault_of_the_second_model_leaves_the_detectors_word() {
    let wide = Wide::with_street_at([1300, 900]);
    let short = YuvView { height: 10_000, ..wide.view() };
    let bounds = [0.1, 0.1, 0.2, 0.2].into();
    let before = vec![Some(vec![Detection { class: Class::Garbage, score: 0.5, bounds }]), None];
    let mut looks = before.clone();
    let mut second = Second::new(judge_of_garbage("drop"));
    second.judge(&[(0, short), (1, wide.view())], &mut looks);
    assert_eq!(looks, before);
    assert!(second.faults.told.is_some());
}

#[test]
fn faults_are_counted_and_told_once_a_period() {
    let (mut faults, start) = (Faults::default(), Instant::now());
    assert_eq!(faults.add(start), Some(1));
    for second in 1..60 {
        assert_eq!(faults.add(start + Duration::from_secs(second)), None);
    }
    assert_eq!(faults.add(start + FAULTS_TOLD_EVERY), Some(60));
}

#[test]
fn a_view_without_an_answer_costs_its_own_picture_alone() {
    let of = |views: usize| Views { windows: vec![WHOLE; views] };
    let seen = |score: f32| Detection { class: Class::Garbage, score, bounds: [0.1, 0.1, 0.2, 0.2].into() };
    let none = || Err(ModelError::Output { model: "m".to_owned(), says: "NaN".to_owned() });
    let views = vec![Ok(vec![seen(0.9)]), none(), Ok(vec![seen(0.8)]), Ok(vec![seen(0.7)]), Ok(vec![])];
    let looks = of_pictures(&[of(3), of(1), of(1)], views);
    assert_eq!(looks, [None, Some(vec![seen(0.7)]), Some(vec![])]);
    // Of another model's line there are none at all.
    assert_eq!(of_pictures(&[of(1), of(2)], Vec::new()), [None, None]);
}
