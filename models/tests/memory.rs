//! What a detector takes is there from the start. Alone in its process: it reads the process's own memory.

use std::path::Path;

use calib::picture::{Chroma, Matrix, Plane, Range, YuvView};
use models::{Detector, Line, Manifest, Runtime};

#[test]
fn a_detector_that_has_settled_grows_with_no_batch() {
    const BATCH_MAX: usize = 4;
    // Memory in use, MiB.
    let rss_mib = || {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 4096.0 / f64::from(1 << 20)
    };
    let runtime = match Runtime::load(None) {
        Ok(runtime) => runtime,
        Err(error) => return println!("left out: {error}"),
    };
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("city-nano/manifest.toml");
    let mut detector = Detector::open(&runtime, Manifest::load(&manifest).unwrap(), 1).unwrap();
    let bytes = vec![90; 1280 * 720 * 2];
    let opened = rss_mib();
    detector.settle(BATCH_MAX).unwrap();
    let mut line = Line::new(detector).unwrap();
    let settled = rss_mib();
    for (at, pictures) in [1, 3, 2, 4, 1, 4, 4, 2, 3, 1, 4, 4].into_iter().enumerate() {
        let (width, height) = [(1280, 720), (640, 480), (500, 500), (900, 300)][at % 4];
        let plane = |stride| Plane { data: &bytes, stride };
        let picture = YuvView {
            width,
            height,
            luma: plane(width),
            chroma: Chroma::Nv12 { uv: plane(width) },
            matrix: Matrix::Bt709,
            range: Range::Limited,
        };
        let both = [line.begin(&vec![picture; pictures]), line.begin(&vec![picture; pictures])];
        let looks: Vec<_> = both.into_iter().flat_map(|ticket| line.finish(ticket)).collect();
        assert!(looks.len() == 2 * pictures && looks.iter().all(Result::is_ok));
    }
    let after = rss_mib();
    println!("{opened:.1} MiB opened, {settled:.1} settled, {after:.1} after");
    assert!(after - settled < 3.0, "{opened:.1} MiB opened, {settled:.1} settled, {after:.1} after");
    assert!(settled - opened > 3.0, "settling takes it at once: {opened:.1} to {settled:.1} MiB");
}
