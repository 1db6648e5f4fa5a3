//! Downloads that an API answers with a redirect, followed to the service.

use std::sync::Arc;

use async_trait::async_trait;
use filestore::{FileStore, MemoryRepository, Result, Subject, SystemClock, Tenant};
use filestore_http::Adapter;
use filestore_http::auth::{Authenticator, Principal, Rights, Secret};
use filestore_http::dialects::Jea;
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full};

use crate::s3::S3;
use crate::signing::ask_all;

/// Takes every token for ann's.
#[derive(Debug)]
struct Ann;

#[async_trait]
impl Authenticator for Ann {
    async fn authenticate(&self, _: &str) -> Result<Principal> {
        Ok(Principal {
            tenant: Tenant::new("acme")?,
            subject: Subject::new("ann")?,
            rights: Rights::ALL,
            security_categories: Vec::new(),
        })
    }
}

async fn adapter(server: &S3) -> Adapter {
    let options = ObjectOptions::default();
    let blobs = ObjectBlobs::connect("s3://bucket/blobs", server.settings(), options).unwrap();
    let signer = blobs.signer().unwrap();
    let builder = FileStore::builder(blobs, MemoryRepository::new()).sign_blobs(signer);
    let store = builder.open().await.unwrap();
    let key = PresignKey::derive(&Secret::new(&"x".repeat(32)).unwrap()).unwrap();
    let presigner = Presigner::new(PresignKeys::new(key), Arc::new(SystemClock));
    let builder = Adapter::builder(store, Ann, presigner);
    builder.mount(Jea::MOUNT, Jea).redirect_downloads(["jea"]).build()
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("{}{path}", Jea::MOUNT))
        .header(header::HOST, "files.test")
        .header(header::AUTHORIZATION, "Bearer any")
}

#[tokio::test]
async fn the_service_answers_who_is_sent_there() {
    let server = S3::start();
    let adapter = adapter(&server).await;
    let text = "0123456789".repeat(10_000);
    let upload =
        request("POST", "/upload").header(header::CONTENT_TYPE, "application/octet-stream");
    let answer = adapter.respond(upload.body(Full::from(text.clone())).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    let handle = answer.split('"').find(|word| word.len() == 32).unwrap();

    let download = request("GET", &format!("/download/{handle}")).body(Full::default()).unwrap();
    let before = server.asked().len();
    let redirect = adapter.respond::<Full<bytes::Bytes>>(download).await;
    assert_eq!(redirect.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(server.asked().len(), before, "nobody is asked for a URL");
    let url = redirect.headers()[header::LOCATION].to_str().unwrap();
    let (status, head, body) = ask_all("GET", url, "").await;
    assert_eq!(status, 200, "{head}");
    assert!(body == text);
    let (status, head, body) = ask_all("GET", url, "Range: bytes=5-12\r\n").await;
    assert_eq!((status, body.as_str()), (206, "56789012"), "{head}");
}
