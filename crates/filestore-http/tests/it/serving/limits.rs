//! What a connection may ask for, and how many there may be.

use std::io::ErrorKind;

use filestore_http::ServeOptions;

use super::Running;
use super::client::request;
use crate::harness::{Ask, noise};
use crate::molgenis;
use crate::subject::{File, Subject};

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let running = Running::start(ServeOptions::default()).await;
    let mut client = running.connect().await;
    let content = noise(300_000);
    client.send(request(&molgenis::Api.upload(&File::of(&content)))).await;
    let uploaded = client.answer().await;
    assert_eq!(uploaded.status, 201);
    let id = uploaded.json()["id"].as_str().unwrap().to_owned();
    let url = molgenis::Api.at(&id);
    // That the next answer begins where it must shows that HEAD and 304 have no body.
    client.send(request(&Ask::head(&url))).await;
    let (status, head) = client.head().await;
    assert_eq!(status, 200);
    assert!(head.to_ascii_lowercase().contains("content-length: 300000\r\n"), "{head}");
    client.send(request(&Ask::get(&url).header("if-none-match", "*"))).await;
    assert_eq!(client.head().await.0, 304);
    client.send(request(&Ask::get(&url).header("range", "bytes=1-3"))).await;
    assert_eq!(client.answer().await.body, content[1..4]);
    // Two at once are answered one after the other.
    let get = request(&Ask::get(&url));
    client.send([&get[..], &get].concat()).await;
    assert!(client.answer().await.body == content);
    assert!(client.answer().await.body == content);
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let mut options = ServeOptions::default();
    options.max_head = 8 << 10;
    options.max_headers = 50;
    let running = Running::start(options).await;
    let long = "x".repeat(9000);
    let lines = "X-Line: y\r\n".repeat(60);
    for (target, fields) in [
        ("/healthz".to_owned(), format!("X-Long: {long}\r\n")),
        ("/healthz".to_owned(), format!("X-Huge: {}\r\n", "x".repeat(1 << 20))),
        (format!("/healthz?{long}"), String::new()),
        ("/healthz".to_owned(), lines),
    ] {
        let mut client = running.connect().await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        // The refusal may come before all of it is sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, request.as_bytes()).await;
        assert_eq!(client.head().await.0, 431);
    }
    let mut client = running.connect().await;
    client.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", &long[..7000])).await;
    assert_eq!(client.answer().await.status, 200);
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn requests_that_can_be_misread_are_refused() {
    let running = Running::start(ServeOptions::default()).await;
    let post = "POST /api/files HTTP/1.1\r\nHost: x\r\n";
    let token = format!("Authorization: Bearer {}\r\n", crate::harness::Token::full());
    for request in [
        format!("{post}{token}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        format!("{post}{token}Content-Length: -1\r\n\r\na"),
        format!("{post}{token}Content-Length: 99999999999999999999999\r\n\r\na"),
        format!("{post}{token}Transfer-Encoding: chunked\r\n\r\nzz\r\na\r\n0\r\n\r\n"),
        format!("{post}{token}Transfer-Encoding: gzip\r\n\r\na"),
        format!("{post}Bad Header: x\r\n\r\n"),
        "nonsense\r\n\r\n".to_owned(),
    ] {
        let mut client = running.connect().await;
        client.send(&request).await;
        let (status, _) = client.head().await;
        assert!((400..500).contains(&status), "{status} for {request}");
        client.rest().await;
    }
    assert_eq!(running.stop().await.count().await, 0);
}

#[tokio::test]
async fn connections_past_the_cap_wait_for_their_turn() {
    let mut options = ServeOptions::default();
    options.max_connections = 1;
    let running = Running::start(options).await;
    let healthz = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = running.connect().await;
    first.send(healthz).await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = running.connect().await;
    second.send(healthz).await;
    // The server has had every occasion to look at the second one.
    for _ in 0..50 {
        first.send(healthz).await;
        assert_eq!(first.answer().await.status, 200);
    }
    let early = second.stream.try_read(&mut [0; 1]);
    assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    assert_eq!(second.answer().await.status, 200);
    drop(second);
    running.stop().await;
}
