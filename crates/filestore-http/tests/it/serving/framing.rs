//! Requests that two readers could take apart differently, and connections that break off: nobody
//! gets to say more than one request where one was sent.

use filestore_http::ServeOptions;
use tokio::io::AsyncWriteExt;

use super::Running;
use super::client::request;
use crate::harness::{Ask, Token};
use crate::jmix;
use crate::molgenis;
use crate::subject::{File, Subject};

/// What an attacker hides behind a request.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

/// The statuses of all answers until the connection ends.
async fn statuses(running: &Running, bytes: impl AsRef<[u8]>) -> Vec<u16> {
    let mut client = running.connect().await;
    // The refusal may come before all of it is sent.
    let _ = client.stream.write_all(bytes.as_ref()).await;
    let _ = client.stream.shutdown().await;
    let all = String::from_utf8(client.rest().await).unwrap();
    let status = |rest: &str| rest[2..5].parse().unwrap();
    all.split("HTTP/1.").skip(1).map(status).collect()
}

fn post(fields: &str) -> String {
    let token = Token::full();
    format!("POST /api/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{fields}\r\n")
}

#[tokio::test]
async fn heads_that_can_be_misread_are_refused() {
    let running = Running::start(ServeOptions::default()).await;
    let chunked = "Transfer-Encoding: chunked\r\n";
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\r\n",
        " Content-Length: 5\r\n",
        "Content-Length: \r\n 5\r\n",
        "X: a\r\n b\r\nContent-Length: 5\r\n",
        "X: a\r\n\tb\r\nContent-Length: 5\r\n",
        "X: a\rContent-Length: 5\r\n",
        "X: a\0b\r\nContent-Length: 5\r\n",
        "X\0: a\r\nContent-Length: 5\r\n",
        "Bad Header: x\r\nContent-Length: 5\r\n",
        ": x\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked\x0b\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
        "Host: y\r\nContent-Length: 5\r\n",
    ] {
        let answered = statuses(&running, post(fields) + "hello" + HIDDEN).await;
        assert_eq!(answered, [400], "{fields:?}");
    }
    for line in [
        "POST /api/files HTTP/1.0\r\nHost: x\r\n".to_owned() + chunked,
        "POST /api/files HTTP/1.1\r\n".to_owned() + chunked,
        "POST  /api/files HTTP/1.1\r\nHost: x\r\n".to_owned(),
        "POST /api/files  HTTP/1.1\r\nHost: x\r\n".to_owned(),
        "POST /api/files HTTP/1.1 \r\nHost: x\r\n".to_owned(),
        "POST /api files HTTP/1.1\r\nHost: x\r\n".to_owned(),
        "POST /api/files\r\nHost: x\r\n".to_owned(),
        "POST /api/files HTTP/1.2\r\nHost: x\r\n".to_owned(),
        "POST\t/api/files\tHTTP/1.1\r\nHost: x\r\n".to_owned(),
        "nonsense\r\n".to_owned(),
    ] {
        let answered = statuses(&running, line.clone() + "\r\n0\r\n\r\n" + HIDDEN).await;
        assert_eq!(answered, [400], "{line:?}");
    }
    assert_eq!(running.stop().await.count().await, 0);
}

/// The transfer coding counts, as RFC 9112 has it (section 6.3), and nothing is believed that comes
/// behind such a request.
#[tokio::test]
async fn of_two_lengths_one_counts_and_the_connection_ends() {
    let running = Running::start(ServeOptions::default()).await;
    let (chunked, length) = ("Transfer-Encoding: chunked\r\n", "Content-Length: 3\r\n");
    for fields in [[chunked, length].concat(), [length, chunked].concat()] {
        let answered = statuses(&running, post(&fields) + "5\r\nhello\r\n0\r\n\r\n" + HIDDEN).await;
        assert_eq!(answered, [201], "{fields:?}");
    }
    // The same length twice is one length.
    let fields = [length, length].concat();
    let answered = statuses(&running, post(&fields) + "hel" + HIDDEN).await;
    assert_eq!(answered, [201, 404]);
    assert_eq!(running.stop().await.count().await, 3);
}

#[tokio::test]
async fn chunks_that_can_be_misread_are_refused() {
    let running = Running::start(ServeOptions::default()).await;
    for chunks in [
        "zz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5h\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "10000000000000005\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\nX: a\nb",
    ] {
        let chunked = post("Transfer-Encoding: chunked\r\n");
        let answered = statuses(&running, chunked + chunks + HIDDEN).await;
        assert_eq!(answered, [400], "{chunks:?}");
    }
    let fine = post("Transfer-Encoding: chunked\r\n");
    for chunks in ["5;name=value\r\nhello\r\n0\r\n\r\n", "05\r\nhello\r\n00\r\nX: trailer\r\n\r\n"]
    {
        let answered = statuses(&running, fine.clone() + chunks + HIDDEN).await;
        assert_eq!(answered, [201, 404], "{chunks:?}");
    }
    assert_eq!(running.stop().await.count().await, 2);
}

#[tokio::test]
async fn what_surrounds_chunks_is_bounded() {
    let running = Running::start(ServeOptions::default()).await;
    let long = "x".repeat(100_000);
    for chunks in [
        format!("5;{long}\r\nhello\r\n0\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\nX: {long}\r\n\r\n"),
        format!("5\r\nhello\r\n0\r\n{}\r\n", "X: y\r\n".repeat(20_000)),
    ] {
        let answered = statuses(&running, post("Transfer-Encoding: chunked\r\n") + &chunks).await;
        assert_eq!(answered, [400], "{}", &chunks[..20]);
    }
    assert_eq!(running.stop().await.count().await, 0);
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_their_order() {
    let running = Running::start(ServeOptions::default()).await;
    let upload = request(&molgenis::Api.upload(&File::of(b"content")));
    let many = ["GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".as_bytes(), &upload, HIDDEN.as_bytes()];
    let answered = statuses(&running, many.concat().repeat(50)).await;
    assert_eq!(answered, [200, 201, 404].repeat(50));
    assert_eq!(running.stop().await.count().await, 50);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing() {
    let running = Running::start(ServeOptions::default()).await;
    let form = request(&jmix::Api.upload(&File::of(b"content")));
    let chunked = post("Transfer-Encoding: chunked\r\n") + "7\r\ncontent\r\n0\r\n\r\n";
    for whole in [&form[..], chunked.as_bytes()] {
        // What follows the dashes of the last boundary is of no importance (RFC 2046, section
        // 5.1.1), but the length that was announced is.
        for end in 0..whole.len() {
            let answered = statuses(&running, &whole[..end]).await;
            assert!(matches!(answered[..], [] | [400]), "{end}: {answered:?}");
            let mut client = running.connect().await;
            client.send(&whole[..end]).await;
            drop(client);
        }
        assert_eq!(running.world.count().await, 0);
    }
    let large = molgenis::Api.upload(&File::of(&[b'x'; 100_000]));
    let mut client = running.connect().await;
    client.send(&request(&large)[..60_000]).await;
    drop(client);
    // Those that just went may still have been looked at.
    assert_eq!(running.stop().await.count().await, 0);
}

#[tokio::test]
async fn a_target_names_no_other_server() {
    let running = Running::start(ServeOptions::default()).await;
    for (head, status) in [
        ("GET http://elsewhere.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n", 200),
        ("GET http://elsewhere.example/nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("CONNECT elsewhere.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(statuses(&running, head).await, [status], "{head}");
    }
    let asked = running.world.send(Ask::get("/api/files/x")).await;
    assert_eq!(asked.status, 404);
    running.stop().await;
}
