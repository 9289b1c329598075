//! What leaves a live camera: which frames, with which times, how soon, with which pixels.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, UNIX_EPOCH};

use calib::picture::RgbCoefficients;
use ingest::{Cadence, CameraState, SourceLocation, Stamp, Transport};
use samples::{Codec, Scheme, ServedCamera, ServedCodec};

use crate::support::{
    Arrival, Clips, FPS, KEY_EVERY, PASSWORD, config, credentials, rtsp, serve, serve_guarded, watch,
};

fn key_gap_secs() -> f64 {
    f64::from(KEY_EVERY) / f64::from(FPS)
}

/// Key frames only, at their distance, with their times, soon.
fn keyframes_arrive(codec: Codec, transport: Transport) {
    let clips = Clips::new();
    let server = serve(clips.moving(codec));
    let watched = watch(config(rtsp(server.url("street"), transport), Cadence::Keyframes));
    let taken = watched.take(6);
    // The first distance holds the time from DESCRIBE to PLAY.
    for pair in taken[1..].windows(2) {
        let gap = (pair[1].0.pts - pair[0].0.pts).as_secs_f64();
        assert!((gap - key_gap_secs()).abs() < 0.1, "key frames {gap} s apart");
        assert_eq!(pair[1].0.seq, pair[0].0.seq + 1);
        assert!(pair[1].0.at > pair[0].0.at);
    }
    assert_eq!((taken[0].0.width(), taken[0].0.height()), (320, 240));
    let counters = watched.camera.counters();
    let (keys, deltas) = (counters.frames_out, counters.delta_dropped);
    assert!(deltas >= (keys - 1) * u64::from(KEY_EVERY - 1), "{counters:?}");
    assert_eq!(
        counters.units_in,
        counters.delta_dropped + keys,
        "every other unit was a key frame: {counters:?}"
    );
    assert_eq!(counters.decode_errors, 0);
    assert!(counters.bytes > 0);
    assert_eq!(watched.camera.state(), CameraState::Live);
    report_latency(&format!("{codec:?} {transport:?}"), &taken);
    watched.camera.stop();
    server.stop();
}

/// From receipt of the picture's first packet to the callback. Half the key-frame interval would already mean
/// that pictures wait for something.
fn report_latency(what: &str, taken: &[Arrival]) {
    let mut ms: Vec<i64> = taken
        .iter()
        .map(|(frame, _, wall)| {
            let wall_ms = wall.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
            wall_ms - frame.received.as_millis()
        })
        .collect();
    ms.sort_unstable();
    println!("receipt to callback, {what}: {ms:?} ms");
    assert!(ms[ms.len() / 2] < 150, "pictures are held back: {ms:?} ms");
}

#[test]
fn h264_keyframes_over_tcp() {
    keyframes_arrive(Codec::H264, Transport::Tcp);
}

#[test]
fn h264_keyframes_over_udp() {
    keyframes_arrive(Codec::H264, Transport::Udp);
}

#[test]
fn h265_keyframes_over_tcp() {
    keyframes_arrive(Codec::H265, Transport::Tcp);
}

#[test]
fn h265_keyframes_over_udp() {
    keyframes_arrive(Codec::H265, Transport::Udp);
}

fn opens_with(scheme: Scheme) {
    let clips = Clips::new();
    let server = serve_guarded(clips.moving(Codec::H264), scheme);
    let location = SourceLocation::Rtsp {
        url: server.url("street"),
        transport: Transport::Tcp,
        credentials: credentials(PASSWORD),
    };
    watch(config(location, Cadence::Keyframes)).take(2);
    // The same inside the address, as people write it.
    let inside = server.url("street").replace("rtsp://", "rtsp://operator:s3cret%2Fwith%40marks@");
    watch(config(rtsp(inside, Transport::Tcp), Cadence::Keyframes)).take(2);
}

#[test]
fn basic_auth_opens() {
    opens_with(Scheme::Basic);
}

#[test]
fn digest_auth_opens() {
    opens_with(Scheme::Digest);
}

#[test]
fn open_and_guarded_cameras_share_a_server() {
    let clips = Clips::new();
    let clip = clips.moving(Codec::H264);
    let guarded = ServedCamera {
        auth: Some(samples::ServedAuth::new(Scheme::Digest, "u", "p")),
        ..ServedCamera::new("guarded", &clip)
    };
    let server = samples::RtspServer::start(0, vec![guarded, ServedCamera::new("open", &clip)]).unwrap();
    watch(config(rtsp(server.url("open"), Transport::Tcp), Cadence::Keyframes)).take(1);
}

#[test]
fn frames_a_second_are_what_was_asked_for() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Fps(5.0)));
    let taken = watched.take(16);
    let span = (taken[15].0.pts - taken[0].0.pts).as_secs_f64();
    assert!((2.8..=3.2).contains(&span), "15 intervals at 5 a second in {span} s");
    let counters = watched.camera.counters();
    assert!(counters.cadence_dropped >= 4 * 15, "{counters:?}");
    report_latency("H264 fps", &taken);
}

#[test]
fn sender_reports_give_the_true_time() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    for transport in [Transport::Tcp, Transport::Udp] {
        let watched = watch(config(rtsp(server.url("street"), transport), Cadence::Keyframes));
        let reported = (0..20).find_map(|_| {
            let (frame, _, wall) = watched.take(1).remove(0);
            (frame.stamp == Stamp::SenderReport).then_some((frame, wall))
        });
        let (frame, wall) = reported.expect("a sender report within twenty key frames");
        let true_ms = wall.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
        let off = true_ms - frame.at.as_millis();
        println!("{transport:?}: sender report {off} ms behind the callback");
        assert!(off.abs() < 1000, "{off} ms");
        let skew = watched.camera.counters().sender_skew_ms.expect("a skew beside the report");
        assert!(skew.abs() < 1000, "{skew} ms");
    }
}

#[test]
fn pixels_are_the_pictures() {
    let clips = Clips::new();
    for codec in [Codec::H264, Codec::H265] {
        let server = serve(clips.of("smpte75", codec, 2.0));
        let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
        let (frame, ..) = watched.take(1).remove(0);
        let view = frame.view().expect("planes as long as they claim");
        let coefficients = RgbCoefficients::of(view.matrix, view.range);
        // Seven bars of 75 %: white, yellow, cyan, green, magenta, red, blue.
        let bars = [
            [191, 191, 191],
            [191, 191, 0],
            [0, 191, 191],
            [0, 191, 0],
            [191, 0, 191],
            [191, 0, 0],
            [0, 0, 191],
        ];
        for (i, expected) in bars.into_iter().enumerate() {
            let x = (2 * i + 1) * view.width / 14;
            let got = view.rgb_at(&coefficients, x, view.height / 3);
            let worst =
                got.iter().zip(expected).map(|(g, e): (&u8, i32)| (i32::from(*g) - e).abs()).max().unwrap();
            assert!(worst <= 8, "{codec:?} bar {i}: {got:?}, not {expected:?}");
        }
    }
}

#[test]
fn frames_outlive_their_camera() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    let kept: Vec<_> = watched.take(4).into_iter().map(|(frame, ..)| frame).collect();
    watched.camera.stop();
    server.stop();
    assert!(kept.iter().all(|frame| frame.clone().view().is_some()));
}

#[test]
fn a_lone_key_frame_of_a_stream_with_b_frames_comes_at_once() {
    let clips = Clips::new();
    let path = clips.path("b.mp4");
    // Reordering is what makes decoders wait: three B-frames and a pyramid, a key frame every second.
    let launch = format!(
        "videotestsrc num-buffers=100 pattern=ball ! video/x-raw,format=I420,width=320,height=240,framerate=25/1 ! \
         x264enc bframes=3 b-pyramid=true key-int-max=25 option-string=scenecut=0 ! h264parse ! mp4mux ! \
         filesink location={}",
        path.display()
    );
    launch_to_end(&launch);
    let server = serve(path);
    let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    let taken = watched.take(4);
    report_latency("H264 with B-frames", &taken);
}

fn launch_to_end(launch: &str) {
    use gstreamer as gst;
    use gstreamer::prelude::*;
    gst::init().unwrap();
    let pipeline = gst::parse::launch(launch).unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let end = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(15),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(end.unwrap().type_(), gst::MessageType::Eos);
}

#[test]
fn the_server_encodes_what_is_asked_for() {
    let clips = Clips::new();
    let camera =
        ServedCamera { codec: ServedCodec::H265, ..ServedCamera::new("street", clips.moving(Codec::H264)) };
    let server = samples::RtspServer::start(0, vec![camera]).unwrap();
    let found = ingest::probe(rtsp(server.url("street"), Transport::Tcp), Duration::from_secs(10)).unwrap();
    assert_eq!(found.codec, "H.265");
}

/// Whoever asks is sent on, which we leave to GStreamer.
#[test]
fn a_camera_that_is_not_understood_is_received_all_the_same() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let to = server.url("street");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let to = to.clone();
            std::thread::spawn(move || {
                let mut text = [0; 2048];
                while let Ok(n @ 1..) = stream.read(&mut text) {
                    let request = String::from_utf8_lossy(&text[..n]).into_owned();
                    let number = request.lines().find(|line| line.starts_with("CSeq")).unwrap_or("CSeq: 1");
                    let status = if request.starts_with("DESCRIBE") {
                        format!("302 Moved\r\nLocation: {to}")
                    } else {
                        "200 OK\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY".to_owned()
                    };
                    let answer = format!("RTSP/1.0 {status}\r\n{number}\r\n\r\n");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let watched =
        watch(config(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp), Cadence::Keyframes));
    watched.until(|state| *state == CameraState::Live);
    assert_eq!(watched.take(2).len(), 2);
    watched.camera.stop();
}

/// The crowd that benches measure with: each camera of it gives its key frames, at a time of its own.
#[test]
fn a_crowd_is_received_whole() {
    let clips = Clips::new();
    for codec in [Codec::H264, Codec::H265] {
        let crowd = samples::Crowd::start(&[clips.moving(codec)], 12).unwrap();
        let watched: Vec<_> = (0..12)
            .map(|number| watch(config(rtsp(crowd.url(number), Transport::Tcp), Cadence::Keyframes)))
            .collect();
        for watched in &watched {
            let taken = watched.take(5);
            // The first one comes out of turn.
            let gaps = taken[1..].windows(2).map(|pair| (pair[1].0.pts - pair[0].0.pts).as_secs_f64());
            for gap in gaps {
                assert!((gap - key_gap_secs()).abs() < 0.01, "{gap} s");
            }
            let counters = watched.camera.counters();
            assert_eq!((counters.damaged_dropped, counters.decode_errors), (0, 0), "{counters:?}");
        }
        let refused = watch(config(rtsp(crowd.url(12), Transport::Tcp), Cadence::Keyframes));
        refused.until(|state| *state == CameraState::Refused(ingest::Refusal::NotFound));
    }
}
