//! A permit keeps what it allows from becoming a finding: there, then, for that matter, and no longer.
#![expect(clippy::unwrap_used, reason = "tests: a failure is what they are for")]

use std::sync::Arc;

use calib::calendar::Calendar;
use calib::camera::Camera;
use calib::class::Class;
use calib::matter::Catalogue;
use calib::papers::Papers;
use calib::space::{ImageBox, ImagePoint};
use calib::time::Timestamp;
use logic::finding::Event;
use logic::look::{Detection, Look};
use logic::scene::Scene;
use logic::watch::Watch;

const CAMERA: &str = r#"
name = "Test street"
[stream]
url = "rtsp://127.0.0.1/x"
[calibration]
image_size = [1000, 1000]
[[calibration.point]]
pixel = [0, 1000]
lonlat = [118.65000, 34.92000]
[[calibration.point]]
pixel = [1000, 1000]
lonlat = [118.65010, 34.92000]
[[calibration.point]]
pixel = [1000, 0]
lonlat = [118.65010, 34.92010]
[[calibration.point]]
pixel = [0, 0]
lonlat = [118.65000, 34.92010]
[[zone]]
id = "footway"
kind = "footway"
polygon = [[0.0, 0.2], [1.0, 0.2], [1.0, 1.0], [0.0, 1.0]]
[[zone]]
id = "corner"
kind = "footway"
polygon = [[0.0, 0.2], [0.5, 0.2], [0.5, 1.0], [0.0, 1.0]]
[[rule]]
kind = "street_vendor"
zones = ["footway"]
attended_min = 0
dwell_secs = 60
[[rule]]
kind = "litter"
zones = ["footway"]
dwell_secs = 60
"#;

/// A permit for stalls, at a place, on the days and in the hours given.
fn permit(place: &str, hours: &str, from: &str, until: &str) -> String {
    format!(
        "[[permit]]\nnumber = 'EX-1'\nholder = 'H-1'\nmatters = ['09006']\n{place}\nhours = ['{hours}']\n\
         from = '{from}'\nuntil = '{until}'\n"
    )
}

const JULY: (&str, &str) = ("2026-07-01", "2026-07-31");
const CORNER: &str = "zone = 'corner'";

/// Rules that confirm something within ten minutes of looks from `start` at a stall and litter in the left
/// half of the picture (`x` 0.2) or in the right (0.8).
fn confirmed(permit: &str, start: &str, x: f32) -> Vec<usize> {
    let mut camera = Camera::parse("test.toml", CAMERA, &Catalogue::builtin()).unwrap();
    let text = include_str!("../../../calib/example-county/calendar.toml");
    let papers = Papers {
        permits: calib::permit::parse("permits.toml", permit, &Catalogue::builtin()).unwrap(),
        calendar: Arc::new(Calendar::parse("calendar.toml", text).unwrap()),
        ..Papers::default()
    };
    camera.keep_to("test", &papers);
    let mut watch = Watch::new(Arc::new(camera));
    let start: Timestamp = start.parse().unwrap();
    let mut found = Vec::new();
    for i in 0..120 {
        let box_at = |y: f32| ImageBox::from([x - 0.05, y, x + 0.05, y + 0.1]);
        let detection = |class, y| Detection { class, score: 0.8, bounds: box_at(y) };
        let detections = vec![detection(Class::Stall, 0.5), detection(Class::Garbage, 0.8)];
        let look =
            Look { at: start.plus_millis(i * 5_000), aspect: 1.0, detections, scene: Scene::default() };
        let events = watch.look(&look);
        found.extend(events.iter().filter(|e| matches!(e, Event::Confirmed(_))).map(|e| e.sight().rule));
    }
    found.sort_unstable();
    found
}

#[test]
fn a_permit_suppresses_its_matter_at_its_place() {
    let stalls = permit(CORNER, "06:00-22:00", JULY.0, JULY.1);
    assert_eq!(confirmed("", "2026-07-01T10:00:00+08:00", 0.2), [0, 1], "without a permit");
    assert_eq!(confirmed(&stalls, "2026-07-01T10:00:00+08:00", 0.2), [1], "litter is not permitted");
    assert_eq!(confirmed(&stalls, "2026-07-01T10:00:00+08:00", 0.8), [0, 1], "beside the place");
}

#[test]
fn a_permit_holds_in_its_hours_on_its_days() {
    let stalls = permit(CORNER, "06:00-22:00", JULY.0, JULY.1);
    assert_eq!(confirmed(&stalls, "2026-07-01T04:00:00+08:00", 0.2), [0, 1], "before its hours");
    assert_eq!(confirmed(&stalls, "2026-07-31T21:00:00+08:00", 0.2), [1], "its last day");
    assert_eq!(confirmed(&stalls, "2026-08-01T10:00:00+08:00", 0.2), [0, 1], "expired");
    assert_eq!(confirmed(&stalls, "2026-06-30T10:00:00+08:00", 0.2), [0, 1], "not yet");
    // A stall that outstays the hours is looked at from then on.
    assert_eq!(confirmed(&stalls, "2026-07-01T21:55:00+08:00", 0.2), [0, 1]);
}

#[test]
fn rest_days_are_the_calendars() {
    let stalls = permit(CORNER, "rest_days 06:00-22:00", "2026-01-01", "2026-12-31");
    assert_eq!(confirmed(&stalls, "2026-10-05T10:00:00+08:00", 0.2), [1], "a Monday of the holiday");
    assert_eq!(confirmed(&stalls, "2026-10-10T10:00:00+08:00", 0.2), [0, 1], "a Saturday that is worked");
}

#[test]
fn a_permit_may_be_drawn_on_the_ground() {
    // The western half of the picture's ground.
    let place = "ground = [[118.65, 34.92], [118.65005, 34.92], [118.65005, 34.9201], [118.65, 34.9201]]";
    let stalls = permit(place, "06:00-22:00", JULY.0, JULY.1);
    assert_eq!(confirmed(&stalls, "2026-07-01T10:00:00+08:00", 0.2), [1]);
    assert_eq!(confirmed(&stalls, "2026-07-01T10:00:00+08:00", 0.8), [0, 1]);
}

#[test]
fn a_permit_of_another_cameras_zone_is_not_this_ones() {
    let other = permit("camera = 'other'\nzone = 'corner'", "06:00-22:00", JULY.0, JULY.1);
    assert_eq!(confirmed(&other, "2026-07-01T10:00:00+08:00", 0.2), [0, 1]);
    let own = permit("camera = 'test'\nzone = 'corner'", "06:00-22:00", JULY.0, JULY.1);
    assert_eq!(confirmed(&own, "2026-07-01T10:00:00+08:00", 0.2), [1]);
    // What the permit names is looked up where the thing stands, not where the picture's middle is.
    let mut camera = Camera::parse("test.toml", CAMERA, &Catalogue::builtin()).unwrap();
    let permits = calib::permit::parse("p", &own, &Catalogue::builtin()).unwrap();
    camera.keep_to("test", &Papers { permits, ..Papers::default() });
    let at = "2026-07-01T10:00:00+08:00".parse().unwrap();
    let number = |x| camera.permit(&camera.rules[0], ImagePoint::new(x, 0.6), at).map(|p| p.number.as_str());
    assert_eq!((number(0.2), number(0.8)), (Some("EX-1"), None));
}
