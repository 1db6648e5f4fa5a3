use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use filestore::{ErrorKind, ManualClock, Timestamp};
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;

use super::super::super::testing::{NOW, TestKey};
use super::super::super::{Authenticator, JwtAuthenticator};
use super::*;

/// An issuer on loopback that answers what it is told to, and remembers what it was asked.
struct Server {
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    asked: Vec<String>,
    /// Status and body of everything, in place of the documents below.
    broken: Option<(u16, String)>,
    discovery: String,
    keys: String,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            discovery: json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string(),
            ..State::default()
        }));
        tokio::spawn(serve(listener, Arc::clone(&state)));
        Self { url, state }
    }

    fn publish(&self, keys: &[&TestKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.state.lock().unwrap().keys = json!({ "keys": keys }).to_string();
    }

    fn break_with(&self, status: u16, body: &str) {
        self.state.lock().unwrap().broken = Some((status, body.to_owned()));
    }

    fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    fn token(&self, key: &TestKey) -> String {
        key.sign(&json!({
            "iss": self.url, "aud": "files", "sub": "ada", "tenant": "acme",
            "scope": "files:read", "exp": NOW / 1000 + 100_000,
        }))
    }

    fn authenticator(&self) -> (JwtAuthenticator, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(NOW)));
        let authenticator = JwtAuthenticator::builder()
            .issuer(&self.url)
            .audience("files")
            .clock(Arc::clone(&clock) as _)
            .build()
            .unwrap();
        (authenticator, clock)
    }

    async fn load_error(&self) -> Error {
        Issuer::new(&self.url).unwrap().load().await.unwrap_err()
    }
}

async fn serve(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let path = request.uri().path().to_owned();
            let mut state = state.lock().unwrap();
            let (status, body) = match (&state.broken, path.as_str()) {
                (Some((status, body)), _) => (*status, body.clone()),
                (None, "/.well-known/openid-configuration") => (200, state.discovery.clone()),
                (None, "/keys") => (200, state.keys.clone()),
                (None, _) => (404, String::new()),
            };
            state.asked.push(path);
            let response = Response::builder()
                .status(status)
                .header("location", "/keys")
                .body(Full::new(Bytes::from(body)));
            async move { Ok::<_, Infallible>(response.unwrap()) }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[tokio::test]
async fn keys_are_found_by_discovery() {
    let (server, key) = (Server::start().await, TestKey::rs256("k"));
    server.publish(&[&key]);
    let (authenticator, _) = server.authenticator();
    assert!(server.asked().is_empty());
    let principal = authenticator.authenticate(&server.token(&key)).await.unwrap();
    assert_eq!(principal.subject.as_str(), format!("{}|ada", server.url));
    assert_eq!(server.asked(), ["/.well-known/openid-configuration", "/keys"]);
}

#[tokio::test]
async fn a_rotated_key_is_fetched_and_a_forged_one_does_not_flood_the_issuer() {
    let (server, old, new) =
        (Server::start().await, TestKey::rs256("old"), TestKey::rs256_next("new"));
    server.publish(&[&old]);
    let (authenticator, clock) = server.authenticator();
    let ok = authenticator.authenticate(&server.token(&old)).await;
    assert!(ok.is_ok());
    server.publish(&[&old, &new]);
    clock.advance(Duration::from_secs(1));
    let ok = authenticator.authenticate(&server.token(&new)).await;
    assert!(ok.is_ok());
    let before = server.asked().len();
    for n in 0..20 {
        let forged = TestKey::es256(&format!("forged-{n}"));
        let error = authenticator.authenticate(&server.token(&forged)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }
    assert_eq!(server.asked().len(), before);
}

#[tokio::test]
async fn the_last_keys_serve_while_the_issuer_is_down() {
    let (server, key) = (Server::start().await, TestKey::ed25519("k"));
    server.publish(&[&key]);
    let (authenticator, clock) = server.authenticator();
    let token = server.token(&key);
    assert!(authenticator.authenticate(&token).await.is_ok());
    server.break_with(503, "");
    clock.advance(Duration::from_secs(12 * 3600));
    assert!(authenticator.authenticate(&token).await.is_ok());
    clock.advance(Duration::from_secs(12 * 3600));
    let error = authenticator.authenticate(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Issuer::new(&url).unwrap().load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Nor is one that speaks no TLS where TLS is due.
    let server = Server::start().await;
    let https = server.url.replace("http:", "https:");
    let error = Issuer::new(&https).unwrap().load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn answers_that_prove_nothing_are_refused() {
    let server = Server::start().await;
    let good = server.state.lock().unwrap().discovery.clone();
    let too_long = format!("{}{}", good, " ".repeat(MAX_DOCUMENT));
    for (status, body) in [
        (404, good.as_str()),
        (302, good.as_str()),
        (200, ""),
        (200, "[]"),
        (200, too_long.as_str()),
    ] {
        server.break_with(status, body);
        assert_eq!(server.load_error().await.kind(), ErrorKind::Unavailable);
    }
    assert!(!server.asked().contains(&"/keys".to_owned()));
}

#[tokio::test]
async fn a_discovery_document_must_be_the_issuers_own_and_name_a_trusted_place() {
    let server = Server::start().await;
    server.publish(&[&TestKey::rs256("k")]);
    let url = server.url.clone();
    for (issuer, jwks_uri) in [
        (format!("{url}/"), format!("{url}/keys")),
        ("https://other.example".to_owned(), format!("{url}/keys")),
        (url.clone(), "http://other.example/keys".to_owned()),
        (url.clone(), "file:///etc/passwd".to_owned()),
        (url.clone(), "/keys".to_owned()),
    ] {
        let document = json!({ "issuer": issuer, "jwks_uri": jwks_uri }).to_string();
        server.state.lock().unwrap().discovery = document.clone();
        let _ = server.load_error().await;
        assert!(!server.asked().contains(&"/keys".to_owned()), "{document}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let started = tokio::time::Instant::now();
    let error = Issuer::new(&url).unwrap().load().await.unwrap_err();
    assert_eq!(error.to_string(), "the issuer is too slow");
    assert!(started.elapsed() < Duration::from_secs(6));
}

#[test]
fn only_urls_that_nobody_can_answer_in_its_place_are_taken() {
    for accepted in [
        "https://issuer.example",
        "https://issuer.example/realms/x/",
        "http://127.0.0.1:9000",
        "http://127.9.9.9",
        "http://[::1]:9000/a",
        "http://localhost:9000",
    ] {
        assert!(Issuer::new(accepted).is_ok(), "{accepted}");
    }
    for refused in [
        "",
        "issuer.example",
        "http://issuer.example",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://127.0.0.1@issuer.example",
        "https://user@issuer.example",
        "ftp://issuer.example",
        "https://issuer.example?x",
        "https://issuer.example#x",
        "https://issuer example",
    ] {
        let error = Issuer::new(refused).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
}
