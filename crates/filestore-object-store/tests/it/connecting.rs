//! URLs and settings.

use std::time::{Duration, Instant};

use filestore::ErrorKind;
use filestore::backend::BlobStore;
use filestore_object_store::{ObjectBlobs, ObjectOptions};

use crate::s3::{Fault, S3};

#[test]
fn what_is_no_connection_is_refused() {
    let setting = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    for (url, settings) in [
        ("", vec![]),
        ("bucket", vec![]),
        ("s3:///", vec![]),
        ("file:///tmp", vec![]),
        ("memory:///", vec![]),
        ("https://example.org/bucket", vec![]),
        ("s3://bucket", vec![setting("aws_allow_http", "perhaps")]),
        ("s3://bucket", vec![setting("aws_checksum_algorithm", "none of them")]),
    ] {
        let connected = ObjectBlobs::connect(url, settings, ObjectOptions::default());
        assert_eq!(connected.unwrap_err().kind(), ErrorKind::InvalidArgument, "{url}");
    }
}

#[test]
fn what_is_printed_has_no_secrets() {
    let secret = ("aws_secret_access_key".to_owned(), "very-secret".to_owned());
    let id = ("aws_access_key_id".to_owned(), "an-id".to_owned());
    let blobs = ObjectBlobs::connect("s3://bucket/a/b", [id, secret], ObjectOptions::default());
    let printed = format!("{:?}", blobs.unwrap());
    assert!(printed.contains("bucket") && printed.contains("a/b"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");
}

/// A failure of some seconds is waited for, however fast each request fails.
#[tokio::test]
async fn a_service_that_fails_for_seconds_is_waited_for() {
    let server = S3::start();
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::connect("s3://bucket/a", server.settings(), options).unwrap();
    let well = Instant::now() + Duration::from_secs(5);
    server.fault(move |_| if Instant::now() < well { Fault::Status(503) } else { Fault::None });
    let key = filestore::BlobKey::mint().unwrap();
    assert_eq!(blobs.put(key, "here".into()).await.unwrap(), 4);
    assert!(server.asked().len() < 20, "it is not asked all the time");
}

#[tokio::test]
async fn blobs_are_below_the_prefix() {
    let server = S3::start();
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::connect("s3://bucket/a/b", server.settings(), options).unwrap();
    let key = filestore::BlobKey::mint().unwrap();
    blobs.put(key, "here".into()).await.unwrap();
    let file = server.folder.path().join("bucket/a/b").join(key.to_string());
    assert_eq!(std::fs::read(file).unwrap(), b"here");
}

/// `std::env::vars()` holds what other programs mean by the same words.
#[tokio::test]
async fn settings_have_the_name_of_their_service() {
    let server = S3::start();
    let mut settings = server.settings();
    for (name, value) in &mut settings {
        if name == "aws_endpoint" {
            *name = "AWS_ENDPOINT_URL".to_owned();
            assert!(value.starts_with("http://127.0.0.1:"));
        }
    }
    for (name, value) in [
        ("ENDPOINT", "http://127.0.0.1:1"),
        ("bucket", "another"),
        ("TOKEN", "not of the service"),
        ("SECRET_ACCESS_KEY", "nor this"),
        ("TIMEOUT", "perhaps"),
        ("AWS_OF_LATER", "unknown"),
    ] {
        settings.push((name.to_owned(), value.to_owned()));
    }
    let blobs = ObjectBlobs::connect("s3://bucket", settings, ObjectOptions::default()).unwrap();
    let key = filestore::BlobKey::mint().unwrap();
    blobs.put(key, "here".into()).await.unwrap();
    assert_eq!(blobs.get(key, 0..4).await.unwrap().collect().await.unwrap(), "here");
    assert!(server.asked().iter().all(|asked| asked.header("x-amz-security-token").is_none()));
}
