//! What a look allocates once everything has its size: `cargo bench -p benches --bench allocations`.
//!
//! In: one camera, one model, a picture that changes a little. Out: allocations and bytes a look of each stage on the
//! detect thread, over [`LOOKS`] looks after as many that do not count. ONNX Runtime's own are not seen: it does not
//! ask Rust. It fails where a look allocates more often than [`MOST_A_LOOK`].
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement on inputs of its own")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use calib::space::ImageBox;
use calib::time::Timestamp;
use logic::look::{Detection, Look};
use logic::quiet;
use logic::scene::{SceneWatch, Thumb};
use logic::watch::Watch;
use models::{Detector, Manifest, Runtime};

/// Looks that warm up, and looks that count.
const LOOKS: u64 = 300;
/// More a look are a mistake.
const MOST_A_LOOK: f64 = 24.0;
const SIZE: (usize, usize) = (1280, 720);

struct Counting;

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[expect(unsafe_code, reason = "an allocator cannot be without")]
// SAFETY: every call is the system allocator's own, with what it was given.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as u64, Ordering::Relaxed);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's place and layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and bytes of one stage.
#[derive(Default)]
struct Stage {
    count: u64,
    bytes: u64,
}

impl Stage {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let before = (COUNT.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
        let done = work();
        self.count += COUNT.load(Ordering::Relaxed) - before.0;
        self.bytes += BYTES.load(Ordering::Relaxed) - before.1;
        done
    }

    fn say(&self, name: &str) -> f64 {
        let (count, bytes) = (self.count as f64 / LOOKS as f64, self.bytes as f64 / LOOKS as f64);
        println!("{name:<28} {count:>8.1} allocations {:>10.0} bytes a look", bytes);
        count
    }
}

fn seen(class: Class, bounds: [f32; 4]) -> Detection {
    Detection { class, score: 0.8, bounds: ImageBox::from(bounds) }
}

fn main() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let text = std::fs::read_to_string(root.join("samples/cameras/litter.toml")).unwrap();
    let camera = Arc::new(Camera::parse("litter.toml", &text, &Catalogue::builtin()).unwrap());
    let (width, height) = SIZE;
    let mut bytes: Vec<u8> = (0..width * height * 3 / 2).map(|at| (at * 7 % 251) as u8).collect();
    let mut detector = Runtime::load(None)
        .and_then(|runtime| Detector::open(&runtime, Manifest::load(&root.join("models/city-nano"))?, 1))
        .inspect_err(|error| println!("inference is left out: {error}"))
        .ok();
    let (mut watch, mut scene) = (Watch::new(Arc::clone(&camera)), SceneWatch::new(Arc::clone(&camera)));
    let passers_by = [
        seen(Class::Person, [0.1, 0.5, 0.15, 0.8]),
        seen(Class::Car, [0.2, 0.4, 0.5, 0.6]),
        seen(Class::Garbage, [0.45, 0.55, 0.5, 0.62]),
    ];
    let mut at: Timestamp = "2026-07-01T02:00:00Z".parse().unwrap();
    let mut before: Option<Thumb> = None;
    let mut stages: [Stage; 5] = Default::default();
    for look in 0..2 * LOOKS {
        if look == LOOKS {
            stages = Default::default();
        }
        at = at.plus_millis(2_000);
        // A passer-by of noise.
        let from = (look as usize * 37 % 600) * width + 200;
        bytes[from..from + 40].iter_mut().for_each(|byte| *byte = byte.wrapping_add(31));
        let (luma, colour) = bytes.split_at(width * height);
        let picture = YuvView {
            width,
            height,
            luma: Plane { data: luma, stride: width },
            chroma: Chroma::Nv12 { uv: Plane { data: colour, stride: width } },
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        let [detect, thumb, background, rules, gate] = &mut stages;
        if let Some(detector) = &mut detector {
            black_box(detect.of(|| detector.detect(&[picture]).unwrap()));
        }
        let shown = thumb.of(|| Thumb::from_view(&picture));
        let now = background.of(|| scene.look(at, &shown, &passers_by, &[]));
        let look = Look { at, aspect: 1.78, detections: passers_by.to_vec(), scene: now };
        black_box(rules.of(|| watch.look(&look)));
        black_box(gate.of(|| before.as_ref().map(|before| quiet::differs(before, &shown))));
        before = Some(shown);
    }
    let names = ["detector", "thumb", "background", "spots and rules", "gate"];
    let all: f64 = stages.iter().zip(names).map(|(stage, name)| stage.say(name)).sum();
    println!("{all:.1} allocations a look");
    assert!(all <= MOST_A_LOOK, "more than {MOST_A_LOOK} allocations a look");
}
