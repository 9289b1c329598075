//! Clips cut out of what a camera sent, nothing encoded anew.

use std::time::{Duration, Instant};

use calib::time::Timestamp;
use ingest::{Cadence, Clip, Frame, SourceConfig, SourceLocation, Transport};
use samples::Codec;

use crate::support::{Clips, DEADLINE, FPS, KEY_EVERY, config, rtsp, serve, watch};

/// Long enough for a test that is kept waiting.
const KEPT: Duration = Duration::from_secs(10);
const HALF: Duration = Duration::from_millis(600);

fn luma(frame: &Frame) -> Vec<u8> {
    let view = frame.view().unwrap();
    (0..view.height).flat_map(|y| view.luma.data[y * view.luma.stride..][..view.width].to_vec()).collect()
}

/// Cuts around the sixth key frame and reads what was written.
fn cut_around_a_key_frame(clips: &Clips, source: SourceConfig) {
    let source = SourceConfig { kept: KEPT, ..source };
    let watched = watch(source);
    let mut taken: Vec<Frame> = Vec::new();
    let mut key_frames = 0;
    while key_frames < 6 {
        let frame = watched.take(1).remove(0).0;
        key_frames += u32::from(taken.is_empty() || frame.pts >= taken[0].pts + key_gap() * key_frames);
        taken.push(frame);
    }
    let middle = taken[taken.len() - 1].pts;
    let (from, to) = (middle - HALF, middle + HALF);
    let deadline = Instant::now() + DEADLINE;
    let cut = loop {
        let cut = watched.camera.cut(middle, HALF).unwrap();
        // A picture is due every 40 ms.
        if cut.span().1 + Duration::from_millis(60) > to {
            break cut;
        }
        assert!(Instant::now() < deadline, "{cut:?}");
        std::thread::sleep(Duration::from_millis(40));
    };
    let (first, last) = cut.span();
    assert!(first <= from && from - first <= key_gap(), "{first:?} for {from:?}");
    assert!(last <= to, "{last:?} for {to:?}");
    let path = clips.path("cut.mp4");
    cut.write(&path).unwrap();
    let mut clip = Clip::open(&path, "cut", Cadence::Fps(1000.0), Timestamp::default()).unwrap();
    let mut read = Vec::new();
    while let Some(frame) = clip.next_frame().unwrap() {
        read.push(frame);
    }
    let wanted = ((last - first).as_secs_f64() * f64::from(FPS)).round() as usize + 1;
    assert_eq!(read.len(), wanted, "{first:?} to {last:?}");
    let spans: Vec<_> = read.windows(2).map(|pair| (pair[1].pts - pair[0].pts).as_millis()).collect();
    assert!(spans.iter().all(|ms| (35..=45).contains(ms)), "{spans:?}");
    // What was looked at stands in the clip, bit for bit, at its time.
    let looked_at: Vec<&Frame> =
        taken.iter().filter(|frame| frame.pts >= first && frame.pts <= last).collect();
    assert!(looked_at.len() >= 2, "{first:?} to {last:?}");
    for frame in looked_at {
        let at = frame.pts - first;
        let same = read.iter().find(|read| read.pts.abs_diff(at) < Duration::from_millis(15)).unwrap();
        assert!(luma(frame) == luma(same), "the picture at {at:?} is another one");
    }
    watched.camera.stop();
}

fn key_gap() -> Duration {
    Duration::from_secs(1) * KEY_EVERY / FPS
}

#[test]
fn of_key_frames_over_tcp() {
    for codec in [Codec::H264, Codec::H265] {
        let clips = Clips::new();
        let server = serve(clips.moving(codec));
        let location = rtsp(server.url("street"), Transport::Tcp);
        cut_around_a_key_frame(&clips, config(location, Cadence::Keyframes));
        server.stop();
    }
}

#[test]
fn of_key_frames_that_gstreamer_receives() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H265));
    let location = rtsp(server.url("street"), Transport::Udp);
    cut_around_a_key_frame(&clips, config(location, Cadence::Keyframes));
    server.stop();
}

#[test]
fn of_a_camera_whose_every_picture_is_looked_at() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let location = rtsp(server.url("street"), Transport::Tcp);
    cut_around_a_key_frame(&clips, config(location, Cadence::Fps(1000.0)));
    server.stop();
}

#[test]
fn of_a_recording_that_plays_as_a_camera() {
    let clips = Clips::new();
    // From lap to lap nothing is kept.
    let path = clips.of("ball", Codec::H264, 12.0);
    let location = SourceLocation::File { path, realtime: true, looped: true };
    cut_around_a_key_frame(&clips, config(location, Cadence::Keyframes));
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    let watched = watch(config(rtsp(server.url("street"), Transport::Tcp), Cadence::Keyframes));
    let pts = watched.take(3)[2].0.pts;
    assert!(watched.camera.cut(pts, HALF).is_none());
    watched.camera.stop();
    server.stop();
}
