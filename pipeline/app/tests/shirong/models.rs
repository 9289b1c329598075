//! A model exchanged and refused while cameras run, and the models as `shirong models` tells them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::street::{NodeFolder, root, serve};

const WITHIN: Duration = Duration::from_secs(30);

/// A copy of the default model in a folder of its own.
fn copy_model(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in ["manifest.toml", "city_nano.onnx", "LICENSE-YOLOX.txt"] {
        fs::copy(root().join("models/city-nano").join(name), folder.join(name)).unwrap();
    }
}

/// Makes another model of a copy: other bytes that do the same (a second producer version, which the format
/// allows), under another name. The digest of its weights.
fn become_b(folder: &Path) -> String {
    let mut weights = fs::read(folder.join("city_nano.onnx")).unwrap();
    let sum =
        |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    let old = sum(&weights);
    weights.extend([0x1a, 1, b'b']);
    let new = sum(&weights);
    let manifest = fs::read_to_string(root().join("models/city-nano/manifest.toml")).unwrap();
    assert!(manifest.contains(&old), "the model's manifest names its weights");
    let manifest = manifest.replace(&old, &new).replace("\"city-nano\"", "\"city-nano-b\"");
    fs::write(folder.join("city_nano.onnx"), weights).unwrap();
    fs::write(folder.join("manifest.toml"), manifest).unwrap();
    new
}

/// The service with its log as JSON lines in a file.
struct Logged {
    child: Child,
    log: PathBuf,
}

impl Logged {
    fn start(node: &NodeFolder) -> Self {
        let log = node.folder.path().join("log");
        let child = Command::new(env!("CARGO_BIN_EXE_shirong"))
            .args(["--log-json", "run", "-c"])
            .arg(node.config())
            .env("SHIRONG_LOG", "info")
            .current_dir(root())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self { child, log }
    }

    /// The fields of every line with this message.
    fn said(&self, message: &str) -> Vec<Value> {
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let fields = lines.map(|line| line["fields"].clone());
        fields.filter(|fields| fields["message"] == message).collect()
    }

    fn wait_until_said(&self, message: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Some(line) = self.said(message).into_iter().find(&wanted) {
                return line;
            }
            let log = || fs::read_to_string(&self.log).unwrap();
            assert!(Instant::now() < deadline, "not said: {message}\n{}", log());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The status as it is now, which a SIGHUP asks for.
    fn status(&self) -> Value {
        let before = self.said("status").len();
        self.signal("HUP");
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Some(status) = self.said("status").into_iter().nth(before) {
                return status;
            }
            assert!(Instant::now() < deadline, "no status");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until so many more frames went through the detector than now.
    fn wait_for_looks(&self, more: u64) {
        let looks = |status: &Value| status["looks_total"].as_u64().unwrap();
        let (from, deadline) = (looks(&self.status()), Instant::now() + WITHIN);
        while looks(&self.status()) < from + more {
            assert!(Instant::now() < deadline, "the cameras are not looked at any more");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Which models signed the pictures in the vault.
fn signatures(node: &NodeFolder) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![node.folder.path().join("data")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.parent().unwrap().ends_with("cases")
                && path.extension().is_some_and(|e| e == "json")
            {
                let case: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
                let pictures = case["pictures"].as_array().unwrap().iter();
                found.extend(pictures.map(|picture| picture["model"]["sha256"].as_str().unwrap().to_owned()));
            }
        }
    }
    found
}

#[test]
fn a_model_is_exchanged_while_the_cameras_run_and_a_bad_one_is_not() {
    let node = NodeFolder::new();
    let model = node.folder.path().join("models/city");
    copy_model(&model);
    let text = fs::read_to_string(node.config()).unwrap();
    let default = format!("{}/models/city-nano/manifest.toml", root().display());
    assert!(text.contains(&default));
    fs::write(node.config(), text.replace(&default, "models/city/manifest.toml")).unwrap();
    let server = serve(&["litter"], Duration::from_secs(14));
    let changes = [("dwell_secs = 20", "dwell_secs = 4"), ("sighting_secs = 20", "sighting_secs = 2")];
    node.sample_camera("litter", server.port(), &changes);
    let mut service = Logged::start(&node);
    let case = node.wait_for_cases(WITHIN, |cases| !cases.is_empty()).remove(0);
    assert_eq!(case.model.name, "city-nano");

    // Half a file, as a copy that broke off leaves it.
    let weights = fs::read(model.join("city_nano.onnx")).unwrap();
    fs::write(model.join("city_nano.onnx"), &weights[..weights.len() / 2]).unwrap();
    let refused = service.wait_until_said("the new model is refused; the one before goes on", |_| true);
    assert_eq!((&refused["key"], &refused["model"]), (&Value::from("sha256"), &Value::from("city-nano")));
    service.wait_for_looks(3);
    let status = service.status();
    assert_eq!((&status["model"], &status["live"]), (&Value::from("city-nano"), &Value::from(1)));
    assert!(status["model_refused"].as_str().unwrap().contains("sha256"), "{status}");

    // Another one, whole.
    fs::write(model.join("city_nano.onnx"), &weights).unwrap();
    let sha256 = become_b(&model);
    let exchanged = service.wait_until_said("the model was exchanged", |_| true);
    assert_eq!(
        (&exchanged["sha256"], &exchanged["before_sha256"]),
        (&sha256.as_str().into(), &case.model.sha256.as_str().into())
    );
    service.wait_for_looks(3);
    let status = service.status();
    assert_eq!((&status["model"], status.get("model_refused")), (&Value::from("city-nano-b"), None));

    // What is seen from now on is signed by it, what was seen before is not.
    let seen = case.sightings;
    node.wait_for_cases(WITHIN, |cases| cases[0].sightings > seen + 2);
    let signatures = signatures(&node);
    assert!(signatures.contains(&sha256) && signatures.contains(&case.model.sha256), "{signatures:?}");
    assert_eq!(node.cases().unwrap().len(), 1);
    service.signal("TERM");
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
    server.stop();
}

fn models(arguments: &[&str], folder: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shirong"));
    command.arg("models").args(arguments).current_dir(folder);
    let library = root().join(".runtime/onnxruntime");
    if library.is_dir() {
        command.env("SHIRONG_ONNXRUNTIME", library);
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_list_tells_good_and_broken_models_and_which_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    copy_model(&folder.path().join("models/one"));
    copy_model(&folder.path().join("models/two"));
    fs::create_dir(folder.path().join("models/notes")).unwrap();
    fs::write(folder.path().join("models/two/city_nano.onnx"), "cut").unwrap();
    fs::write(folder.path().join("shirong.toml"), "[model]\nmanifest = 'models/one/manifest.toml'\n")
        .unwrap();

    let (code, said) = models(&["list"], folder.path());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{said}");
    assert!(lines[0].starts_with("  FOLDER") && lines[1].starts_with("* one"), "{said}");
    assert!(lines[1].contains("yolox_grid") && lines[1].contains("416x416") && lines[1].ends_with("well"));
    assert!(lines[2].starts_with("  two") && lines[2].contains("sha256: "), "{said}");

    let (code, said) = models(&["list", "--json", "--dir", "models"], folder.path());
    let list: Value = serde_json::from_str(&said).unwrap();
    let [one, two] = list["models"].as_array().unwrap().as_slice() else { panic!("{said}") };
    assert_eq!((code, &one["in_use"], &two["in_use"]), (Some(0), &Value::from(true), &Value::from(false)));
    assert_eq!((&one["licence"], one["classes"].as_array().unwrap().len()), (&Value::from("Apache-2.0"), 20));
    assert_eq!(
        (&one["problems"], &two["problems"][0]["key"]),
        (&Value::from(vec![0; 0]), &Value::from("sha256"))
    );
}

#[test]
fn a_second_model_is_listed_marked_and_checked_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    copy_model(&folder.path().join("models/one"));
    let judge = folder.path().join("models/judge");
    fs::create_dir(&judge).unwrap();
    for name in ["manifest.toml", "model.onnx", "LICENCE.txt"] {
        fs::copy(root().join("models/tests/second/softmax").join(name), judge.join(name)).unwrap();
    }
    let node = "[model]\nmanifest = 'models/one/manifest.toml'\nsecond = 'models/judge'\n";
    fs::write(folder.path().join("shirong.toml"), node).unwrap();

    let (code, said) = models(&["list"], folder.path());
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((code, lines.len()), (Some(0), 3), "{said}");
    assert!(lines[1].starts_with("* judge") && lines[2].starts_with("* one"), "{said}");
    let words: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(words[2..6], ["small-softmax", "classifier", "48x64", "cpu"], "{said}");
    assert_eq!((words[6], words.last()), ("2", Some(&"well")), "drop is no class: {said}");

    let (code, said) = models(&["check", "models/judge"], folder.path());
    assert!(code == Some(0) && said.contains("well, on ONNX Runtime"), "{said}");
    let manifest = judge.join("manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("margin = 0.1", "margin = 7").replace("= \"drop\"", "= \"gone\""))
        .unwrap();
    let (code, said) = models(&["check", "models/judge"], folder.path());
    assert!(code == Some(1) && said.contains("margin: 7 is out of range"), "{said}");
    assert!(said.contains("becomes.no_bin: \"gone\" is not known"), "{said}");
}

#[test]
fn a_check_tells_what_it_found_as_json_too() {
    let folder = tempfile::tempdir().unwrap();
    copy_model(&folder.path().join("one"));
    let (code, said) = models(&["check", "one", "--json"], folder.path());
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (code, &report["name"], report["problems"].as_array().unwrap().len()),
        (Some(0), &Value::from("city-nano"), 0)
    );
    assert!(report["onnxruntime"].as_str().unwrap().starts_with("1."));

    let manifest = folder.path().join("one/manifest.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("name = \"images\"", "name = \"image\"")).unwrap();
    let (code, said) = models(&["check", "one", "--json"], folder.path());
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &report["problems"][0]["key"]), (Some(1), &Value::from("input.name")), "{said}");
}
