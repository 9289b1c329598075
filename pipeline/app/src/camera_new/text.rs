//! The text of a first camera file.
//!
//! In: what is known of a camera. Out: TOML whose live keys are the stream's, and every other table as a
//! comment that is ready to be uncommented. Never: a file, a default that is not the reader's own constant.
//!
//! A line that begins with `#` and no blank is TOML; `#` and a blank begin an explanation. The optional keys of a table
//! stand before its live ones: `shirong calibrate` puts its table after the last live key, and a key behind
//! that would end in the wrong table.

use std::fmt::Write;

use calib::camera::{
    GridFiles, PasswordPlace, QUIET_SECS_MAX, SILENT_SECS_MAX, STANDARD_REF, UTC_OFFSET_MINUTES,
};
use calib::homography::LENS_POINTS_MIN;
use calib::matter::Catalogue;
use calib::rule::{self, RuleKind};
use calib::zone::ZoneKind;

/// Seconds from key frame to key frame that an encoder is asked for.
const KEY_SECS_WANTED: f64 = 2.0;
/// From here on key frames are too far apart: a litter rule's minute would hold a dozen looks.
const KEY_SECS_MAX: f64 = 4.0;
/// A clock further off than this is worth setting; less may be the network's delay.
const CLOCK_SKEW_MS_MAX: i64 = 2_000;
/// Rows under which a picture is small for a street: a bag 24 rows high of 1080 has 16 of them here.
const HEIGHT_MIN: usize = 720;
/// The picture that is assumed where no stream was looked at.
const SIZE_ASSUMED: [usize; 2] = [1920, 1080];

/// Made-up control points, pixels as shares of the picture: a camera 6 m above a street that runs north.
const POINTS: &[(&str, [f64; 2], [f64; 2])] = &[
    ("kerb, near left", [0.14, 0.84], [118.6499726, 34.9200563]),
    ("kerb, near right", [0.86, 0.84], [118.6500274, 34.9200563]),
    ("manhole", [0.05, 0.6], [118.6499452, 34.9200901]),
    ("foot of the lamp", [0.95, 0.6], [118.6500548, 34.9200901]),
    ("stop line, middle", [0.5, 0.52], [118.65, 34.9201127]),
    ("tree pit", [0.275, 0.4], [118.6499452, 34.9201803]),
    ("corner of the wall", [0.725, 0.4], [118.6500548, 34.9201803]),
    ("kerb, far left", [0.212, 0.36], [118.6499124, 34.9202253]),
];

/// What the stream was found to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) codec: String,
    pub(super) size: [usize; 2],
    pub(super) fps: Option<f64>,
    pub(super) key_secs: Option<f64>,
    pub(super) clock_skew_ms: Option<i64>,
    pub(super) has_audio: bool,
}

impl Found {
    /// All of it in one line.
    pub(super) fn line(&self) -> String {
        let [width, height] = self.size;
        // The codec's name comes over the network.
        let codec: String = self.codec.chars().filter(|c| !c.is_control()).collect();
        let mut line = format!("{codec}, {width} × {height}");
        let mut add = |part: String| _ = write!(line, ", {part}");
        add(self.fps.map_or("frames/s not known".into(), |fps| format!("{fps:.2} frames/s")));
        add(match self.key_secs {
            Some(secs) => format!("a key frame every {secs:.2} s"),
            None => "key-frame interval not known".into(),
        });
        if let Some(ms) = self.clock_skew_ms {
            add(format!("clock {ms:+} ms against this machine"));
        }
        line
    }

    /// What a person should change at the camera.
    pub(super) fn advice(&self) -> Vec<String> {
        let mut advice = Vec::new();
        match self.key_secs {
            Some(secs) if secs > KEY_SECS_MAX => {
                let frames = self.fps.map(|fps| format!(" ({:.0} frames)", fps * KEY_SECS_WANTED));
                advice.push(format!(
                    "key frames are {secs:.0} s apart and only they are looked at: set the encoder to \
                     {KEY_SECS_WANTED} s{}, or write fps = 1 under [stream], which decodes every frame",
                    frames.unwrap_or_default()
                ));
            }
            Some(_) => {}
            None => advice.push(format!(
                "fewer than two key frames came in time: set the encoder to one every {KEY_SECS_WANTED} s"
            )),
        }
        if self.size[1] < HEIGHT_MIN {
            advice.push(format!(
                "the picture is {} rows high: if this is the sub-stream, take the main one",
                self.size[1]
            ));
        }
        if let Some(ms) = self.clock_skew_ms.filter(|ms| ms.abs() > CLOCK_SKEW_MS_MAX) {
            let side = if ms > 0 { "ahead of" } else { "behind" };
            let secs = ms.unsigned_abs() as f64 / 1000.0;
            advice.push(format!("the camera's clock is {secs:.1} s {side} this machine's: set NTP on both"));
        }
        if self.has_audio {
            advice.push("the camera sends sound, which is never used: turn it off there".to_owned());
        }
        advice
    }
}

/// What a first file says of its camera.
pub(super) struct Sketch<'a> {
    pub(super) id: &'a str,
    pub(super) url: &'a str,
    pub(super) user: Option<&'a str>,
    pub(super) password: Option<&'a PasswordPlace>,
    pub(super) over_udp: bool,
    /// The schema as this file names it.
    pub(super) schema: Option<String>,
    /// The groups of its node.
    pub(super) groups: &'a [String],
    pub(super) found: Option<&'a Found>,
}

/// The file's text.
pub(super) fn camera(sketch: &Sketch<'_>) -> String {
    let size = sketch.found.map_or(SIZE_ASSUMED, |found| found.size);
    let parts = [head(sketch), stream(sketch), calibration(sketch.id, size), zones(), rules(), grids()];
    parts.join("\n")
}

fn head(sketch: &Sketch<'_>) -> String {
    let id = sketch.id;
    let mut text = match &sketch.schema {
        Some(path) => format!("#:schema {path}\n"),
        None => "# For an editor that knows the keys: `shirong check --schema camera > camera.schema.json` beside this\n\
                 # file, and #:schema ./camera.schema.json as its first line.\n"
            .to_owned(),
    };
    text.push_str(&match sketch.found {
        Some(found) => {
            let advice: String = found.advice().iter().map(|advice| format!("# Look: {advice}.\n")).collect();
            format!(
                "# The stream when this file was begun: {}.\n{advice}\
                 # {id}.jpg shows what it sees, people as they are: draw the zones on it, then delete it.\n",
                found.line()
            )
        }
        None => "# The stream was not looked at when this file was begun; `shirong probe` does.\n".to_owned(),
    });
    let _ = write!(
        text,
        "#\n# A line that begins with # and no blank is for uncommenting; # and a blank explain.\n\
         # `shirong check --camera {id}.toml` says what is wrong with this file, all at once.\n\n\
         # The local clock, minutes ahead of UTC: what `hours` are read by.\n\
         #utc_offset_minutes = {UTC_OFFSET_MINUTES}\n"
    );
    if sketch.groups.is_empty() {
        text.push_str(
            "# Cameras that share keys can take them from their node's file: there [group.NAME], here group = \"NAME\".\n",
        );
    } else {
        let _ = write!(
            text,
            "# Keys that this file leaves out come from its group in the node's file. Groups there: {}.\n#group = {}\n",
            sketch.groups.join(", ").replace(char::is_control, " "),
            quoted(&sketch.groups[0])
        );
    }
    let _ = write!(text, "# What people call it.\nname = {}\n", quoted(id));
    text
}

fn stream(sketch: &Sketch<'_>) -> String {
    let mut text = format!(
        "[stream]\n\
         # Key frames are looked at and nothing else is decoded. Instead, so many frames a second, which costs\n\
         # the decoding of all:\n#fps = 2\n\
         # A smaller stream for walls of pictures: sub_url.\n\
         # Seconds of silence after which the stream counts as stalled.\n#silent_secs_max = {SILENT_SECS_MAX}\n\
         # Longest that a street on which nothing moves is left alone, seconds; 0: every key frame is looked at.\n\
         #quiet_secs_max = {QUIET_SECS_MAX}\n\
         # Seconds around a confirmation that are kept as a clip; they are held in memory meanwhile.\n#clip_secs = 10\n"
    );
    // A clip has neither.
    if sketch.url.contains("://") {
        text.push_str("# RTP inside the RTSP connection (tcp), or beside it (udp).\n");
        text.push_str(if sketch.over_udp { "transport = \"udp\"\n" } else { "#transport = \"udp\"\n" });
        if sketch.user.is_none() {
            text.push_str(
                "# Where the camera wants a user, one of the two places of its password stands beside it:\n\
                 # password_env = \"VARIABLE\", or password_file = \"FILE\". The password itself never does.\n",
            );
        }
    }
    let _ = writeln!(text, "url = {}", quoted(sketch.url));
    if let Some(user) = sketch.user {
        let _ = writeln!(text, "user = {}", quoted(user));
    }
    match sketch.password {
        Some(PasswordPlace::Env(name)) => _ = writeln!(text, "password_env = {}", quoted(name)),
        Some(PasswordPlace::File(path)) => _ = writeln!(text, "password_file = {}", quoted(path)),
        None => {}
    }
    text
}

fn calibration(id: &str, [width, height]: [usize; 2]) -> String {
    let mut text = format!(
        "# Calibration: where on the ground a pixel is. Without it cases have no place and no grid cell.\n\
         # `shirong calibrate {id}.toml --points points.csv` writes this table, converts coordinates and draws\n\
         # what it means; or write it here: at least 4 points that lie on the ground, spread over the\n\
         # picture, better {LENS_POINTS_MIN}, from which the lens is fitted too. lonlat is longitude, latitude in CGCS2000.\n\
         # These numbers are made up: replace all of them.\n\
         #[calibration]\n#image_size = [{width}, {height}]\n"
    );
    for (name, pixel, [lon, lat]) in POINTS {
        let [x, y] = [pixel[0] * width as f64, pixel[1] * height as f64];
        let _ = write!(
            text,
            "#[[calibration.point]]\n#name = {}\n#pixel = [{x:.1}, {y:.1}]\n#lonlat = [{lon}, {lat}]\n",
            quoted(name)
        );
    }
    text
}

/// What a kind of zone is for, and a made-up one: id, corners, further lines.
fn zone(kind: ZoneKind) -> (&'static str, &'static str, &'static str, &'static str) {
    match kind {
        ZoneKind::Road => {
            ("The carriageway.", "road", "[[0.0, 0.7], [1.0, 0.7], [1.0, 1.0], [0.0, 1.0]]", "")
        }
        ZoneKind::Footway => (
            "A footway, a square, any way that is the public's.",
            "footway",
            "[[0.0, 0.4], [1.0, 0.4], [1.0, 0.7], [0.0, 0.7]]",
            "# Its far part may be too small in the whole picture. Tiles are looked at besides, each at the cost of\n\
             # a whole look; tile_px is the width of one, the model's own where it is left out.\n\
             #tiles = true\n#tile_px = 960\n",
        ),
        ZoneKind::ShopfrontLine => (
            "The strip before a row of shops that they may not use: its inner edge is the shop-front line.",
            "shop-fronts",
            "[[0.0, 0.4], [1.0, 0.4], [1.0, 0.45], [0.0, 0.45]]",
            "",
        ),
        ZoneKind::Permitted => (
            "Where trading is allowed, during its hours; days go before hours where it is not every day.",
            "market",
            "[[0.1, 0.45], [0.4, 0.45], [0.4, 0.65], [0.1, 0.65]]",
            "#hours = [\"06:00-09:00\", \"rest_days 17:00-22:00\"]\n",
        ),
        ZoneKind::ConstructionWatch => (
            "Where building work is watched.",
            "site",
            "[[0.0, 0.4], [1.0, 0.4], [1.0, 1.0], [0.0, 1.0]]",
            "",
        ),
        ZoneKind::Ignore => (
            "Where nothing counts: a screen, a mirror, a neighbour's yard.",
            "screen",
            "[[0.8, 0.0], [1.0, 0.0], [1.0, 0.2], [0.8, 0.2]]",
            "",
        ),
    }
}

fn zones() -> String {
    let mut text = "\
        # Zones: where rules look. A thing is where its foot is. Corners are shares of the picture, [0, 0] the top\n\
        # left and [1, 1] the bottom right, in order around; or, in place of polygon, degrees on the ground of a\n\
        # calibrated camera: ground = [[lon, lat], …]. These are made up: draw your own. A zone of a camera that\n\
        # turns names its preset; until = \"2026-12-31\" is a zone's last day, permit the number it stands for.\n"
        .to_owned();
    for (name, kind) in ZoneKind::NAMES {
        let (what, id, polygon, further) = zone(*kind);
        let _ = write!(
            text,
            "\n# {what}\n#[[zone]]\n#id = {}\n#kind = {}\n#polygon = {polygon}\n{further}",
            quoted(id),
            quoted(name)
        );
    }
    text
}

fn rules() -> String {
    let mut text = format!(
        "# Rules: what is reported. [[rule]] and kind are enough: a line left commented stands at what the node's\n\
         # file says under [defaults.rule.KIND], and otherwise at the built-in value, which is the one shown.\n\
         # zones = [\"…\"] names the zones that a rule looks at; left out, those of its kinds.\n\
         # matter          its code in `standard`, {STANDARD_REF} where that is left out\n\
         # classes         what the model must see there\n\
         # hours           when it applies: \"06:00-22:30\", \"22:00-06:00\", \"work_days 07:00-19:00\"\n\
         # dwell_secs      how long a thing must have been there\n\
         # presence_min    share of the looks in that time that saw it, and hits_min how many at least\n\
         # score_min       certainty of the model from which a detection counts\n\
         # attended_min    share of those looks with a person beside it\n\
         # absence_secs    out of sight for so long, it is gone\n\
         # sighting_secs   how often a thing that is still there is told again\n\
         # size_px_min     shorter side that it must have, in pixels of a picture 1080 rows high\n\
         # merge_radius_m  nearer than this in one cell, two cameras see one thing\n\
         # Further keys, told in KNOBS.md: matter_moving, matter_site, score_min_night, area_px_min, area_m2_min,\n\
         # large_m2, standing_secs, motion_max, rain_pause, proposals, cooldown_secs, daily_cap; and for what happens\n\
         # with findings: review, realert, merge_hours, warn_first, grace_minutes, speaker_hours, speaker_daily_max,\n\
         # auto_verify, clear_looks, urgency, time_limit.\n"
    );
    let catalogue = Catalogue::builtin();
    for kind in RuleKind::ALL {
        let of = kind.defaults();
        let matter = catalogue.get(STANDARD_REF, of.code).map_or("", |matter| matter.name.as_str());
        let kinds = ZoneKind::NAMES.iter().filter(|(_, kind)| of.zones.contains(kind));
        let kinds: Vec<&str> = kinds.map(|(name, _)| *name).collect();
        let classes: Vec<String> = of.classes.iter().map(|class| quoted(class.name())).collect();
        let _ = write!(
            text,
            "\n# {}: {matter}, in zones of the kind {}.\n\
             #[[rule]]\n#kind = {}\n#matter = {}\n#classes = [{}]\n#hours = [\"00:00-24:00\"]\n\
             #dwell_secs = {}\n#presence_min = {}\n#hits_min = {}\n#score_min = {}\n#attended_min = {}\n\
             #absence_secs = {}\n#sighting_secs = {}\n#size_px_min = {}\n#merge_radius_m = {}\n",
            of.code,
            kinds.join(" or "),
            quoted(of.name),
            quoted(of.code),
            classes.join(", "),
            of.dwell_secs,
            rule::PRESENCE_MIN,
            rule::HITS_MIN,
            rule::SCORE_MIN,
            of.attended_min,
            of.absence_secs,
            rule::SIGHTING_SECS,
            rule::SIZE_PX_MIN,
            rule::MERGE_RADIUS_M,
        );
    }
    text
}

fn grids() -> String {
    format!(
        "# Grids of its own, where the camera stands outside the node's: GeoJSON, longitude first, CGCS2000.\n\
         # Paths start from this file's folder.\n\
         #[grids]\n#unit = \"unit-grids.geojson\"\n#unit_digits = {}\n\
         #responsibility = \"responsibility-grids.geojson\"\n",
        GridFiles::UNIT_DIGITS
    )
}

/// A text as TOML writes it, on one line whatever is in it: the toml crate would break it into several, and
/// only the first of them would be within a comment.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => _ = write!(quoted, "\\u{:04X}", u32::from(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use calib::camera::Camera;

    fn sketch<'a>(found: Option<&'a Found>) -> Sketch<'a> {
        Sketch {
            id: "east",
            url: "rtsp://192.0.2.10/x",
            user: None,
            password: None,
            over_udp: false,
            schema: None,
            groups: &[],
            found,
        }
    }

    fn found() -> Found {
        Found {
            codec: "H.264".into(),
            size: [1280, 720],
            fps: Some(25.0),
            key_secs: Some(2.0),
            clock_skew_ms: Some(-40),
            has_audio: false,
        }
    }

    /// What a user gets who takes the `#` off every line that is for it.
    fn uncommented(text: &str) -> String {
        let line = |line: &str| match line.strip_prefix('#') {
            Some(rest) if !rest.is_empty() && !rest.starts_with([' ', ':']) => rest.to_owned(),
            _ => line.to_owned(),
        };
        text.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn parsed(text: &str) -> Camera {
        let camera = Camera::parse("east.toml", text, &Catalogue::builtin());
        camera.unwrap_or_else(|problems| panic!("{problems:#?}\n{text}"))
    }

    #[test]
    fn a_rule_uncommented_whole_does_what_one_left_to_its_defaults_does() {
        let whole = parsed(&uncommented(&camera(&sketch(None))));
        assert_eq!(whole.zones.len(), ZoneKind::NAMES.len());
        assert_eq!(whole.rules.len(), RuleKind::ALL.len());
        let short =
            |line: &&str| !line.starts_with('#') || line.starts_with("#[[") || line.starts_with("#kind");
        let keys_of_zones = ["#id", "#polygon", "#hours"];
        let text = camera(&sketch(None));
        let lines =
            text.lines().filter(|line| short(line) || keys_of_zones.iter().any(|k| line.starts_with(k)));
        let lines = lines.filter(|line| !line.starts_with("#[[calibration"));
        let bare = parsed(&uncommented(&lines.collect::<Vec<_>>().join("\n")));
        for (mut whole, bare) in whole.rules.into_iter().zip(bare.rules) {
            // Round the clock and no hours at all are the same.
            whole.hours = bare.hours.clone();
            assert_eq!(format!("{whole:?}"), format!("{bare:?}"));
        }
    }

    #[test]
    fn every_key_of_the_schema_is_told() {
        let text = camera(&sketch(None));
        let schema = calib::schema::camera();
        let tables = [
            &schema["properties"]["stream"],
            &schema["properties"]["zone"]["items"],
            &schema["properties"]["rule"]["items"],
            &schema["properties"]["grids"],
        ];
        for table in tables {
            for key in table["properties"].as_object().unwrap().keys() {
                // `cadence` has one value, which `fps` stands in for; `password` is there to be refused.
                if key != "cadence" && key != "password" {
                    assert!(text.contains(key.as_str()), "{key}");
                }
            }
        }
    }

    #[test]
    fn what_the_network_says_stays_within_its_comment() {
        let found = Found { codec: "H.264\nname = \"other\"".into(), ..found() };
        assert_eq!(parsed(&camera(&sketch(Some(&found)))).name, "east");
        let groups = ["a\"\nb = 1".to_owned()];
        let text = camera(&Sketch { groups: &groups, url: "rtsp://192.0.2.10/\"x", ..sketch(None) });
        assert_eq!(parsed(&text).stream.url, "rtsp://192.0.2.10/\"x");
        let odd = "a\"b\\\n\u{7f}\u{85}东";
        let back: toml::Table = format!("x = {}", quoted(odd)).parse().unwrap();
        assert_eq!(back["x"].as_str(), Some(odd));
    }

    #[test]
    fn advice_is_given_where_it_is_due_and_only_there() {
        assert_eq!(found().advice(), Vec::<String>::new());
        let poor = Found {
            size: [704, 576],
            key_secs: Some(10.0),
            clock_skew_ms: Some(-5_250),
            has_audio: true,
            ..found()
        };
        let advice = poor.advice();
        assert_eq!(advice.len(), 4, "{advice:#?}");
        assert!(advice[0].contains("10 s apart") && advice[0].contains("2 s (50 frames)"), "{advice:#?}");
        assert!(advice[1].contains("576 rows"), "{advice:#?}");
        assert!(advice[2].contains("5.2 s behind"), "{advice:#?}");
        let text = camera(&sketch(Some(&poor)));
        advice.iter().for_each(|advice| assert!(text.contains(&format!("# Look: {advice}.\n"))));
        let unknown = Found { key_secs: None, ..found() };
        assert!(unknown.advice()[0].contains("fewer than two key frames"));
    }
}
