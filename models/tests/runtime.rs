//! Finding the library: each way of not having it has its own message, and one process keeps one library.
//!
//! One test, since its steps share the process's only library.

use std::path::Path;
use std::process::Command;

use models::{ModelError, Runtime};

/// A library that claims to be ONNX Runtime of this version and can do nothing else.
fn stand_in(folder: &Path, version: &str) -> std::path::PathBuf {
    let (source, library) = (folder.join("stand_in.c"), folder.join(format!("libonnxruntime.so.{version}")));
    let code = format!(
        "struct Base {{ const void *(*api)(unsigned); const char *(*version)(void); }};\n\
         static const void *api(unsigned n) {{ (void)n; return 0; }}\n\
         static const char *version(void) {{ return \"{version}\"; }}\n\
         static const struct Base base = {{ api, version }};\n\
         const struct Base *OrtGetApiBase(void) {{ return &base; }}\n"
    );
    std::fs::write(&source, code).expect("a folder to write in");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(built.expect("cc, which Rust links with").success());
    library
}

#[test]
fn missing_wrong_and_old_libraries_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path| Runtime::load(Some(path)).unwrap_err();

    let missing = refusal(&folder.path().join("nowhere"));
    assert!(matches!(missing, ModelError::RuntimeMissing { .. }), "{missing}");
    let empty = refusal(folder.path());
    for part in ["make runtime", "SHIRONG_ONNXRUNTIME", &folder.path().display().to_string()] {
        assert!(empty.to_string().contains(part), "{empty}");
    }

    let text = folder.path().join("libonnxruntime.so.9");
    std::fs::write(&text, "no library").unwrap();
    let wrong = refusal(&text);
    assert!(matches!(wrong, ModelError::RuntimeUnusable { .. }), "{wrong}");
    std::fs::remove_file(text).unwrap();

    let old = stand_in(folder.path(), "1.17.3");
    for asked in [folder.path(), &old] {
        let error = refusal(asked).to_string();
        for part in ["version 1.17.3 is too old", "libonnxruntime.so.1.17.3", "1.22", "make runtime"] {
            assert!(error.contains(part), "{error}");
        }
    }

    // None of these stands in the way of the right one.
    let runtime = match Runtime::load(None) {
        Ok(runtime) => runtime,
        Err(error) => panic!("{error}"),
    };
    assert!(runtime.version().starts_with("1."), "{}", runtime.version());
    assert_eq!(Runtime::load(None).unwrap().path(), runtime.path());
    let other = refusal(&old);
    assert!(matches!(other, ModelError::RuntimeLoaded { .. }), "{other}");
}
