//! Each stage alone, on pictures made here: `cargo bench -p benches`. On a shared machine compare two runs of one
//! build in turn, and believe ratios.
#![expect(clippy::unwrap_used, reason = "measurements on inputs of their own")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use calib::camera::Camera;
use calib::class::Class;
use calib::grid::Grids;
use calib::matter::Catalogue;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::space::ImageBox;
use calib::time::Timestamp;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use logic::case::ModelRef;
use logic::dedupe::{self, OpenCase, Opener};
use logic::finding::{Event, Finding};
use logic::look::{CameraId, Detection, Look};
use logic::place::place;
use logic::quiet::{Motion, Quiet};
use logic::scene::{Scene, SceneWatch, Thumb};
use logic::watch::Watch;
use models::nms::{Candidate, suppress};
use models::{Detector, Fit, Letterbox, Manifest, Runtime};
use report::{DeskTarget, Job, Provenance, Reporter, ReporterConfig, Secret, Shot};

const SIZE: (usize, usize) = (1920, 1080);

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Texture that no stage has an easy time with.
fn bytes() -> Vec<u8> {
    (0..SIZE.0 * SIZE.1 * 2).map(|at| (at * 7 % 251) as u8).collect()
}

fn view(bytes: &[u8], is_nv12: bool) -> YuvView<'_> {
    let (width, height) = SIZE;
    let (luma, colour) = bytes.split_at(width * height);
    let quarter = width * height / 4;
    let chroma = if is_nv12 {
        Chroma::Nv12 { uv: Plane { data: colour, stride: width } }
    } else {
        Chroma::I420 {
            u: Plane { data: &colour[..quarter], stride: width / 2 },
            v: Plane { data: &colour[quarter..], stride: width / 2 },
        }
    };
    let luma = Plane { data: luma, stride: width };
    YuvView { width, height, luma, chroma, matrix: Matrix::Bt709, range: Range::Limited }
}

fn camera() -> Arc<Camera> {
    let file = root().join("samples/cameras/litter.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    Arc::new(Camera::parse("litter.toml", &text, &Catalogue::builtin()).unwrap())
}

fn seen(class: Class, bounds: [f32; 4]) -> Detection {
    Detection { class, score: 0.8, bounds: ImageBox::from(bounds) }
}

fn passers_by() -> Vec<Detection> {
    vec![
        seen(Class::Person, [0.1, 0.5, 0.15, 0.8]),
        seen(Class::Person, [0.5, 0.5, 0.55, 0.8]),
        seen(Class::Car, [0.2, 0.4, 0.5, 0.6]),
        seen(Class::Garbage, [0.45, 0.55, 0.5, 0.62]),
    ]
}

fn start() -> Timestamp {
    "2026-07-01T02:00:00Z".parse().unwrap()
}

/// A finding of the sample camera, as its rules come to it.
fn finding(camera: &Arc<Camera>) -> Finding {
    let mut watch = Watch::new(Arc::clone(camera));
    for step in 0..600 {
        let at = start().plus_millis(2_000 * step);
        let look = Look { at, aspect: 1.78, detections: passers_by(), scene: Scene::default() };
        for event in watch.look(&look) {
            if let Event::Confirmed(sight) = event {
                return place(&CameraId::new("litter"), camera, &Grids::default(), &sight);
            }
        }
    }
    panic!("the heap is never confirmed");
}

fn pictures(c: &mut Criterion) {
    let bytes = bytes();
    let manifest = Manifest::load(&root().join("models/city-nano")).unwrap();
    let input = manifest.input().clone();
    for (name, is_nv12) in [("letterbox NV12 1080p", true), ("letterbox I420 1080p", false)] {
        let picture = view(&bytes, is_nv12);
        let [across, down] = Fit::of(picture.width, picture.height, &input).tensor;
        let mut tensor = vec![0.0_f32; 3 * across * down];
        let mut letterbox = Letterbox::new(&input);
        c.bench_function(name, |b| b.iter(|| letterbox.write(black_box(&picture), &mut tensor).unwrap()));
    }
    let picture = view(&bytes, false);
    c.bench_function("thumb 1080p", |b| b.iter(|| Thumb::from_view(black_box(&picture))));
    let jpeg = report::Picture::from_yuv(&picture).unwrap();
    c.bench_function("JPEG 1080p", |b| b.iter(|| jpeg.to_jpeg().unwrap()));
    match Runtime::load(None).and_then(|runtime| Detector::open(&runtime, manifest, 1)) {
        Ok(mut detector) => {
            c.bench_function("detect: letterbox, inference, outputs, NMS", |b| {
                b.iter(|| detector.detect(black_box(&[picture])).unwrap());
            });
            // Whatever ran before: the input of this picture.
            detector.detect(&[picture]).unwrap();
            c.bench_function("inference alone", |b| b.iter(|| detector.run_bare(1).unwrap()));
        }
        Err(error) => eprintln!("inference is left out: {error}"),
    }
}

fn boxes(c: &mut Criterion) {
    let candidates: Vec<Candidate> = (0..400)
        .map(|row| {
            let (x, y) = ((row * 37 % 380) as f32, (row * 53 % 380) as f32);
            let class = if row % 3 == 0 { Class::Car } else { Class::Person };
            Candidate { class, score: (row % 97) as f32 / 97.0, in_tensor: [x, y, x + 30.0, y + 40.0], row }
        })
        .collect();
    c.bench_function("NMS of 400", |b| {
        b.iter_batched(
            || candidates.clone(),
            |mut boxes| {
                suppress(&mut boxes, 0.45);
                boxes
            },
            BatchSize::SmallInput,
        );
    });
}

fn street(c: &mut Criterion) {
    let (camera, bytes) = (camera(), bytes());
    let mut watch = Watch::new(Arc::clone(&camera));
    let mut look = Look { at: start(), aspect: 1.78, detections: passers_by(), scene: Scene::default() };
    c.bench_function("spots and rules of a look", |b| {
        b.iter(|| {
            look.at = look.at.plus_millis(2_000);
            black_box(watch.look(&look)).len()
        });
    });
    let mut scene = SceneWatch::new(Arc::clone(&camera));
    let (thumb, seen, mut at) = (Thumb::from_view(&view(&bytes, false)), passers_by(), start());
    c.bench_function("background of a look", |b| {
        b.iter(|| {
            at = at.plus_millis(2_000);
            black_box(scene.look(at, &thumb, &seen, &[]))
        });
    });
    let mut quiet = Quiet::new(60_000);
    c.bench_function("gate of a key frame", |b| {
        b.iter(|| {
            at = at.plus_millis(2_000);
            let is_passed = quiet.passes(&Motion { at, mean_bytes: 4_000.0, peak_bytes: 6_000.0 });
            if !is_passed {
                quiet.looked(at, Some(false), false);
            }
            is_passed
        });
    });
}

fn cases(c: &mut Criterion) {
    let camera = camera();
    let finding = finding(&camera);
    let id = CameraId::new("litter");
    c.bench_function("place", |b| {
        b.iter(|| place(&id, &camera, &Grids::default(), black_box(&finding.sight)));
    });
    let open: Vec<OpenCase> = (0..1000)
        .map(|number| OpenCase {
            case_id: number.to_string(),
            matter: finding.matter.clone(),
            location: finding.location.clone(),
            unit_grid: None,
            opened_by: Opener::of(&finding),
        })
        .collect();
    c.bench_function("dedupe among 1000 open cases", |b| {
        b.iter(|| dedupe::judge(black_box(&finding), &open))
    });

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let target = DeskTarget::new("http://127.0.0.1:9/", Secret::new("none")).unwrap();
    let reporter = runtime.block_on(Reporter::open(ReporterConfig::new(folder.path(), target))).unwrap();
    let (bytes, detections) = (bytes(), passers_by());
    let provenance = Provenance {
        model: ModelRef { name: "m".to_owned(), sha256: "0".repeat(64) },
        config_sha256: "0".repeat(64),
        utc_offset_minutes: 480,
        zone_polygon_in_image: Vec::new(),
    };
    let job = |finding: Finding| {
        let shot = Shot { view: view(&bytes, false), at: finding.sight.at, detections: Some(&detections) };
        report::prepare(Job::Confirmed { finding, shot, provenance: provenance.clone() })
    };
    c.bench_function("evidence of a finding: mask, draw, four JPEGs", |b| b.iter(|| job(finding.clone())));
    let prepared = job(finding.clone());
    c.bench_function("outbox: a finding to disk", |b| {
        b.iter(|| runtime.block_on(reporter.commit(black_box(&prepared))).unwrap());
    });
    let watch = serde_json::to_string(Watch::new(Arc::clone(&camera)).state()).unwrap();
    let snapshot = report::prepare(Job::Snapshot { camera: id, json: watch });
    c.bench_function("outbox: a watch to disk", |b| {
        b.iter(|| runtime.block_on(reporter.commit(black_box(&snapshot))).unwrap());
    });
}

criterion_group! {
    name = stages;
    config = Criterion::default().sample_size(20).without_plots();
    targets = pictures, boxes, street, cases
}
criterion_main!(stages);
