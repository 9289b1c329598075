//! What a look costs on this machine: letterbox alone and a whole look, best and median of many.
//!
//! `cargo run --release -p models --example cost`; numbers on a busy machine mean little but the best.
//! `… --example cost -- [--batch N] [--picture FILE:WIDTHxHEIGHT] FOLDER…` runs the models of these folders in turn,
//! each with every provider that its manifest could name and the library has, and gives their times as shares of the
//! first, and by how much their boxes differ from the first's. FILE holds one picture as I420.
#![allow(clippy::print_stdout)] // It is the whole purpose.

use std::path::Path;
use std::time::Instant;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use logic::look::Detection;
use models::{Detector, Fit, Letterbox, Manifest, ModelError, Provider, Runtime};

/// Looks of each model where several run in turn.
const ROUNDS: usize = 60;

fn main() -> Result<(), ModelError> {
    let mut folders = Vec::new();
    let (mut batch, mut shown) = (1, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--batch" => batch = words.next().and_then(|n| n.parse().ok()).expect("--batch N"),
            "--picture" => shown = words.next(),
            _ => folders.push(word),
        }
    }
    if folders.is_empty() { one() } else { in_turn(&folders, batch, shown.as_deref()) }
}

/// Bytes, width and height of what `FILE:WIDTHxHEIGHT` names.
fn read_i420(what: &str) -> Option<(Vec<u8>, usize, usize)> {
    let (file, size) = what.rsplit_once(':')?;
    let (width, height) = size.split_once('x')?;
    let (width, height): (usize, usize) = (width.parse().ok()?, height.parse().ok()?);
    let bytes = std::fs::read(file).ok()?;
    (bytes.len() == width * height * 3 / 2).then_some((bytes, width, height))
}

/// The models of these folders in turn.
fn in_turn(folders: &[String], batch: usize, shown: Option<&str>) -> Result<(), ModelError> {
    let runtime = Runtime::load(None)?;
    println!("ONNX Runtime {} from {}", runtime.version(), runtime.path().display());
    let strewn = || ((0..1920 * 1080 * 2).map(|at| (at * 7 % 251) as u8).collect(), 1920, 1080);
    let (bytes, width, height) =
        shown.map_or_else(strewn, |what| read_i420(what).expect("--picture FILE:WIDTHxHEIGHT, I420"));
    let pictures = vec![view(&bytes, width, height, shown.is_none()); batch];
    for threads in [1, 2] {
        let mut opened = Vec::new();
        for folder in folders {
            let manifest = Manifest::load(Path::new(folder))?;
            for provider in Provider::WORDS.iter().filter_map(|word| Provider::from_name(word)) {
                let asked = manifest.clone().with_provider(provider);
                let what = format!("{folder} on {provider}");
                match Detector::open(&runtime, asked, threads) {
                    Ok(mut detector) => {
                        let found = detector.detect(&pictures)?.concat();
                        opened.push((what, detector, Vec::new(), found));
                    }
                    // A provider that this library has not is no fault here.
                    Err(error) if threads == 1 => println!("{what}: {error}"),
                    Err(_) => {}
                }
            }
        }
        for _ in 0..ROUNDS {
            for (_, detector, millis, _) in &mut opened {
                let start = Instant::now();
                detector.detect(&pictures)?;
                millis.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let mut first = None;
        let boxes = opened.first().map(|(.., found)| found.clone()).unwrap_or_default();
        for (what, _, millis, found) in &mut opened {
            millis.sort_by(f64::total_cmp);
            let (best, median) = (millis[0], millis[ROUNDS / 2]);
            let (first_best, first_median) = *first.get_or_insert((best, median));
            println!(
                "{threads} threads, {what}: best {best:.2} ms ({:.2}), median {median:.2} ms ({:.2}), {:.0} looks a \
                 second, {} boxes, {}",
                best / first_best,
                median / first_median,
                1e3 * batch as f64 / median,
                found.len(),
                difference(&boxes, found)
            );
        }
    }
    Ok(())
}

/// How far two runs' boxes lie apart.
fn difference(a: &[Detection], b: &[Detection]) -> String {
    let is_other = |(a, b): (&Detection, &Detection)| a.class != b.class;
    if a.len() != b.len() || a.iter().zip(b).any(is_other) {
        return "others than the first's".to_owned();
    }
    let (mut edge, mut score) = (0.0_f32, 0.0_f32);
    for (a, b) in a.iter().zip(b) {
        score = score.max((a.score - b.score).abs());
        let edges = |of: &Detection| [of.bounds.x0, of.bounds.y0, of.bounds.x1, of.bounds.y1];
        edges(a).into_iter().zip(edges(b)).for_each(|(a, b)| edge = edge.max((a - b).abs()));
    }
    format!("edges within {edge:.1e} of the picture and scores within {score:.1e} of the first's")
}

/// The default model.
fn one() -> Result<(), ModelError> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("city-nano");
    let manifest = Manifest::load(&folder)?;
    let input = manifest.input().clone();
    for (width, height) in [(1920, 1080), (1280, 720), (704, 576), (448, 448)] {
        let bytes: Vec<u8> = (0..width * height * 2).map(|at| (at * 7 % 251) as u8).collect();
        for interleaved in [false, true] {
            let picture = view(&bytes, width, height, interleaved);
            let [across, down] = Fit::of(width, height, &input).tensor;
            let mut tensor = vec![0.0; 3 * across * down];
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
