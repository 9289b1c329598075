//! A person's way in: the form, the link, the cookie, and TLS.

use std::path::Path;

use desk::{Desk, DeskError, NewToken, Role, TlsFiles, TokenBook};
use reqwest::{Client, Response};
use serde_json::json;
use tokio::sync::oneshot;

use crate::desk_under_test::{Served, TOKEN, client, config, serve, serve_with, token};

/// A redirect is looked at, not followed.
pub(crate) fn client_without_redirects() -> Client {
    drop(client());
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn show(desk: &Served, token: &str, next: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = client_without_redirects()
        .post(desk.url("/login"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("token={token}&next={next}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

const OWN_PAGE: &[(&str, &str)] = &[("Sec-Fetch-Site", "same-origin")];

/// The cookie's name and value, and its attributes.
fn cookie(response: &Response) -> (String, String) {
    let line = response.headers()["Set-Cookie"].to_str().unwrap();
    let (pair, attributes) = line.split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

async fn get(desk: &Served, path: &str, cookie: &str) -> u16 {
    let request = client_without_redirects().get(desk.url(path)).header("Cookie", cookie);
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_token_shown_once_is_a_session_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let filed = desk.filed().await;
    let evidence = filed["evidence"][0]["uri"].as_str().unwrap();
    let anonymous = client_without_redirects().get(desk.url("/?state=reported")).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    let form = anonymous.text().await.unwrap();
    assert!(form.contains("name=\"token\"") && form.contains("value=\"/?state=reported\""), "{form}");

    let book = TokenBook::open(folder.path()).await.unwrap();
    let (viewer, row) = book.issue(&NewToken::new("Wang", Role::Viewer)).await.unwrap();
    let wrong = show(&desk, "srg_wrong", "/", OWN_PAGE).await;
    assert_eq!(wrong.status(), 401);
    assert!(!wrong.headers().contains_key("Set-Cookie"));
    let right = show(&desk, &viewer, "/cases/1", OWN_PAGE).await;
    assert_eq!((right.status().as_u16(), right.headers()["Location"].to_str().unwrap()), (303, "/cases/1"));
    let (session, attributes) = cookie(&right);
    assert!(session.starts_with("shirong_session=") && !session.contains(&viewer));
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
    for path in ["/", evidence, "/api/v1/cases"] {
        assert_eq!(get(&desk, path, &session).await, 200, "{path}");
    }
    assert_eq!(get(&desk, "/metrics", &session).await, 403, "a session is its token's role");
    assert_eq!(get(&desk, "/", "shirong_session=0000").await, 401);

    let leave = client_without_redirects().post(desk.url("/logout")).header("Cookie", &session);
    let left = leave.header("Sec-Fetch-Site", "same-origin").send().await.unwrap();
    assert_eq!(
        (left.status().as_u16(), left.headers()["Clear-Site-Data"].to_str().unwrap()),
        (303, "\"cache\"")
    );
    assert_eq!(get(&desk, "/", &session).await, 401);

    let again = show(&desk, &viewer, "//evil.example/", OWN_PAGE).await;
    assert_eq!(again.headers()["Location"], "/", "nobody is sent elsewhere");
    let (session, _) = cookie(&again);
    assert_eq!(get(&desk, "/", &session).await, 200);
    book.revoke(&row.id).await.unwrap();
    assert_eq!(get(&desk, "/", &session).await, 401, "a session ends with its token");
    let acts: Vec<_> = book.audit(6).await.unwrap().into_iter().map(|entry| entry.what).collect();
    assert_eq!(acts[..4], ["token_revoked", "login", "logout", "refused"]);
    book.close().await;
    desk.stop().await;
}

#[tokio::test]
async fn a_form_of_another_site_is_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let id = desk.filed().await["case_id"].as_str().unwrap().to_owned();
    let (session, _) = cookie(&show(&desk, &desk.admin, "/", OWN_PAGE).await);
    let close = async |headers: &[(&str, &str)]| {
        let mut request =
            client().post(desk.url(&format!("/api/v1/cases/{id}/close"))).header("Cookie", &session);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.json(&json!({ "reason": "cleared" })).send().await.unwrap().status().as_u16()
    };
    for foreign in [
        &[][..],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-site")],
        &[("Origin", "http://evil.example")],
        &[("Origin", "null")],
    ] {
        assert_eq!(close(foreign).await, 403, "{foreign:?}");
        assert_eq!(show(&desk, &desk.admin, "/", foreign).await.status(), 403, "{foreign:?}");
        let mut leave = client_without_redirects().post(desk.url("/logout")).header("Cookie", &session);
        for (name, value) in foreign {
            leave = leave.header(*name, *value);
        }
        assert_eq!(leave.send().await.unwrap().status(), 403, "{foreign:?}");
    }
    assert_eq!(get(&desk, "/", &session).await, 200, "nobody was logged out");
    let origin = format!("http://{}", desk.address);
    assert_eq!(close(&[("Origin", &origin)]).await, 200);
    desk.stop().await;
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let desk = serve(folder.path()).await;
    let post = async |media_type: &str, body: String| {
        let request = client().post(desk.url("/login")).header("Content-Type", media_type);
        request.header("Sec-Fetch-Site", "same-origin").body(body).send().await.unwrap().status().as_u16()
    };
    let form = "application/x-www-form-urlencoded";
    assert_eq!(post("application/json", "{}".to_owned()).await, 415);
    assert_eq!(post(form, "next=/".to_owned()).await, 400);
    assert_eq!(post(form, "token=\u{7}\n<".to_owned()).await, 400);
    assert_eq!(post(form, format!("token={}", "a".repeat(5000))).await, 413);
    desk.stop().await;
}

#[tokio::test]
async fn a_link_lets_one_browser_in() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(config(folder.path())).await.unwrap();
    let (url, link) = (desk.url(), desk.door().login_link().await.unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(desk.serve(async { drop(stopped.await) }));
    let client = client_without_redirects();
    let ahead = client.head(format!("{url}{link}")).send().await.unwrap();
    assert_eq!(ahead.status(), 204, "a look ahead does not use it up");
    let first = client.get(format!("{url}{link}")).send().await.unwrap();
    assert_eq!((first.status().as_u16(), first.headers()["Location"].to_str().unwrap()), (303, "/"));
    let (session, _) = cookie(&first);
    let page = client.get(&url).header("Cookie", &session).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let second = client.get(format!("{url}{link}")).send().await.unwrap();
    assert_eq!(second.status(), 401);
    assert!(!second.headers().contains_key("Set-Cookie"));
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn the_first_administrator_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(config(folder.path())).await.unwrap();
    let token = desk.door().first_administrator().await.unwrap().unwrap();
    assert!(token.starts_with("srg_") && token.len() == 68, "{token}");
    assert_eq!(desk.door().first_administrator().await.unwrap(), None);
    drop(desk);
    let desk = Desk::open(config(folder.path())).await.unwrap();
    assert_eq!(desk.door().first_administrator().await.unwrap(), None, "nor after a restart");
}

/// A certificate for loopback; its PEM.
fn certificate(folder: &Path) -> (TlsFiles, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    let files = TlsFiles { cert: folder.join("desk.pem"), key: folder.join("desk.key") };
    std::fs::write(&files.cert, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    (files, made.cert.pem())
}

#[tokio::test]
async fn over_tls_the_cookie_is_secure_and_the_pipeline_posts_beside() {
    let folder = tempfile::tempdir().unwrap();
    let (files, pem) = certificate(folder.path());
    let mut config = config(&folder.path().join("desk"));
    config.tls = Some(files);
    let desk = serve_with(config).await;
    drop(client());
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let trusting = Client::builder()
        .no_proxy()
        .tls_certs_only([root])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let front = &desk.front_url;
    assert!(front.starts_with("https://127.0.0.1:"), "{front}");
    assert_eq!(trusting.get(format!("{front}/livez")).send().await.unwrap().status(), 200);
    let plain = client().get(desk.url("/livez")).send().await;
    assert!(plain.is_err() || plain.is_ok_and(|answer| !answer.status().is_success()), "no plain HTTP there");
    let entered = trusting
        .post(format!("{front}/login"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("Sec-Fetch-Site", "same-origin")
        .body(format!("token={}", desk.admin))
        .send()
        .await
        .unwrap();
    let (session, attributes) = cookie(&entered);
    assert!(session.starts_with("__Host-shirong_session="), "{session}");
    assert_eq!(attributes, "Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure");
    let page = trusting.get(front).header("Cookie", &session).send().await.unwrap();
    assert_eq!(page.status(), 200);

    // A caller that opens a connection and says nothing holds up nobody.
    let silent = tokio::net::TcpStream::connect(desk.address).await.unwrap();
    assert_eq!(trusting.get(format!("{front}/livez")).send().await.unwrap().status(), 200);
    drop(silent);
    let own = &desk.own_url;
    assert!(own.starts_with("http://127.0.0.1:"), "{own}");
    let cases = client().get(format!("{own}/api/v1/cases"));
    assert_eq!(cases.bearer_auth(TOKEN).send().await.unwrap().status(), 200);
    desk.stop().await;
}

#[tokio::test]
async fn a_certificate_that_is_none_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = certificate(folder.path());
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let (others, _) = certificate(&other);
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (wrong, named) in [
        (TlsFiles { cert: folder.path().join("absent.pem"), key: files.key.clone() }, "absent.pem"),
        (TlsFiles { cert: empty.clone(), key: files.key.clone() }, "empty.pem"),
        (TlsFiles { cert: files.cert.clone(), key: empty }, "empty.pem"),
        (TlsFiles { cert: files.cert.clone(), key: others.key }, "desk.key"),
    ] {
        let mut config = config(&folder.path().join("desk"));
        config.tls = Some(wrong);
        let error = Desk::open(config).await.unwrap_err();
        assert!(matches!(error, DeskError::Tls { .. }) && error.to_string().contains(named), "{error}");
    }
    assert!(!token(&folder.path().join("desk"), NewToken::new("x", Role::Viewer)).await.is_empty());
}
