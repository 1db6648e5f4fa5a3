//! Clients that keep the server waiting.

use std::time::Duration;

use filestore_http::ServeOptions;
use tokio::io::AsyncWriteExt;

use super::client::{head, request};
use super::{Running, http2, soon};
use crate::harness::{Ask, MAX_FILE, Token, noise};
use crate::molgenis;
use crate::subject::{File, Subject};

const BRIEF: Duration = Duration::from_millis(200);

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let mut options = ServeOptions::default();
    options.head_within = BRIEF;
    let running = Running::start(options).await;
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for beginning in ["", "G", "GET /healthz HTTP/1.1\r\nHost: x\r\n", "P", &preface[..23], preface]
    {
        let mut client = running.connect().await;
        client.send(beginning).await;
        let answered = client.rest().await;
        assert!(!answered.starts_with(b"HTTP/1.1 2"), "{beginning:?}");
    }
    // So does a connection that is idle after a request.
    let mut client = running.connect().await;
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.rest().await;
    running.stop().await;
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let mut options = ServeOptions::default();
    options.body_idle = BRIEF;
    let running = Running::start(options).await;
    let ask = molgenis::Api.upload(&File::of(b"content"));
    for (fields, beginning) in [
        ("Content-Length: 100\r\n", "ten bytes."),
        ("Content-Length: 100\r\n", ""),
        ("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"),
    ] {
        let mut client = running.connect().await;
        client.send(head(&ask, fields) + beginning).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, 400, "{answer:?}");
        client.rest().await;
    }
    assert_eq!(running.stop().await.count().await, 0);
}

/// One byte now and then is not enough.
#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let mut slow = ServeOptions::default();
    slow.min_rate = 1 << 20;
    slow.min_rate_after = Duration::from_secs(1);
    let mut long = ServeOptions::default();
    long.body_within = BRIEF;
    for options in [slow, long] {
        let running = Running::start(options).await;
        let mut client = running.connect().await;
        let ask = molgenis::Api.upload(&File::of(b"content"));
        client.send(head(&ask, "Content-Length: 100000\r\n")).await;
        let (mut read, mut write) = client.stream.into_split();
        let drip = async {
            let mut clock = tokio::time::interval(Duration::from_millis(20));
            while write.write_all(b"x").await.is_ok() {
                clock.tick().await;
            }
            // The server has closed its end; the answer is still to be read.
            std::future::pending::<()>().await;
        };
        let mut first = [0; 12];
        let answer = async {
            tokio::io::AsyncReadExt::read_exact(&mut read, &mut first).await.unwrap();
        };
        soon(async {
            tokio::select! {
                () = answer => {}
                () = drip => {}
            }
        })
        .await;
        assert_eq!(&first, b"HTTP/1.1 400");
        drop((read, write));
        assert_eq!(running.stop().await.count().await, 0);
    }
}

/// Whoever asks and does not read holds a slot no longer than that.
#[tokio::test]
async fn an_answer_that_nobody_takes_is_given_up() {
    let mut options = ServeOptions::default();
    options.write_idle = BRIEF;
    options.max_connections = 1;
    let running = Running::start(options).await;
    let content = noise(MAX_FILE);
    let uploaded = running.world.send(molgenis::Api.upload(&File::of(&content))).await;
    let mut greedy = running.connect().await;
    let get = request(&Ask::get(molgenis::Api.stored(&uploaded)));
    greedy.send(get.repeat(100)).await;
    let mut next = running.connect().await;
    next.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(next.answer().await.status, 200);
    drop((greedy, next));
    running.stop().await;
}

/// Pings are answered by the library under a client, whether or not anybody uses the connection.
#[tokio::test]
async fn an_idle_connection_of_http_2_ends_whatever_it_answers() {
    let mut options = ServeOptions::default();
    options.head_within = BRIEF;
    let running = Running::start(options).await;
    let (client, connection) = http2::connected(&running, 1 << 20).await;
    let ask = Ask::get("/healthz");
    let (status, ..) = http2::send(&client, ask.clone(), http2::whole(&ask)).await;
    assert_eq!(status, 200);
    soon(connection).await.unwrap().unwrap();
    drop(client);
    running.stop().await;
}

/// The windows of HTTP/2 make an answer wait while the connection itself takes what is written.
#[tokio::test]
async fn an_answer_of_http_2_that_nobody_takes_is_given_up() {
    let mut options = ServeOptions::default();
    options.write_idle = BRIEF;
    let running = Running::start(options).await;
    let content = noise(MAX_FILE);
    let uploaded = running.world.send(molgenis::Api.upload(&File::of(&content))).await;
    let (client, connection) = http2::connected(&running, 1000).await;
    let get = Ask::get(molgenis::Api.stored(&uploaded)).bearer(Token::full());
    let answer = soon(http2::begin(&client, get.clone(), http2::whole(&get))).await.unwrap();
    assert_eq!(answer.status(), 200);
    let _ = soon(connection).await.unwrap();
    drop((client, answer));
    running.stop().await;
}
