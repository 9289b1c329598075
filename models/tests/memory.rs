//! What a detector takes is there from the start. Alone in its process: it reads the process's own memory.

use std::path::Path;

use models::{Detector, Manifest, Runtime};

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
    let opened = rss_mib();
    detector.settle(BATCH_MAX).unwrap();
    let settled = rss_mib();
    for pictures in [1, 3, 2, 4, 1, 4, 4, 2, 3, 1] {
        detector.run_bare(pictures).unwrap();
    }
    let after = rss_mib();
    assert!(after - settled < 3.0, "{opened:.1} MiB opened, {settled:.1} settled, {after:.1} after");
    assert!(settled - opened > 3.0, "settling takes it at once: {opened:.1} to {settled:.1} MiB");
}
