//! Refusals that come before or in the middle of a body.

use filestore_http::ServeOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{head, request};
use super::{Running, soon};
use crate::harness::{Ask, noise};
use crate::subject::{ALL, File, Subject};

/// The request with the content, where that is the second one.
async fn upload(running: &Running, api: &dyn Subject, content: &[u8]) -> Ask {
    running.world.begun(api.upload(&File::of(content))).await.0
}

fn bare(ask: &Ask, fields: &str) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target);
    for (name, value) in &ask.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    format!("{head}{fields}\r\n")
}

#[tokio::test]
async fn who_waits_for_a_refusal_is_not_told_to_go_on() {
    let running = Running::start(ServeOptions::default()).await;
    let expects = "Expect: 100-continue\r\n";
    let small = format!("{expects}Content-Length: 7\r\n");
    let huge = format!("{expects}Content-Length: 99999999999\r\n");
    for api in ALL {
        let upload = upload(&running, api, b"content").await;
        let lost = Ask::post(format!("{}/nothing/at/all", api.mount()));
        for (request, status) in [
            (bare(&upload, &small), 401),
            (bare(&upload.clone().bearer("garbage"), &small), 401),
            (head(&upload, &huge), 413),
            (head(&lost, &small), 404),
        ] {
            let mut client = running.connect().await;
            client.send(&request).await;
            let all = client.rest().await;
            let status = format!("HTTP/1.1 {status} ");
            assert!(all.starts_with(status.as_bytes()), "{}", String::from_utf8_lossy(&all));
            assert!(memchr::memmem::find(&all, b"100 Continue").is_none());
        }
    }
    assert_eq!(running.stop().await.count_whole().await, 0);
}

#[tokio::test]
async fn who_waits_to_go_on_is_told_to() {
    let running = Running::start(ServeOptions::default()).await;
    for api in ALL {
        let upload = upload(&running, api, b"content").await;
        let length = upload.content.len();
        let fields = format!("Expect: 100-continue\r\nContent-Length: {length}\r\n");
        let mut client = running.connect().await;
        client.send(head(&upload, &fields)).await;
        assert_eq!(client.head().await.0, 100);
        client.send(&upload.content).await;
        let answer = client.answer().await;
        assert!([200, 201].contains(&answer.status), "{answer:?}");
    }
    assert_eq!(running.stop().await.count_whole().await, 5);
}

/// Without `Expect` the body is on its way when the refusal is made.
#[tokio::test]
async fn a_small_body_does_not_hide_its_refusal_nor_end_the_connection() {
    let running = Running::start(ServeOptions::default()).await;
    let content = noise(100_000);
    for api in ALL {
        let upload = upload(&running, api, &content).await;
        let mut client = running.connect().await;
        for _ in 0..3 {
            let length = format!("Content-Length: {}\r\n", upload.content.len());
            client.send(bare(&upload, &length)).await;
            client.send(&upload.content).await;
            assert_eq!(client.answer().await.status, 401);
        }
        client.send(request(&upload)).await;
        assert!([200, 201].contains(&client.answer().await.status));
    }
    assert_eq!(running.stop().await.count_whole().await, 5);
}

/// A refusal does not wait for a body that does not come.
#[tokio::test]
async fn a_refusal_comes_at_once() {
    let mut options = ServeOptions::default();
    options.drain_within = std::time::Duration::ZERO;
    let running = Running::start(options).await;
    for api in ALL {
        let upload = upload(&running, api, b"content").await;
        let mut client = running.connect().await;
        let begun = std::time::Instant::now();
        client.send(bare(&upload, "Content-Length: 100000\r\n")).await;
        assert_eq!(client.answer().await.status, 401);
        assert!(begun.elapsed() < std::time::Duration::from_secs(3));
    }
    running.stop().await;
}

#[tokio::test]
async fn a_sender_who_does_not_stop_gets_to_see_that_it_is_too_much() {
    let running = Running::start(ServeOptions::default()).await;
    for api in ALL {
        let upload = upload(&running, api, &noise(100)).await;
        let (front, _) = upload.content.split_at(upload.content.len() / 2);
        for announced in [true, false] {
            let fields = match announced {
                true => "Content-Length: 999999999999\r\n",
                false => "Transfer-Encoding: chunked\r\n",
            };
            let client = running.connect().await;
            let (mut read, mut write) = client.stream.into_split();
            let frame = |bytes: &[u8]| match announced {
                true => bytes.to_vec(),
                false => [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            };
            let sending = async {
                write.write_all(head(&upload, fields).as_bytes()).await.unwrap();
                let _ = write.write_all(&frame(front)).await;
                let more = frame(&[b'x'; 8192]);
                while write.write_all(&more).await.is_ok() {}
                // The server has closed its end; the answer is still to be read.
                std::future::pending::<()>().await;
            };
            let mut first = [0; 12];
            let reading = async { read.read_exact(&mut first).await.unwrap() };
            soon(async {
                tokio::select! {
                    _ = reading => {}
                    () = sending => {}
                }
            })
            .await;
            assert_eq!(&first, b"HTTP/1.1 413", "announced: {announced}");
        }
    }
    assert_eq!(running.stop().await.count_whole().await, 0);
}
