//! Recordings as cameras.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use ingest::{Cadence, Camera, CameraState, Refusal, SourceLocation, Stamp};
use samples::{Codec, Encoding, Picture, still_clip, transcode};

use crate::support::{Clips, DEADLINE, FPS, KEY_EVERY, config, watch};

fn file(path: std::path::PathBuf, realtime: bool, looped: bool) -> SourceLocation {
    SourceLocation::File { path, realtime, looped }
}

#[test]
fn a_file_gives_every_frame_and_ends() {
    let clips = Clips::new();
    let clip = clips.of("ball", Codec::H264, 2.0);
    let all = watch(config(file(clip.clone(), false, false), Cadence::Fps(1000.0)));
    all.until(|state| *state == CameraState::Ended);
    assert_eq!(all.frames.try_iter().count(), 2 * FPS as usize);
    let keys = watch(config(file(clip, false, false), Cadence::Keyframes));
    keys.until(|state| *state == CameraState::Ended);
    let taken: Vec<_> = keys.frames.try_iter().map(|(frame, ..)| frame).collect();
    assert_eq!(taken.len(), (2 * FPS / KEY_EVERY) as usize);
    assert!(taken.iter().all(|frame| frame.stamp == Stamp::File));
    assert_eq!(taken[1].at.millis_since(taken[0].at), 400);
    assert_eq!(keys.camera.counters().decode_errors, 0);
}

#[test]
fn a_looped_file_goes_on_in_time() {
    let clips = Clips::new();
    let watched = watch(config(file(clips.of("ball", Codec::H265, 1.2), false, true), Cadence::Keyframes));
    let taken = watched.take(9);
    let gaps: Vec<_> = taken.windows(2).map(|w| (w[1].0.pts - w[0].0.pts).as_millis()).collect();
    assert!(gaps.iter().all(|gap| (360..=440).contains(gap)), "{gaps:?}");
    // One lap after the other is no news.
    let states: Vec<_> = watched.states.try_iter().collect();
    assert_eq!(states, [CameraState::Connecting, CameraState::Live]);
}

#[test]
fn a_realtime_file_keeps_its_speed() {
    let clips = Clips::new();
    let watched = watch(config(file(clips.of("ball", Codec::H264, 2.0), true, false), Cadence::Keyframes));
    let taken = watched.take(4);
    let (first, last) = (&taken[0], &taken[3]);
    let (played, passed) = (last.0.pts - first.0.pts, last.1 - first.1);
    assert!(passed + Duration::from_millis(200) > played, "{played:?} played in {passed:?}");
}

#[test]
fn a_quiet_street_passes_undecoded_in_its_own_time_and_its_first_picture_never() {
    let clips = Clips::new();
    let clip = clips.of("ball", Codec::H264, 2.0);
    let (tell, told) = sync_channel(64);
    let (frame_out, frames) = sync_channel(64);
    let (state_out, states) = sync_channel(64);
    let asked = AtomicU32::new(0);
    let camera = Camera::start_gated(
        config(file(clip, true, false), Cadence::Keyframes),
        move |frame| drop(frame_out.try_send(frame)),
        move |state| drop(state_out.try_send(state.clone())),
        move |key| {
            let _ = tell.try_send((*key, Instant::now()));
            // Of five key frames the first is not asked for and the third is looked at.
            asked.fetch_add(1, Ordering::SeqCst) != 1
        },
    )
    .unwrap();
    while states.recv_timeout(DEADLINE).unwrap() != CameraState::Ended {}
    let at: Vec<u128> = frames.try_iter().map(|frame| frame.pts.as_millis()).collect();
    let asked: Vec<_> = told.try_iter().collect();
    // As long as the first picture is not out of its decoder none may be passed over: on a busy machine that takes
    // longer than one key frame.
    let key_frames = 2 * FPS / KEY_EVERY;
    let looked_at = usize::from(asked.len() > 1) + (key_frames as usize - asked.len());
    let counters = camera.counters();
    assert_eq!(at[0], 0);
    assert_eq!(at.len() as u64 + counters.late_dropped, looked_at as u64, "{at:?}");
    assert_eq!(counters.quiet_dropped, (key_frames as usize - looked_at) as u64);
    assert!(asked.len() > 1, "{asked:?}");
    for (key, _) in &asked {
        assert_eq!(key.deltas, KEY_EVERY - 1);
        assert!(key.mean_bytes > 0.0 && key.peak_bytes >= key.mean_bytes, "{key:?}");
    }
    let (gaps, took) = (asked.len() as u32 - 1, asked[asked.len() - 1].1 - asked[0].1);
    assert!(
        took + Duration::from_millis(200) >= gaps * Duration::from_millis(400),
        "{gaps} key frames in {took:?}"
    );
}

#[test]
fn a_file_that_is_not_there_or_no_video() {
    let clips = Clips::new();
    let watched = watch(config(file(clips.path("none.mp4"), false, false), Cadence::Keyframes));
    watched.until(|state| *state == CameraState::Refused(Refusal::NotFound));
    let text = clips.path("text.mp4");
    std::fs::write(&text, "this is no video\n".repeat(100)).unwrap();
    let watched = watch(config(file(text, false, true), Cadence::Keyframes));
    watched.until(|state| matches!(state, CameraState::Refused(_)));
    println!("{}", watched.camera.state());
}

#[test]
fn a_photograph_becomes_a_noisy_still_camera() {
    let clips = Clips::new();
    let (width, height) = (161, 90);
    let rgb: Vec<u8> = (0..width * height)
        .flat_map(|i| if i % width < 80 { [200, 40, 40] } else { [40, 40, 200] })
        .collect();
    let path = clips.path("still.mp4");
    let encoding =
        Encoding { size: (640, 360), secs: 1.0, fps: 10, key_frames_every: 5, ..Encoding::default() };
    still_clip(Picture { rgb: &rgb, width: width as u32, height: height as u32 }, encoding, &path).unwrap();
    let watched = watch(config(file(path, false, false), Cadence::Fps(1000.0)));
    let taken = watched.take(10);
    let pixel = |i: usize, x: usize| {
        let view = taken[i].0.view().unwrap();
        let coefficients = calib::picture::RgbCoefficients::of(view.matrix, view.range);
        view.rgb_at(&coefficients, x, view.height / 2)
    };
    for (x, expected) in [(100, [200_i32, 40, 40]), (540, [40, 40, 200])] {
        let got = pixel(0, x);
        assert!(
            got.iter().zip(expected).all(|(g, e)| (i32::from(*g) - e).abs() < 20),
            "{got:?}, not {expected:?}"
        );
    }
    // Noise that lives: two frames are not the same.
    let luma = |i: usize| taken[i].0.view().unwrap().luma.data[..640 * 100].to_vec();
    assert_ne!(luma(3), luma(4));
}

#[test]
fn a_real_fixed_camera_plays() {
    let Some(vtest) = samples::vtest() else {
        println!("opencv-doc is not installed: nothing shown");
        return;
    };
    // Its codec is neither H.264 nor H.265: files are read in any codec.
    let watched = watch(config(file(vtest, false, false), Cadence::Keyframes));
    let (frame, ..) = watched.take(3).remove(0);
    assert_eq!((frame.width(), frame.height()), (768, 576));
}

#[test]
fn a_clip_is_encoded_anew() {
    let clips = Clips::new();
    let (from, to) = (clips.of("ball", Codec::H265, 2.0), clips.path("again.mp4"));
    transcode(&from, Codec::H264, 5, &to).unwrap();
    let watched = watch(config(file(to.clone(), false, false), Cadence::Keyframes));
    watched.until(|state| *state == CameraState::Ended);
    assert_eq!(watched.frames.try_iter().count(), 10);
    let found = ingest::probe(file(to, false, false), Duration::from_secs(5)).unwrap();
    assert_eq!(found.codec, "H.264");
}
