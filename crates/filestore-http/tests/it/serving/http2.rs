//! HTTP/2 without TLS, by prior knowledge.

use bytes::Bytes;
use filestore_http::ServeOptions;
use futures::stream;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Running, soon};
use crate::harness::{Ask, Reply, Token, noise};
use crate::molgenis;
use crate::subject::{ALL, File, Subject};

pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client that takes so many bytes of an answer before it has looked at them, and the task that
/// ends with its connection.
pub(super) async fn connected(
    running: &Running,
    window: u32,
) -> (SendRequest<Body>, JoinHandle<hyper::Result<()>>) {
    let stream = TcpStream::connect(running.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (client, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    (client, tokio::spawn(connection))
}

async fn connect(running: &Running) -> SendRequest<Body> {
    connected(running, 1 << 20).await.0
}

/// The answer, as soon as its head is there.
pub(super) fn begin(
    client: &SendRequest<Body>,
    ask: Ask,
    body: Body,
) -> impl Future<Output = hyper::Result<Response<Incoming>>> + use<> {
    let mut request =
        Request::builder().method(ask.method).uri(format!("http://files.test:8080{}", ask.target));
    *request.headers_mut().unwrap() = ask.headers;
    // HTTP/2 has `:authority` in its place.
    request.headers_mut().unwrap().remove(header::HOST);
    client.clone().send_request(request.body(body).unwrap())
}

pub(super) async fn send(
    client: &SendRequest<Body>,
    ask: Ask,
    body: Body,
) -> (StatusCode, HeaderMap, Bytes) {
    let (head, body) = soon(begin(client, ask, body)).await.unwrap().into_parts();
    (head.status, head.headers, soon(body.collect()).await.unwrap().to_bytes())
}

pub(super) fn whole(ask: &Ask) -> Body {
    Full::new(ask.content.clone()).map_err(|never| match never {}).boxed_unsync()
}

#[tokio::test]
async fn every_dialect_is_served_with_many_requests_at_once() {
    let running = Running::start(ServeOptions::default()).await;
    let client = connect(&running).await;
    let content = noise(200_000);
    let rounds = (0..30).map(|n| {
        let (api, client, running) = (ALL[n % 5], &client, &running);
        let content = &content[n..];
        async move {
            let (upload, first) = running.world.begun(api.upload(&File::of(content))).await;
            let upload = upload.bearer(Token::full());
            let body = whole(&upload);
            let (status, headers, body) = send(client, upload, body).await;
            assert!(status.is_success(), "{status}");
            assert_eq!(headers["x-request-id"].len(), 36);
            let uploaded = Reply { status, headers, body, read_body: true, first };
            // Absolute URLs know where they were asked for.
            for location in uploaded.headers.get_all("location") {
                assert!(location.to_str().unwrap().starts_with("http://files.test:8080/"));
            }
            let get = Ask::get(api.stored(&uploaded)).bearer(Token::full());
            let (status, headers, body) = send(client, get, Body::default()).await;
            assert_eq!(status, 200);
            assert_eq!(headers["content-length"], content.len().to_string());
            assert!(body == content);
        }
    });
    futures::future::join_all(rounds).await;
    drop(client);
    assert_eq!(running.stop().await.count().await, 30);
}

#[tokio::test]
async fn refusals_come_before_the_body() {
    let mut options = ServeOptions::default();
    options.drain_within = std::time::Duration::ZERO;
    let running = Running::start(options).await;
    let client = connect(&running).await;
    let never = || {
        let frames = stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
        StreamBody::new(frames).boxed_unsync()
    };
    let upload = molgenis::Api.upload(&File::of(b"content"));
    let (status, ..) = send(&client, upload.clone(), never()).await;
    assert_eq!(status, 401);
    let huge = upload.bearer(Token::full()).header("content-length", "999999999999");
    let (status, ..) = send(&client, huge, never()).await;
    assert_eq!(status, 413);
    drop(client);
    assert_eq!(running.stop().await.count().await, 0);
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_nothing() {
    let running = Running::start(ServeOptions::default()).await;
    let client = connect(&running).await;
    for size in [0, 10, 100_000] {
        let frames = stream::iter([
            Ok(Frame::data(Bytes::from(noise(size)))),
            Err(std::io::Error::other("gone")),
        ]);
        let body = StreamBody::new(frames).boxed_unsync();
        let upload = molgenis::Api.upload(&File::of(b"")).bearer(Token::full());
        let outcome = soon(begin(&client, upload, body)).await;
        assert!(outcome.is_err_and(|error| !error.is_timeout()), "{size}");
    }
    drop(client);
    assert_eq!(running.stop().await.count().await, 0);
}
