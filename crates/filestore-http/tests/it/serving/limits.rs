//! What a connection may ask for, and how many there may be.

use std::time::Duration;

use filestore_http::ServeOptions;
use tokio::io::AsyncWriteExt;

use super::client::{head, request};
use super::{Client, Running};
use crate::harness::{Ask, MAX_FILE, noise};
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
    for (target, fields, has_id) in [
        ("/healthz".to_owned(), format!("X-Long: {long}\r\n"), true),
        (format!("/healthz?{long}"), String::new(), true),
        // These are refused before there is a request.
        ("/healthz".to_owned(), format!("X-Huge: {}\r\n", "x".repeat(1 << 20)), false),
        ("/healthz".to_owned(), lines, false),
    ] {
        let mut client = running.connect().await;
        let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
        // The refusal may come before all of it is sent.
        let _ = client.stream.write_all(request.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 431);
        assert_eq!(answer.find("x-request-id").is_some(), has_id);
    }
    let mut client = running.connect().await;
    client.send(format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", &long[..7000])).await;
    assert_eq!(client.answer().await.status, 200);
    drop(client);
    running.stop().await;
}

const HEALTHZ: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

async fn healthy(client: &mut Client) {
    client.send(HEALTHZ).await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn connections_past_the_cap_wait_while_requests_run() {
    let mut options = ServeOptions::default();
    options.max_connections = 1;
    let running = Running::start(options).await;
    let mut first = running.connect().await;
    let upload = molgenis::Api.upload(&File::of(b"content"));
    first.send(head(&upload, "Expect: 100-continue\r\nContent-Length: 7\r\n")).await;
    assert_eq!(first.head().await.0, 100);
    let mut second = running.connect().await;
    second.send(HEALTHZ).await;
    let early = second.stream.readable();
    assert!(tokio::time::timeout(Duration::from_millis(200), early).await.is_err());
    first.send("content").await;
    assert_eq!(first.answer().await.status, 201);
    assert_eq!(second.answer().await.status, 200);
    drop((first, second));
    assert_eq!(running.stop().await.count().await, 1);
}

/// However many hold a connection and ask for nothing, whoever comes is served.
#[tokio::test]
async fn who_has_waited_longest_for_a_request_gives_way_to_who_comes() {
    let mut options = ServeOptions::default();
    options.max_connections = 3;
    let running = Running::start(options).await;
    let upload = molgenis::Api.upload(&File::of(b"content"));
    let mut busy = running.connect().await;
    busy.send(head(&upload, "Expect: 100-continue\r\nContent-Length: 7\r\n")).await;
    assert_eq!(busy.head().await.0, 100);
    let mut used = running.connect().await;
    healthy(&mut used).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    for beginning in ["", "GET /healthz HTTP/1.1\r\nHost:", preface] {
        let mut idle = running.connect().await;
        idle.send(beginning).await;
        // Of the two it is the one that asked last, and stays.
        let mut next = running.connect().await;
        healthy(&mut next).await;
        used.rest().await;
        healthy(&mut next).await;
        used = next;
        let mut last = running.connect().await;
        healthy(&mut last).await;
        idle.rest().await;
        healthy(&mut used).await;
        drop(last);
    }
    busy.send("content").await;
    assert_eq!(busy.answer().await.status, 201);
    drop((busy, used));
    running.stop().await;
}

#[tokio::test]
async fn who_closes_its_own_side_still_gets_the_answers() {
    let running = Running::start(ServeOptions::default()).await;
    let content = noise(MAX_FILE);
    let uploaded = running.world.send(molgenis::Api.upload(&File::of(&content))).await;
    let get = request(&Ask::get(molgenis::Api.stored(&uploaded)));
    let upload = request(&molgenis::Api.upload(&File::of(b"content")));
    let mut client = running.connect().await;
    // More than fits between the two, so that the end is seen while answers are being written.
    client.send([get.repeat(20), upload].concat()).await;
    client.stream.shutdown().await.unwrap();
    for _ in 0..20 {
        assert!(client.answer().await.body == content);
    }
    assert_eq!(client.answer().await.status, 201);
    assert!(client.rest().await.is_empty());
    assert_eq!(running.stop().await.count().await, 2);
}
