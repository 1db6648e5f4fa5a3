//! The orderly end.

use std::time::Duration;

use filestore_http::ServeOptions;

use super::client::{head, request};
use super::{Client, Running, soon};
use crate::harness::Ask;
use crate::molgenis;
use crate::subject::{File, Subject};

const READYZ: &str = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";

/// A client in the middle of an upload of "content", of which the server has begun to read.
async fn uploading(running: &Running) -> Client {
    let mut client = running.connect().await;
    let ask = molgenis::Api.upload(&File::of(b"content"));
    client.send(head(&ask, "Expect: 100-continue\r\nContent-Length: 7\r\n")).await;
    assert_eq!(client.head().await.0, 100);
    client.send("con").await;
    client
}

#[tokio::test]
async fn what_runs_is_finished_and_what_is_new_is_told() {
    let running = Running::start(ServeOptions::default()).await;
    let mut uploading = uploading(&running).await;
    let mut idle = running.connect().await;
    idle.send(READYZ).await;
    assert_eq!(idle.answer().await.status, 200);
    let Running { world, address, shutdown, task } = running;
    shutdown.send(()).unwrap();

    let told = async {
        loop {
            let mut client = Client::connect(address).await;
            client.send(READYZ).await;
            let answer = client.answer().await;
            match answer.status {
                503 => return client,
                status => assert_eq!(status, 200),
            }
        }
    };
    // Each new connection is for one request.
    assert!(soon(told).await.rest().await.is_empty());
    // The idle one is not kept.
    assert!(idle.rest().await.is_empty());
    // Others still get what they ask for.
    let mut late = Client::connect(address).await;
    late.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(late.answer().await.status, 200);
    assert!(!task.is_finished());

    uploading.send("tent").await;
    let answer = uploading.answer().await;
    assert_eq!(answer.status, 201);
    assert!(uploading.rest().await.is_empty());
    soon(task).await.unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let url = molgenis::Api.at(answer.json()["id"].as_str().unwrap());
    assert_eq!(world.send(Ask::get(url)).await.expect(200).body, "content");
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let mut options = ServeOptions::default();
    options.drain_within = Duration::from_millis(200);
    let running = Running::start(options).await;
    let uploading = uploading(&running).await;
    let world = running.stop().await;
    assert_eq!(world.count().await, 0);
    drop(uploading);
}

#[tokio::test]
async fn a_server_without_clients_ends_at_once() {
    let running = Running::start(ServeOptions::default()).await;
    let mut client = running.connect().await;
    client.send(request(&molgenis::Api.upload(&File::of(b"content")))).await;
    assert_eq!(client.answer().await.status, 201);
    assert_eq!(running.stop().await.count().await, 1);
    assert!(client.rest().await.is_empty());
}
