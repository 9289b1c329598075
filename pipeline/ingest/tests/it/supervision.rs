//! The supervisor: loss, silence, coming back, stopping.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ingest::{Cadence, CameraState, Refusal, SourceConfig, Transport};
use samples::{Codec, RtspServer, ServedCamera};

use crate::support::{Clips, DEADLINE, config, rtsp, serve, watch};

#[test]
fn a_server_that_goes_and_comes_back() {
    let clips = Clips::new();
    let clip = clips.moving(Codec::H264);
    for transport in [Transport::Tcp, Transport::Udp] {
        let server = serve(clip.clone());
        let (port, epoch) = (server.port(), server.epoch());
        let watched = watch(config(rtsp(server.url("street"), transport), Cadence::Keyframes));
        watched.until(|state| *state == CameraState::Live);
        let last_seq = watched.take(2)[1].0.seq;
        server.stop();
        let before = watched.until(|state| matches!(state, CameraState::Refused(_)));
        assert!(before.contains(&CameraState::Stalled), "{before:?}");
        let again = RtspServer::start_at(port, vec![ServedCamera::new("street", &clip)], epoch).unwrap();
        watched.until(|state| *state == CameraState::Live);
        let frame = watched.take(1).remove(0).0;
        assert!(frame.seq > last_seq);
        assert!(watched.camera.counters().reconnects > 0);
        watched.camera.stop();
        again.stop();
    }
}

#[test]
fn silence_is_noticed_and_mended() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    watched.until(|state| *state == CameraState::Live);
    server.mute("street", true);
    let muted = Instant::now();
    watched.until(|state| *state == CameraState::Stalled);
    let noticed = muted.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(4)).contains(&noticed), "after {noticed:?}");
    server.mute("street", false);
    watched.until(|state| *state == CameraState::Live);
}

#[test]
fn one_camera_that_fails_leaves_the_other_alone() {
    let clips = Clips::new();
    let clip = clips.moving(Codec::H264);
    let (good, bad) = (serve(clip.clone()), serve(clip));
    let stays = watch(config(rtsp(good.url("street"), Transport::Tcp), Cadence::Keyframes));
    let fails = watch(config(rtsp(bad.url("street"), Transport::Tcp), Cadence::Keyframes));
    fails.until(|state| *state == CameraState::Live);
    stays.until(|state| *state == CameraState::Live);
    bad.stop();
    fails.until(|state| matches!(state, CameraState::Refused(_)));
    let n = stays.take(5).len();
    assert_eq!((n, stays.camera.state(), stays.camera.counters().reconnects), (5, CameraState::Live, 0));
}

#[test]
fn stopping_is_quick_in_every_state() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let live = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    live.until(|state| *state == CameraState::Live);
    let refused = watch(config(rtsp(server.url("nowhere"), Transport::Tcp), Cadence::Keyframes));
    refused.until(|state| matches!(state, CameraState::Refused(_)));
    let connecting = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    for watched in [live, refused, connecting] {
        let begun = Instant::now();
        let frames = watched.frames;
        watched.camera.stop();
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        // Nothing comes after stop: the callback and its channel are gone.
        while frames.try_recv().is_ok() {}
        assert!(matches!(frames.try_recv(), Err(std::sync::mpsc::TryRecvError::Disconnected)));
    }
}

/// What mends itself must not wait as long as what only a person mends.
#[test]
fn a_path_that_is_there_again_needs_no_patience() {
    let clips = Clips::new();
    let clip = clips.moving(Codec::H264);
    let server = serve(clip.clone());
    let (port, epoch) = (server.port(), server.epoch());
    let patience = Duration::from_secs(600);
    let watched = watch(SourceConfig {
        patience,
        ..config(rtsp(server.url("late"), Transport::Tcp), Cadence::Keyframes)
    });
    watched.until(|state| *state == CameraState::Refused(Refusal::NotFound));
    server.stop();
    let again = RtspServer::start_at(port, vec![ServedCamera::new("late", &clip)], epoch).unwrap();
    watched.until(|state| *state == CameraState::Live);
    watched.camera.stop();
    again.stop();
}

/// A door that sends everybody to the camera behind it, or, once told to, lets everybody in to it.
fn doorkeeper(behind: u16) -> (u16, Arc<AtomicBool>) {
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = door.local_addr().unwrap().port();
    let is_open = Arc::new(AtomicBool::new(false));
    let opened = Arc::clone(&is_open);
    std::thread::spawn(move || {
        for caller in door.incoming() {
            let (mut caller, is_open) = (caller.unwrap(), opened.load(Ordering::SeqCst));
            std::thread::spawn(move || {
                if is_open {
                    let mut camera = TcpStream::connect(("127.0.0.1", behind)).unwrap();
                    let (mut from, mut to) = (caller.try_clone().unwrap(), camera.try_clone().unwrap());
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                    let _ = std::io::copy(&mut camera, &mut caller);
                    return;
                }
                let mut request = [0; 2048];
                while let Ok(got @ 1..) = caller.read(&mut request) {
                    let text = String::from_utf8_lossy(&request[..got]).into_owned();
                    let number = text.lines().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("1");
                    let moved = format!(
                        "RTSP/1.0 302 Moved Temporarily\r\nCSeq: {number}\r\nLocation: rtsp://127.0.0.1:{behind}/street\r\n\r\n"
                    );
                    let _ = caller.write_all(moved.as_bytes());
                }
            });
        }
    });
    (port, is_open)
}

/// Whether a thread supervises the camera `lent`, which then GStreamer receives.
fn is_lent() -> bool {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads
        .map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")).unwrap_or_default());
    names.into_iter().any(|name| name.trim() == "camera lent")
}

#[test]
fn what_gstreamer_receives_for_our_client_comes_back_to_it() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let (port, is_open) = doorkeeper(server.port());
    let location = rtsp(format!("rtsp://127.0.0.1:{port}/street"), Transport::Tcp);
    let source = config(location, Cadence::Keyframes);
    let watched = watch(SourceConfig { camera: "lent".into(), lent: Duration::from_secs(5), ..source });
    watched.take(3);
    assert!(is_lent(), "our client goes where it is told to, no further");
    is_open.store(true, Ordering::SeqCst);
    let deadline = Instant::now() + DEADLINE;
    while is_lent() {
        assert!(Instant::now() < deadline, "{:?}", watched.camera.counters());
        std::thread::sleep(Duration::from_millis(50));
    }
    while watched.frames.try_recv().is_ok() {}
    watched.take(3);
    assert!(!is_lent());
    assert_eq!(watched.camera.state(), CameraState::Live);
    watched.camera.stop();
    server.stop();
}
