//! What the loopback server refuses, and that it can come back on its port.

// Helpers of tests are tests: clippy knows only the functions marked as such.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

use samples::{Codec, Encoding, RtspServer, Scheme, ServedAuth, ServedCamera, ServedCodec, pattern_clip};

fn clip() -> (std::path::PathBuf, impl Drop) {
    let name =
        format!("shirong-samples-{}-{}", std::process::id(), std::thread::current().name().unwrap_or("t"));
    let path = std::env::temp_dir().join(name.replace(':', "-")).with_extension("mp4");
    let encoding = Encoding {
        size: (160, 120),
        secs: 1.0,
        fps: 10,
        key_frames_every: 5,
        noise_sigma: 0.0,
        codec: Codec::H264,
    };
    pattern_clip("ball", encoding, &path).unwrap();
    struct Gone(std::path::PathBuf);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }
    (path.clone(), Gone(path))
}

fn refusal(result: Result<RtspServer, samples::SamplesError>) -> String {
    match result {
        Ok(server) => panic!("served on {}", server.port()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_clip_that_is_not_there_is_named() {
    let text = refusal(RtspServer::start(0, vec![ServedCamera::new("a", "/no/such/clip.mp4")]));
    assert!(text.contains("/no/such/clip.mp4"), "{text}");
}

#[test]
fn a_taken_port_is_refused_and_a_freed_one_taken_again() {
    let (clip, _gone) = clip();
    let cameras = || vec![ServedCamera::new("a", &clip)];
    let first = RtspServer::start(0, cameras()).unwrap();
    let (port, epoch) = (first.port(), first.epoch());
    assert_eq!(first.url("a"), format!("rtsp://127.0.0.1:{port}/a"));
    assert!(refusal(RtspServer::start(port, cameras())).contains(&port.to_string()));
    first.stop();
    let again = RtspServer::start_at(port, cameras(), epoch).unwrap();
    assert_eq!((again.port(), again.epoch()), (port, epoch));
}

#[test]
fn one_server_asks_in_one_way() {
    let (clip, _gone) = clip();
    let guarded = |path: &str, scheme| ServedCamera {
        auth: Some(ServedAuth::new(scheme, path, "p")),
        codec: ServedCodec::H264,
        ..ServedCamera::new(path, &clip)
    };
    let text = refusal(RtspServer::start(0, vec![guarded("a", Scheme::Basic), guarded("b", Scheme::Digest)]));
    assert!(text.contains("another port"), "{text}");
}
