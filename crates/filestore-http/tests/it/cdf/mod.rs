//! "Cognite CDF Files".

use serde_json::Value;

use crate::harness::{Ask, HOST, Reply, TENANT, World};

const FILES: &str = "/files";

/// One test for each case and backend.
macro_rules! cdf {
    ($($case:ident)*) => {
        crate::harness::on_every_backend!(cdf_cases: $($case)*);
    };
}
macro_rules! cdf_cases {
    ($backend:ident: $($case:ident)*) => {
        mod $backend {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&crate::harness::World::$backend().await).await;
                }
            )*
        }
    };
}
mod access;
mod content;
mod files;
mod find;
mod limits;
mod parts;

/// `POST /files{path}` with this JSON.
fn ask(path: &str, body: Value) -> Ask {
    Ask::post(format!("{FILES}{path}")).body(body.to_string())
}

async fn post(world: &World, path: &str, body: Value) -> Reply {
    world.send(ask(path, body)).await
}

/// The file that such a body creates.
async fn create(world: &World, body: Value) -> Value {
    post(world, "", body).await.expect(201).json()
}

/// The path and query of one of our absolute URLs.
#[track_caller]
fn target(url: &Value) -> String {
    let url = url.as_str().unwrap_or_else(|| panic!("no URL: {url}"));
    url.strip_prefix(&format!("http://{HOST}")).unwrap_or_else(|| panic!("{url}")).to_owned()
}

/// Sends content to where a file's, or a part's, belongs.
async fn put(world: &World, url: &Value, content: &[u8]) -> Reply {
    world.send_bare(Ask::put(target(url)).body(content.to_vec())).await
}

/// A file with content.
async fn stored(world: &World, body: Value, content: &[u8]) -> Value {
    let file = create(world, body).await;
    put(world, &file["uploadUrl"], content).await.expect(200);
    file
}

async fn get(world: &World, id: &Value) -> Reply {
    world.send(Ask::get(format!("{FILES}/{id}"))).await
}

/// What a download link of the file leads to.
async fn fetched(world: &World, id: &Value) -> Reply {
    let links = post(world, "/downloadlink", serde_json::json!({"items": [{"id": id}]})).await;
    let links = links.expect(200).json();
    world.send_bare(Ask::get(target(&links["items"][0]["downloadUrl"]))).await
}

/// Fails unless it is an error with this status, in the platform's shape; returns what it says.
#[track_caller]
fn error(reply: Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json");
    let error = &reply.json()["error"];
    assert_eq!(error["code"], status);
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(error["missing"].is_null() || error["duplicated"].is_null());
    error.clone()
}

fn in_project(path: &str) -> String {
    format!("/api/v1/projects/{TENANT}/files{path}")
}
