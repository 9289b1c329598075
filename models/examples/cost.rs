//! What a look costs on this machine: letterbox alone and a whole look, best and median of many.
//!
//! `cargo run --release -p models --example cost`; numbers on a busy machine mean little but the best.
//! `… --example cost -- FOLDER…` runs the models of these folders in turn, each with every provider that its
//! manifest could name and the library has, and gives their times as shares of the first.
#![allow(clippy::print_stdout)] // It is the whole purpose.

use std::path::Path;
use std::time::Instant;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use models::{Detector, Letterbox, Manifest, ModelError, Provider, Runtime};

/// Looks of each model where several run in turn.
const ROUNDS: usize = 60;

fn main() -> Result<(), ModelError> {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    if folders.is_empty() { one() } else { in_turn(&folders) }
}

/// The models of these folders in turn.
fn in_turn(folders: &[String]) -> Result<(), ModelError> {
    let runtime = Runtime::load(None)?;
    println!("ONNX Runtime {} from {}", runtime.version(), runtime.path().display());
    let bytes: Vec<u8> = (0..1920 * 1080 * 2).map(|at| (at * 7 % 251) as u8).collect();
    let picture = view(&bytes, 1920, 1080, true);
    for threads in [1, 2] {
        let mut opened = Vec::new();
        for folder in folders {
            let manifest = Manifest::load(Path::new(folder))?;
            for provider in Provider::WORDS.iter().filter_map(|word| Provider::from_name(word)) {
                let asked = manifest.clone().with_provider(provider);
                // A provider that this library has not is no fault here.
                if let Ok(detector) = Detector::open(&runtime, asked, threads) {
                    opened.push((format!("{folder} on {provider}"), detector, Vec::new()));
                }
            }
        }
        for _ in 0..ROUNDS {
            for (_, detector, millis) in &mut opened {
                let start = Instant::now();
                detector.detect(&[picture])?;
                millis.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let mut first = None;
        for (what, _, millis) in &mut opened {
            millis.sort_by(f64::total_cmp);
            let (best, median) = (millis[0], millis[ROUNDS / 2]);
            let (first_best, first_median) = *first.get_or_insert((best, median));
            println!(
                "{threads} threads, {what}: best {best:.2} ms ({:.2}), median {median:.2} ms ({:.2})",
                best / first_best,
                median / first_median
            );
        }
    }
    Ok(())
}

/// The default model.
fn one() -> Result<(), ModelError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("city-nano");
    let manifest = Manifest::load(&folder)?;
    let input = manifest.input().clone();
    let mut tensor = vec![0.0; 3 * input.width * input.height];
    for (width, height) in [(1920, 1080), (1280, 720), (704, 576), (448, 448)] {
        let bytes: Vec<u8> = (0..width * height * 2).map(|at| (at * 7 % 251) as u8).collect();
        for interleaved in [false, true] {
            let picture = view(&bytes, width, height, interleaved);
            let mut letterbox = Letterbox::new(&input);
            let layout = if interleaved { "NV12" } else { "I420" };
            report(&format!("letterbox {width}x{height} {layout}"), 400, || {
                letterbox.write(&picture, &mut tensor).is_ok()
            });
        }
    }
    let runtime = Runtime::load(None)?;
    println!("ONNX Runtime {} from {}", runtime.version(), runtime.path().display());
    let bytes: Vec<u8> = (0..1920 * 1080 * 2).map(|at| (at * 7 % 251) as u8).collect();
    let picture = view(&bytes, 1920, 1080, true);
    for threads in [1, 2] {
        let mut detector = Detector::open(&runtime, manifest.clone(), threads)?;
        for pictures in [1, 4] {
            let batch = vec![picture; pictures];
            report(&format!("{pictures} looks at 1920x1080, {threads} threads"), 40, || {
                detector.detect(&batch).is_ok()
            });
        }
    }
    Ok(())
}

fn view(bytes: &[u8], width: usize, height: usize, interleaved: bool) -> YuvView<'_> {
    let (luma, rest) = bytes.split_at(width * height);
    let chroma = if interleaved {
        Chroma::Nv12 { uv: Plane { data: rest, stride: width } }
    } else {
        let (u, v) = rest.split_at(width * height / 4);
        Chroma::I420 { u: Plane { data: u, stride: width / 2 }, v: Plane { data: v, stride: width / 2 } }
    };
    let luma = Plane { data: luma, stride: width };
    YuvView { width, height, luma, chroma, matrix: Matrix::Bt709, range: Range::Limited }
}

fn report(what: &str, rounds: usize, mut work: impl FnMut() -> bool) {
    let mut millis: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            assert!(work(), "{what} failed");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    millis.sort_by(f64::total_cmp);
    println!("{what}: best {:.2} ms, median {:.2} ms", millis[0], millis[rounds / 2]);
}
