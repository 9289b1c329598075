//! The detector as the service drives it against the model with nothing around it: `cargo bench -p benches --bench line`.
//!
//! In: the default model, pictures of 640 x 360 and 1920 x 1080 in I420. Out: for batches of 1 and 4 the throughput on
//! [`Line`], letterbox, outputs and suppression included, as a share of the bare model's on the same tensors, one thread
//! each; medians of rounds taken in turn. It needs a second core, as the service does.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement on inputs of its own")]

use std::path::Path;
use std::time::{Duration, Instant};

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use models::{Detector, Line, Manifest, Runtime};

const ROUNDS: usize = 9;
const BATCHES: usize = 12;

fn main() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/city-nano"));
    let runtime = match Runtime::load(None) {
        Ok(runtime) => runtime,
        Err(error) => return println!("left out: {error}"),
    };
    let open = || Detector::open(&runtime, Manifest::load(folder).unwrap(), 1).unwrap();
    let (mut bare, mut line) = (open(), Line::new(open()).unwrap());
    for (width, height) in [(640, 360), (1920, 1080)] {
        let bytes: Vec<u8> = (0..width * height * 3 / 2).map(|at| (at * 7 % 251) as u8).collect();
        let picture = view(&bytes, width, height);
        for pictures in [1, 4] {
            let batch = vec![picture; pictures];
            bare.detect(&batch).unwrap();
            let mut rounds: Vec<(Duration, Duration)> = (0..=ROUNDS)
                .map(|_| {
                    let alone = time(|| (0..BATCHES).for_each(|_| bare.run_bare(pictures).unwrap()));
                    let driven = time(|| {
                        let mut before = line.begin(&batch);
                        for _ in 1..BATCHES {
                            let next = line.begin(&batch);
                            assert!(line.finish(before).iter().all(Result::is_ok));
                            before = next;
                        }
                        assert!(line.finish(before).iter().all(Result::is_ok));
                    });
                    (alone, driven)
                })
                .collect();
            // The first round warms up.
            rounds.remove(0);
            let mut shares: Vec<f64> =
                rounds.iter().map(|(alone, driven)| alone.as_secs_f64() / driven.as_secs_f64()).collect();
            shares.sort_by(f64::total_cmp);
            let each = rounds[0].0.as_secs_f64() * 1e3 / (BATCHES * pictures) as f64;
            println!(
                "{width}x{height}, batches of {pictures}: {:.3} of the bare model's throughput ({each:.1} ms a picture)",
                shares[ROUNDS / 2]
            );
        }
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn view(bytes: &[u8], width: usize, height: usize) -> YuvView<'_> {
    let (luma, rest) = bytes.split_at(width * height);
    let (u, v) = rest.split_at(width * height / 4);
    let plane = |data, stride| Plane { data, stride };
    let chroma = Chroma::I420 { u: plane(u, width / 2), v: plane(v, width / 2) };
    YuvView { width, height, luma: plane(luma, width), chroma, matrix: Matrix::Bt709, range: Range::Limited }
}
