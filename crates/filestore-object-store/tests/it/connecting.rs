//! URLs and settings.

use filestore::ErrorKind;
use filestore::backend::BlobStore;
use filestore_object_store::{ObjectBlobs, ObjectOptions};

use crate::s3::S3;

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
