//! Recordings read in their own time, and films written.

use std::path::Path;
use std::time::Duration;

use calib::time::Timestamp;
use ingest::{Cadence, Clip, ClipError, Film};
use samples::Codec;

use crate::support::{Clips, FPS, KEY_EVERY};

const START: Timestamp = Timestamp::from_millis(1_782_900_000_000);

/// Milliseconds since the start of every frame.
fn times(path: &Path, cadence: Cadence) -> Result<Vec<i64>, ClipError> {
    let mut clip = Clip::open(path, "clip", cadence, START)?;
    let mut times = Vec::new();
    while let Some(frame) = clip.next_frame()? {
        assert_eq!(frame.seq, times.len() as u64);
        times.push(frame.at.millis_since(START));
    }
    assert!(clip.next_frame()?.is_none(), "after the end comes nothing");
    Ok(times)
}

#[test]
fn a_clip_gives_the_same_frames_at_the_same_times_whenever_it_is_read() {
    let clips = Clips::new();
    let path = clips.of("ball", Codec::H264, 2.0);
    let all = times(&path, Cadence::Fps(1000.0)).unwrap();
    assert_eq!((all.len(), all[0], all[1]), (2 * FPS as usize, 0, 40));
    assert_eq!(times(&path, Cadence::Fps(1000.0)).unwrap(), all);
    let keys = times(&path, Cadence::Keyframes).unwrap();
    assert_eq!((keys.len(), keys[1]), ((2 * FPS / KEY_EVERY) as usize, 400));
}

#[test]
fn a_clip_that_is_left_early_ends_at_once_and_a_slow_taker_loses_nothing() {
    let clips = Clips::new();
    let path = clips.of("ball", Codec::H265, 4.0);
    let mut clip = Clip::open(&path, "clip", Cadence::Fps(1000.0), START).unwrap();
    let first = clip.next_frame().unwrap().unwrap();
    assert_eq!(clip.length().map(|length| length.as_secs()), Some(4));
    // Frames that are held keep their pictures while others are decoded.
    let second = clip.next_frame().unwrap().unwrap();
    assert_eq!((first.seq, second.seq), (0, 1));
    assert!(first.view().is_some() && second.view().is_some());
    drop(clip);
}

#[test]
fn what_is_no_clip_is_refused_with_its_name_and_the_reason() {
    let clips = Clips::new();
    let none = times(&clips.path("none.mp4"), Cadence::Keyframes).unwrap_err().to_string();
    assert!(none.contains("none.mp4") && none.contains("there is no such file"), "{none}");
    let text = clips.path("text.mp4");
    std::fs::write(&text, "this is no video\n".repeat(100)).unwrap();
    let refused = times(&text, Cadence::Keyframes).unwrap_err().to_string();
    assert!(refused.contains("text.mp4") && !refused.contains("camera"), "{refused}");
    let folder = clips.path("folder.mp4");
    std::fs::create_dir(&folder).unwrap();
    let refused = times(&folder, Cadence::Keyframes).unwrap_err().to_string();
    assert!(refused.contains("folder.mp4") && refused.contains("is no regular file"), "{refused}");
    let whole = clips.of("ball", Codec::H264, 1.0);
    let half = clips.path("half.mp4");
    let bytes = std::fs::read(whole).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    assert!(times(&half, Cadence::Keyframes).is_err());
}

#[test]
fn a_film_holds_every_picture_at_its_time() {
    let clips = Clips::new();
    let path = clips.path("film.mp4");
    let film = Film::create(&path, 66, 34).unwrap();
    let at = [0, 2000, 2500, 4500];
    for (number, ms) in at.into_iter().enumerate() {
        let grey = 40 * number as u8;
        let rgb = vec![grey; 66 * 34 * 3];
        film.write(&rgb, Duration::from_millis(ms), Duration::from_millis(500)).unwrap();
    }
    assert!(film.write(&[0; 3], Duration::from_secs(9), Duration::from_secs(1)).is_err());
    film.finish().unwrap();
    let read = times(&path, Cadence::Fps(1000.0)).unwrap();
    assert_eq!(read.len(), at.len(), "{read:?}");
    assert!(read.iter().zip(at).all(|(read, wrote)| (read - wrote as i64).abs() <= 1), "{read:?}");
}

#[test]
fn a_film_of_no_size_or_into_no_folder_is_refused() {
    let clips = Clips::new();
    let odd = Film::create(&clips.path("odd.mp4"), 65, 34).map(drop).unwrap_err().to_string();
    assert!(odd.contains("65x34"), "{odd}");
    let nowhere = Film::create(&clips.path("no/folder/film.mp4"), 64, 34);
    assert!(nowhere.is_err());
}

#[test]
fn a_film_on_a_full_disk_fails_and_never_hangs() {
    // Every write there fails as on a full disk.
    let film = Film::create(Path::new("/dev/full"), 640, 360).unwrap();
    let mut noise = 1_u32;
    let mut picture = || -> Vec<u8> {
        let byte = |_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        (0..640 * 360 * 3).map(byte).collect()
    };
    let lasts = Duration::from_millis(40);
    let failed = (0..500_u32).find_map(|number| film.write(&picture(), number * lasts, lasts).err());
    let failed = failed.expect("nothing fits on a full disk").to_string();
    assert!(failed.contains("/dev/full"), "{failed}");
    assert_eq!(film.finish().unwrap_err().to_string(), failed);
}
