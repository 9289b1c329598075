//! What `shirong probe` prints.

use std::time::Duration;

use ingest::{SourceLocation, Transport, probe};
use samples::Codec;

use crate::support::{Clips, FPS, KEY_EVERY, SIZE, rtsp, serve};

#[test]
fn a_camera_is_measured() {
    let clips = Clips::new();
    for codec in [Codec::H264, Codec::H265] {
        let server = serve(clips.moving(codec));
        let found = probe(rtsp(server.url("street"), Transport::Tcp), Duration::from_secs(8)).unwrap();
        println!("{found:?}");
        assert_eq!(found.codec, if codec == Codec::H264 { "H.264" } else { "H.265" });
        assert_eq!((found.width as u32, found.height as u32), SIZE);
        let fps = found.fps_measured.unwrap();
        assert!((fps - f64::from(FPS)).abs() < 1.0, "{fps}");
        assert_eq!(found.key_interval_frames, Some(KEY_EVERY as usize));
        assert!((found.key_interval_secs.unwrap() - 0.4).abs() < 0.05);
        assert!(found.clock_skew_ms.unwrap().abs() < 1000);
        assert!(!found.has_audio);
        assert!(found.kbps.unwrap() > 1.0);
        assert!(found.snapshot.view().is_some());
    }
}

#[test]
fn a_file_is_measured() {
    let clips = Clips::new();
    let path = clips.moving(Codec::H264);
    let found =
        probe(SourceLocation::File { path, realtime: false, looped: false }, Duration::from_secs(8)).unwrap();
    assert_eq!(found.fps_stated, Some(f64::from(FPS)));
    assert_eq!(found.key_interval_frames, Some(KEY_EVERY as usize));
}
