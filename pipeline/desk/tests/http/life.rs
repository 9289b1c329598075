//! What must hold across ends of a process: good ones, bad ones, and two at once.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use desk::{Desk, DeskError};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::desk_under_test::{TOKEN, case, config, picture, serve, sha256, sighting};
use crate::evidence::files_under;

/// Tells the child process of a test where its folder is.
const CHILD_FOLDER: &str = "DESK_TEST_CHILD_FOLDER";
/// Where the child writes its address, in its folder.
const CHILD_ADDRESS: &str = "child.address";

#[tokio::test]
async fn a_restart_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let sha = desk.picture().await;
    let sent = case(&[("crop", &sha)]);
    desk.file(&sent).await;
    let id = sent["case_id"].as_str().unwrap().to_owned();
    let seen = sighting("2026-07-01T08:40:00Z", "ls-013", vec![]);
    let sightings = format!("/api/v1/cases/{id}/sightings");
    desk.post(&sightings, &seen).await;
    let closed = desk.close(&id, "gone").await.body;
    desk.stop().await;

    let desk = serve(folder.path()).await;
    assert_eq!(desk.get(&format!("/api/v1/cases/{id}")).await.body, closed);
    assert_eq!(desk.file(&sent).await.status, 200, "the key is known");
    assert_eq!(desk.post(&sightings, &seen).await.status, 200, "the sighting is known");
    assert_eq!(desk.get(&format!("/api/v1/evidence/{sha}")).await.status, 200);
    assert_eq!(desk.filed().await["state"], "reported", "and it goes on");
    desk.stop().await;
}

#[tokio::test]
async fn two_desks_on_one_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let error = Desk::open(config(folder.path())).await.unwrap_err();
    assert!(matches!(error, DeskError::FolderInUse(_)), "{error}");
    assert!(error.to_string().contains("in use by another process"));
    assert_eq!(desk.get("/readyz").await.status, 200, "the first is not disturbed");
    desk.stop().await;
    serve(folder.path()).await.stop().await;
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = config(folder.path());
    wrong.utc_offset_minutes = 2000;
    assert!(matches!(Desk::open(wrong).await.unwrap_err(), DeskError::UtcOffset(2000)));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Desk::open(config(&file)).await.unwrap_err();
    assert!(matches!(error, DeskError::Folder { .. }), "{error}");
    let first = Desk::open(config(folder.path())).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let mut taken = config(other.path());
    taken.listen = first.address();
    let error = Desk::open(taken).await.unwrap_err();
    assert!(matches!(error, DeskError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let whole = picture();
    let sha = sha256(&whole);
    let half = begin_upload(desk.address, &sha, &whole).await;
    let incoming = folder.path().join("evidence/.incoming");
    until(|| files_under(&incoming).len() == 1).await;
    assert_eq!(desk.get(&format!("/api/v1/evidence/{sha}")).await.status, 404, "half is not visible");
    drop(half);
    until(|| files_under(&incoming).is_empty()).await;
    assert_eq!(desk.put(whole).await.status, 201);
    desk.stop().await;
}

#[tokio::test]
async fn a_kill_in_the_middle_of_an_upload_loses_nothing_that_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::child_process_desk", "--ignored"])
        .env(CHILD_FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address_file = folder.path().join(CHILD_ADDRESS);
    until(|| address_file.exists()).await;
    let address = std::fs::read_to_string(&address_file).unwrap().parse().unwrap();

    let client = crate::desk_under_test::client();
    let sent = case(&[]);
    let posted = client
        .post(format!("http://{address}/api/v1/cases"))
        .bearer_auth(TOKEN)
        .header("Idempotency-Key", sent["idempotency_key"].as_str().unwrap())
        .json(&sent);
    assert_eq!(posted.send().await.unwrap().status(), 201);
    let whole = picture();
    let sha = sha256(&whole);
    let _half = begin_upload(address, &sha, &whole).await;
    let incoming = folder.path().join("evidence/.incoming");
    until(|| files_under(&incoming).len() == 1).await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(files_under(&incoming).len(), 1, "the kill left half a file");

    let desk = serve(folder.path()).await;
    assert!(files_under(&folder.path().join("evidence")).is_empty(), "and opening removed it");
    assert_eq!(desk.get(&format!("/api/v1/evidence/{sha}")).await.status, 404);
    assert_eq!(desk.get("/api/v1/cases").await.body["cases"], json!([sent]));
    assert_eq!(desk.put(whole).await.status, 201);
    desk.stop().await;
}

/// Not a test: the process that the test above kills.
#[tokio::test]
#[ignore = "started by another test"]
async fn child_process_desk() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let folder = Path::new(&folder);
    let desk = Desk::open(config(folder)).await.unwrap();
    let written = folder.join("child.address.partial");
    std::fs::write(&written, desk.address().to_string()).unwrap();
    std::fs::rename(&written, folder.join(CHILD_ADDRESS)).unwrap();
    desk.serve(std::future::pending()).await.unwrap();
}

/// Sends all but the last byte and waits.
async fn begin_upload(address: std::net::SocketAddr, sha: &str, whole: &[u8]) -> TcpStream {
    let head = format!(
        "PUT /api/v1/evidence/{sha} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Length: {}\r\n\r\n",
        whole.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&whole[..whole.len() - 1]).await.unwrap();
    stream.flush().await.unwrap();
    stream
}

/// Looks until something is so.
async fn until(so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never came to be so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
