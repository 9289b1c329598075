//! Pictures and clips: kept under their digest, or not at all.

use reqwest::Method;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::desk_under_test::{Answer, TOKEN, encoded, jpeg_with_comment, picture, serve, sha256};

#[tokio::test]
async fn a_picture_is_kept_once_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    for (bytes, media_type) in [
        (picture(), "image/jpeg"),
        (encoded(image::ImageFormat::Png), "image/png"),
        (clip(60_000), "video/mp4"),
    ] {
        let sha = sha256(&bytes);
        assert_eq!(desk.put(bytes.clone()).await.status, 201);
        let again = desk.put(bytes.clone()).await;
        assert_eq!((again.status.as_u16(), again.body["sha256"].as_str()), (200, Some(sha.as_str())));
        let response = desk
            .client
            .get(desk.url(&format!("/api/v1/evidence/{sha}")))
            .bearer_auth(&desk.admin)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("Content-Type"), media_type);
        assert_eq!(header("Content-Length"), bytes.len().to_string());
        assert_eq!(header("X-Content-Type-Options"), "nosniff");
        assert!(header("Cache-Control").starts_with("private, max-age=3600"));
        assert_eq!(header("Vary"), "Authorization, Cookie");
        assert_eq!(response.bytes().await.unwrap(), bytes);
    }
    desk.stop().await;
}

#[tokio::test]
async fn what_is_not_evidence_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let put = async |sha: &str, body: Vec<u8>| {
        let request = desk.write(Method::PUT, &format!("/api/v1/evidence/{sha}")).body(body);
        Answer::of(request.send().await.unwrap()).await
    };
    let page = b"<html><script>alert(1)</script>".to_vec();
    for bytes in [page.clone(), vec![], b"\xff\xd8".to_vec(), b"GIF89a 123456".to_vec()] {
        let answer = put(&sha256(&bytes), bytes).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (415, "media_type"));
    }
    // What only begins like a picture, or ends too early.
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 3].to_vec();
    for bytes in [
        b"\xff\xd8\xff\xe0 a picture, or so it says".to_vec(),
        [b"\x89PNG\r\n\x1a\n".as_slice(), &page].concat(),
        half(encoded(image::ImageFormat::Jpeg)),
        half(encoded(image::ImageFormat::Png)),
        [b"\0\0\0\x20ftypisom".as_slice(), &page].concat(),
        half(clip(3000)),
    ] {
        let answer = put(&sha256(&bytes), bytes).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (422, "content"), "{}", answer.body);
    }
    let kept = picture();
    let answer = put(&sha256(b"other"), kept.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "hash_mismatch"));
    assert_eq!(put(&sha256(&kept), kept.clone()).await.status, 201);
    // Also where the digest is there already.
    assert_eq!(put(&sha256(&kept), picture()).await.status, 422);

    let names = [
        sha256(b"x").to_uppercase(),
        "..%2f..%2f..%2fetc%2fpasswd".to_owned(),
        format!("..%2F{}", &sha256(b"x")[3..]),
        "%00".to_owned(),
        "abc".to_owned(),
    ];
    for name in names {
        assert_eq!(put(&name, picture()).await.status, 422, "{name}");
        assert_eq!(desk.get(&format!("/api/v1/evidence/{name}")).await.status, 404, "{name}");
    }
    assert_eq!(files_under(&folder.path().join("evidence")), [sha256(&kept)]);
    desk.stop().await;
}

#[tokio::test]
async fn a_large_body_is_refused_with_and_without_a_length() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let large = [b"\xff\xd8\xff".as_slice(), &vec![1; 1024 * 1024]].concat();
    let path = format!("/api/v1/evidence/{}", sha256(&large));
    let declared = desk.write(Method::PUT, &path).body(large.clone());
    assert_eq!(declared.send().await.unwrap().status(), 413);
    assert_eq!(put_in_chunks(desk.address, &path, &large).await, "HTTP/1.1 413 Payload Too Large");
    let empty = jpeg_with_comment(&[]).len();
    let exact = jpeg_with_comment(&vec![1; 64 * 1024 - empty]);
    assert_eq!(desk.put(exact).await.status, 201, "the limit itself is fine");
    assert_eq!(files_under(&folder.path().join("evidence")).len(), 1);
    desk.stop().await;
}

/// An MP4 of three boxes.
fn clip(bytes: u32) -> Vec<u8> {
    let of = |kind: &[u8; 4], bytes: u32| {
        [&(8 + bytes).to_be_bytes()[..], kind, &vec![7; bytes as usize]].concat()
    };
    [of(b"ftyp", 16), of(b"moov", 100), of(b"mdat", bytes)].concat()
}

/// Every file, by name, at any depth.
pub(crate) fn files_under(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            names.extend(files_under(&entry.path()));
        } else {
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    names
}

/// A body without a declared length; the first line of the answer.
async fn put_in_chunks(address: std::net::SocketAddr, path: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {TOKEN}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for chunk in bytes.chunks(10_000) {
        stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
        stream.write_all(chunk).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.unwrap();
    answer.trim_end().to_owned()
}
