//! URLs that the service answers by itself.

use std::time::Duration;

use filestore::backend::{BlobStore, SignBlobs, SignedGet};
use filestore::{BlobKey, ErrorKind};
use filestore_object_store::{ObjectBlobs, ObjectOptions, ObjectSigner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::s3::S3;

const MINUTE: Duration = Duration::from_secs(60);

/// Status and body of the answer to a request without credentials.
async fn ask(method: &str, url: &str, header: &str) -> (u16, String) {
    let (status, _, body) = ask_all(method, url, header).await;
    (status, body)
}

/// Status, head and body.
pub(crate) async fn ask_all(method: &str, url: &str, header: &str) -> (u16, String, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut connection = TcpStream::connect(host).await.unwrap();
    let head =
        format!("{method} /{path} HTTP/1.0\r\nHost: {host}\r\n{header}Content-Length: 0\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

/// Whoever holds the URL reads this blob, and does nothing else.
pub(crate) async fn assert_signed(blobs: &ObjectBlobs) {
    let (key, other) = (BlobKey::mint().unwrap(), BlobKey::mint().unwrap());
    blobs.put(key, "hello world".into()).await.unwrap();
    blobs.put(other, "another's".into()).await.unwrap();
    let signer = blobs.signer().unwrap();
    let url = signer.sign(key, &SignedGet::lasting(MINUTE)).await.unwrap().unwrap();
    assert_eq!(ask("GET", &url, "").await, (200, "hello world".to_owned()));
    assert_eq!(ask("GET", &url, "Range: bytes=6-\r\n").await, (206, "world".to_owned()));

    let (unsigned, _) = url.split_once('?').unwrap();
    let others = url.replace(&key.to_string(), &other.to_string());
    for (method, url) in
        [("GET", unsigned), ("GET", &others), ("DELETE", &url), ("PUT", &url), ("POST", &url)]
    {
        let (status, body) = ask(method, url, "").await;
        assert!((400..500).contains(&status), "{method} {url}: {status} {body}");
    }
    assert_eq!(ask("GET", &url, "").await.0, 200, "it is still there");
    for key in [key, other] {
        blobs.delete(key).await.unwrap();
    }
    assert_eq!(ask("GET", &url, "").await.0, 404);
}

/// Answers say what the URL says, where it can say anything. Nobody can make it say something else.
pub(crate) async fn assert_said(blobs: &ObjectBlobs, server_says_it: bool) {
    let key = BlobKey::mint().unwrap();
    blobs.put(key, "hello world".into()).await.unwrap();
    let disposition = "inline; filename=\"a b.png\"; filename*=UTF-8''%c3%a4.png";
    let get = SignedGet {
        content_type: Some("image/png".to_owned()),
        content_disposition: Some(disposition.to_owned()),
        ..SignedGet::lasting(MINUTE)
    };
    // With Azure's client there is no such URL.
    if let Some(url) = blobs.signer().unwrap().sign(key, &get).await.unwrap() {
        let (status, head, body) = ask_all("GET", &url, "").await;
        assert_eq!((status, body.as_str()), (200, "hello world"), "{head}");
        if server_says_it {
            assert!(head.contains("\r\ncontent-type: image/png\r\n"), "{head}");
            assert!(head.contains(&disposition.to_lowercase()), "{head}");
        }
        let other = url.replace("image%2Fpng", "text%2Fhtml");
        assert_ne!(other, url);
        assert_eq!(ask("GET", &other, "").await.0, 403);
    }
    blobs.delete(key).await.unwrap();
}

#[tokio::test]
async fn a_url_says_what_its_bytes_are() {
    let server = S3::start();
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::connect("s3://bucket/blobs", server.settings(), options).unwrap();
    // This one looks at the signature, and answers as ever.
    assert_said(&blobs, false).await;
}

#[tokio::test]
async fn a_url_reads_one_blob_and_does_nothing_else() {
    let server = S3::start();
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::connect("s3://bucket/blobs", server.settings(), options).unwrap();
    assert_signed(&blobs).await;
}

#[tokio::test]
async fn a_url_lives_as_long_as_it_is_told() {
    let server = S3::start();
    let signer = ObjectSigner::new(std::sync::Arc::new(server.client(0)), "blobs").unwrap();
    let key = BlobKey::mint().unwrap();
    let sign = async |lifetime| signer.sign(key, &SignedGet::lasting(lifetime)).await;
    let url = sign(MINUTE).await.unwrap().unwrap();
    assert!(url.contains("X-Amz-Expires=60"), "{url}");
    assert!(!url.contains("secret"), "{url}");
    sign(ObjectSigner::MAX_LIFETIME).await.unwrap();
    for lifetime in [Duration::ZERO, ObjectSigner::MAX_LIFETIME + Duration::from_secs(1)] {
        let error = sign(lifetime).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(!format!("{signer:?}").contains("secret"));
    let made_elsewhere = server.blobs();
    assert!(made_elsewhere.signer().is_none());
}
