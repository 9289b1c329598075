//! Camera files edited while fifty cameras run: one changes, the others do not notice.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use samples::{Crowd, Encoding, pattern_clip};
use serde_json::Value;

use crate::street::{NodeFolder, client};

const CAMERAS: usize = 50;
/// Each camera sends a key frame, and so gets a look, so often.
const LOOK_SECS: u64 = 2;
const WITHIN: Duration = Duration::from_secs(40);

/// A node whose health is told on a free port.
struct Told {
    node: NodeFolder,
    health: u16,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Told {
    fn new() -> Self {
        let node = NodeFolder::new();
        let health = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = fs::read_to_string(node.config()).unwrap();
        fs::write(node.config(), format!("{text}[health]\nlisten = '127.0.0.1:{health}'\n")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { node, health, http: client(), runtime }
    }

    fn camera(&self, id: &str, url: &str, dwell_secs: &str) {
        let text = format!(
            "name = '{id}'\n[stream]\nurl = '{url}'\nquiet_secs_max = 0\n\
             [[zone]]\nid = 'all'\nkind = 'footway'\npolygon = [[0, 0], [1, 0], [1, 1], [0, 1]]\n\
             [[rule]]\nkind = 'litter'\nzones = ['all']\ndwell_secs = {dwell_secs}\n"
        );
        self.node.camera(id, &text);
    }

    fn get(&self, path: &str) -> Option<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.health);
        self.runtime.block_on(async { self.http.get(url).send().await.ok()?.text().await.ok() })
    }

    fn readiness(&self) -> Value {
        serde_json::from_str(&self.get("/readyz").expect("the health port answers")).unwrap()
    }

    fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            let said = self.get("/readyz").and_then(|text| serde_json::from_str::<Value>(&text).ok());
            if let Some(said) = said.as_ref().filter(|said| wanted(said)) {
                return said.clone();
            }
            assert!(Instant::now() < deadline, "not within {WITHIN:?}: {what}\n{said:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// A counter of each camera.
    fn counter(&self, name: &str) -> BTreeMap<String, u64> {
        let text = self.get("/metrics").expect("the health port answers");
        let start = format!("{name}{{camera=\"");
        let rows = text.lines().filter_map(|line| line.strip_prefix(&start)?.split_once("\"} "));
        rows.map(|(camera, value)| (camera.to_owned(), value.parse().unwrap())).collect()
    }
}

fn refused(said: &Value) -> &Vec<Value> {
    said["configuration"]["refused"].as_array().unwrap()
}

#[test]
fn an_edited_camera_file_costs_the_other_cameras_no_look() {
    let told = Told::new();
    let clip = told.node.folder.path().join("pattern.mp4");
    let encoding =
        Encoding { size: (320, 192), secs: 60.0, fps: 5, key_frames_every: 10, ..Encoding::default() };
    pattern_clip("smpte", encoding, &clip).unwrap();
    let ids: Vec<String> = (0..CAMERAS).map(|number| format!("camera-{number:02}")).collect();
    let (other, late) = (CAMERAS, CAMERAS + 1);
    let server = Crowd::start(&[clip], CAMERAS + 2).unwrap();
    for (number, id) in ids.iter().enumerate() {
        told.camera(id, &server.url(number), "60");
    }
    let service = told.node.start();
    told.wait_for("all are live", |said| said["cameras"]["live"] == CAMERAS);
    let looked = || told.counter("shirong_looks_total");
    let deadline = Instant::now() + WITHIN;
    while looked().values().any(|looks| *looks < 2) {
        assert!(Instant::now() < deadline, "not every camera is looked at: {:?}", looked());
        std::thread::sleep(Duration::from_millis(200));
    }
    let overwritten = || told.counter("shirong_frames_overwritten_total");
    let (before, overwritten_before, since) = (looked(), overwritten(), Instant::now());

    // A rule's number, another stream, a mistake, an address that cannot be one, a file that goes and one that
    // comes.
    told.camera(&ids[0], &server.url(0), "30");
    told.camera(&ids[1], &server.url(other), "60");
    told.camera(&ids[2], &server.url(2), "'soon'");
    let text = fs::read_to_string(told.node.folder.path().join(format!("cameras/{}.toml", ids[4]))).unwrap();
    told.node.camera(&ids[4], &text.replace("rtsp://", "rtps://"));
    fs::remove_file(told.node.folder.path().join(format!("cameras/{}.toml", ids[3]))).unwrap();
    told.camera("late", &server.url(late), "60");
    let said = told.wait_for("the edits are taken up", |said| {
        refused(said).len() == 2
            && said["cameras"]["watched"] == CAMERAS
            && said["cameras"]["live"] == CAMERAS
    });
    let problem = &refused(&said)[0];
    assert!(problem["file"].as_str().unwrap().ends_with(&format!("{}.toml", ids[2])), "{problem}");
    assert_eq!((&problem["key"], &said["status"]), (&"rule[0].dwell_secs".into(), &"degraded".into()));
    let problem = &refused(&said)[1];
    assert!(problem["file"].as_str().unwrap().ends_with(&format!("{}.toml", ids[4])), "{problem}");
    assert_eq!(problem["key"], "stream.url");
    let metrics = told.get("/metrics").unwrap();
    assert!(metrics.contains("\nshirong_configuration_files_refused 2\n"), "{metrics}");

    // Six looks long, every camera that keeps its stream, the one with the bad file among them, misses none.
    std::thread::sleep(
        (since + Duration::from_secs(6 * LOOK_SECS)).saturating_duration_since(Instant::now()),
    );
    let (after, secs) = (looked(), since.elapsed().as_secs());
    for id in ids.iter().filter(|id| **id != ids[1] && **id != ids[3]) {
        let looks = after[id] - before[id];
        assert!(looks + 1 >= secs / LOOK_SECS, "{id}: {looks} looks in {secs} s");
    }
    assert!(after["late"] > 0 && !after.contains_key(&ids[3]), "{after:?}");
    // A stream that begins sends a key frame at once and the next one when it is due, which may be soon after.
    let overwritten = overwritten();
    for id in ids.iter().filter(|id| **id != ids[1] && **id != ids[3]) {
        assert_eq!(overwritten[id], overwritten_before[id], "{id}: {overwritten:?}");
    }

    // Mended, it is well again.
    told.camera(&ids[2], &server.url(2), "45");
    told.camera(&ids[4], &server.url(4), "60");
    let said = told.wait_for("the mended file is taken up", |said| refused(said).is_empty());
    assert_eq!(said["status"], "ok");

    // A mistake in the node's own file changes nothing.
    let text = fs::read_to_string(told.node.config()).unwrap();
    fs::write(told.node.config(), text.replace("threads = 1", "thread = 1")).unwrap();
    let said = told.wait_for("the node's file is refused", |said| refused(said).len() == 1);
    assert_eq!(refused(&said)[0]["key"], "model.thread");
    // What only a start can change is said and waits.
    fs::write(told.node.config(), text.replace("threads = 1", "threads = 2")).unwrap();
    let said = told.wait_for("the setting waits", |said| {
        said["configuration"]["takes_effect_at_next_start"] == serde_json::json!(["model.threads"])
    });
    assert_eq!((&said["status"], &said["cameras"]["live"]), (&"ok".into(), &CAMERAS.into()));
    assert_eq!(told.readiness()["model"]["name"], "city-nano");
    assert_eq!(service.terminate(), Some(0));
    server.stop();
}
