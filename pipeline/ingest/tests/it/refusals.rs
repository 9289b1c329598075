//! Wrong password, wrong path, closed port, not RTSP, silent door, no video: different clear sentences.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use ingest::{Cadence, CameraState, Refusal, SourceLocation, Transport, probe};
use samples::{Codec, Scheme};

use crate::support::{Clips, config, credentials, rtsp, serve, serve_guarded, watch};

const WRONG: &str = "hunter2";

fn refusal_of(location: SourceLocation) -> Refusal {
    let watched = watch(config(location.clone(), Cadence::Keyframes));
    watched.until(|state| matches!(state, CameraState::Refused(_)));
    let CameraState::Refused(supervised) = watched.camera.state() else {
        panic!("{:?}", watched.camera.state())
    };
    let probed = probe(location, Duration::from_secs(4)).unwrap_err();
    assert_eq!(supervised, probed);
    let shown = format!("{supervised} {supervised:?} {}", watched.camera.state());
    assert!(!shown.contains(WRONG), "{shown}");
    println!("{supervised}");
    supervised
}

fn wrong_password(scheme: Scheme) {
    let clips = Clips::new();
    let server = serve_guarded(clips.moving(Codec::H264), scheme);
    let location = SourceLocation::Rtsp {
        url: server.url("street"),
        transport: Transport::Tcp,
        credentials: credentials(WRONG),
    };
    assert_eq!(refusal_of(location), Refusal::Unauthorized);
    // No password at all is the same mistake.
    assert_eq!(refusal_of(rtsp(server.url("street"), Transport::Tcp)), Refusal::Unauthorized);
}

#[test]
fn wrong_password_basic() {
    wrong_password(Scheme::Basic);
}

#[test]
fn wrong_password_digest() {
    wrong_password(Scheme::Digest);
}

#[test]
fn wrong_path() {
    let clips = Clips::new();
    let server = serve(clips.moving(Codec::H264));
    assert_eq!(refusal_of(rtsp(server.url("nowhere"), Transport::Tcp)), Refusal::NotFound);
}

#[test]
fn closed_port_and_unknown_name() {
    // Bound and let go: nobody listens there now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refusal = refusal_of(rtsp(format!("rtsp://u:{WRONG}@127.0.0.1:{port}/x"), Transport::Tcp));
    assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
    let refusal = refusal_of(rtsp("rtsp://no-such-camera.invalid/x".into(), Transport::Tcp));
    assert!(matches!(refusal, Refusal::Unreachable(_)), "{refusal:?}");
}

/// A server that says `answer` to whoever knocks, on a thread that ends with the test.
fn answering(answer: &'static [u8]) -> (u16, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                // Accepts and says nothing.
                open.push(stream);
            }
        }
    });
    (port, thread)
}

#[test]
fn an_http_server_is_not_rtsp() {
    let (port, _server) = answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::NotRtsp);
}

#[test]
fn a_banner_is_not_rtsp() {
    let (port, _server) = answering(b"SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::NotRtsp);
}

#[test]
fn a_silent_door_is_not_rtsp() {
    let (port, _server) = answering(b"");
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::NotRtsp);
}

/// A minimal RTSP server that describes a stream by this SDP.
fn describing(sdp: &'static str) -> (u16, impl Sized) {
    describing_but(sdp, |_, _| None)
}

/// The same, where `other` may answer otherwise, by the request and its `CSeq` line.
fn describing_but(
    sdp: &'static str,
    other: fn(request: &str, cseq: &str) -> Option<String>,
) -> (u16, impl Sized) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut text = [0; 2048];
                while let Ok(n @ 1..) = stream.read(&mut text) {
                    let request = String::from_utf8_lossy(&text[..n]).into_owned();
                    let cseq =
                        request.lines().find(|l| l.starts_with("CSeq")).unwrap_or("CSeq: 1").to_owned();
                    let body = if request.starts_with("DESCRIBE") { sdp } else { "" };
                    let answer = format!(
                        "RTSP/1.0 200 OK\r\n{cseq}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\
                         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let answer = other(&request, &cseq).unwrap_or(answer);
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, thread)
}

#[test]
fn sound_alone_is_no_video() {
    let (port, _server) = describing(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\na=control:a\r\n",
    );
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::NoVideo);
}

#[test]
fn another_codec_is_named() {
    let (port, _server) = describing(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\na=control:v\r\n",
    );
    let refusal = refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp));
    assert_eq!(refusal, Refusal::UnsupportedCodec("JPEG".into()));
}

const VIDEO_SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n\
     m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:v\r\n";

/// VLC's: rtspsrc takes an answer without `CSeq` for rubbish and names no reason.
#[test]
fn a_404_without_its_cseq_is_a_wrong_path() {
    let (port, _server) = describing_but(VIDEO_SDP, |request, _| {
        let not_found = "RTSP/1.0 404 Not found\r\nContent-Length: 3\r\n\r\nno!";
        request.starts_with("DESCRIBE").then(|| not_found.to_owned())
    });
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::NotFound);
}

/// VLC's again: it sends over UDP only.
#[test]
fn a_transport_that_the_camera_does_not_have_is_named() {
    let (port, _server) = describing_but(VIDEO_SDP, |request, cseq| {
        let refused = format!("RTSP/1.0 461 Client error\r\n{cseq}\r\nContent-Length: 0\r\n\r\n");
        request.starts_with("SETUP").then_some(refused)
    });
    assert_eq!(refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp)), Refusal::Transport);
}

/// rtspsrc would take in whatever is announced.
#[test]
fn a_gigantic_description_is_refused_unread() {
    let (port, _server) = describing_but(VIDEO_SDP, |request, cseq| {
        let giant = format!("RTSP/1.0 200 OK\r\n{cseq}\r\nContent-Length: 2147483647\r\n\r\nv=0\r\n");
        request.starts_with("DESCRIBE").then_some(giant)
    });
    let refusal = refusal_of(rtsp(format!("rtsp://127.0.0.1:{port}/x"), Transport::Tcp));
    assert_eq!(refusal, Refusal::Other("it announces a description of more than a megabyte".into()));
}
