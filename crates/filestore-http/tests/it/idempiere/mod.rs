//! "iDempiere Uploads API", line by line.

mod begins;
mod chunks;
mod copies;
mod files;
mod presigned;
mod sessions;

use filestore::Digest;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Ask, Reply, World};
use crate::subject::{File, Subject, assert_challenge, words, wrong};

pub(crate) struct Api;

const UPLOADS: &str = "/api/v1/uploads";
const UNKNOWN: &str = "01890000-0000-7000-8000-000000000000";

impl Subject for Api {
    fn mount(&self) -> &'static str {
        UPLOADS
    }

    fn upload(&self, file: &File<'_>) -> Ask {
        let File { name, content_type, content } = file;
        let mut body = described(name, content);
        body["contentType"] = json!(content_type);
        chunk("{uploadId}", 1, 1, content).after(begin(&body))
    }

    fn id(&self, uploaded: &Reply) -> String {
        uploaded.json()["uploadId"].as_str().unwrap().to_owned()
    }

    fn at(&self, id: &str) -> String {
        format!("{UPLOADS}/{id}/file")
    }

    fn changes(&self, id: &str) -> Vec<Ask> {
        vec![
            chunk(id, 1, 1, b"x"),
            copy(id, &json!({"copyLocation": "IMAGE"})),
            Ask::delete(format!("{UPLOADS}/{id}")),
        ]
    }

    fn to_colleagues(&self) -> u16 {
        404
    }

    fn unknown(&self) -> &'static str {
        UNKNOWN
    }

    fn misdirected(&self) -> Vec<(Ask, &'static str)> {
        let at = |path: &str| format!("{UPLOADS}/{UNKNOWN}{path}");
        vec![
            wrong(Method::DELETE, UPLOADS, "GET, HEAD, POST"),
            wrong(Method::POST, &at(""), "GET, HEAD, DELETE"),
            wrong(Method::GET, &at("/chunks/1"), "PUT"),
            wrong(Method::PUT, &at("/file"), "GET, HEAD"),
            wrong(Method::GET, &at("/copy"), "POST"),
            wrong(Method::POST, "/api/v1/models/C_Order/1/attachments", "GET, HEAD"),
            wrong(Method::DELETE, "/api/v1/models/C_Order/1/attachments/a", "GET, HEAD"),
        ]
    }

    fn refused_media(&self) -> Vec<Ask> {
        let ask = |media| {
            let ask = self.upload(&File::of(b"content")).without("content-type");
            ask.header("content-type", media)
        };
        ["image/png", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
            .map(ask)
            .into()
    }

    fn assert_error(&self, reply: &Reply) {
        if reply.status == 401 {
            assert_challenge(reply);
            if reply.body.is_empty() {
                return;
            }
        }
        assert_eq!(reply.header("content-type"), "application/json");
        let body = reply.json();
        match reply.members().iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["error"] => assert!(!words(&body["error"]).contains(char::is_control)),
            ["title", "status"] | ["title", "status", "detail"] => {
                assert!(!words(&body["title"]).contains(char::is_control), "{body}");
                assert_eq!(body["status"], reply.status.as_u16());
                assert_ne!(body["detail"], "");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// What begins the upload of a file with this content.
fn described(name: &str, content: &[u8]) -> Value {
    let sha256 = Digest::of(content).to_string();
    json!({"fileName": name, "fileSize": content.len(), "chunkSize": 7, "sha256": sha256})
}

fn begin(body: &Value) -> Ask {
    let ask = Ask::post(UPLOADS).header("content-type", "application/json");
    ask.body(body.to_string())
}

fn chunk(id: &str, order: u32, total: u32, content: &[u8]) -> Ask {
    sent_to(format!("{UPLOADS}/{id}/chunks/{order}"), total, content)
}

fn sent_to(target: String, total: u32, content: &[u8]) -> Ask {
    Ask::new(Method::PUT, target)
        .header("content-type", "application/octet-stream")
        .header("x-total-chunks", total.to_string())
        .body(content.to_vec())
}

fn copy(id: &str, body: &Value) -> Ask {
    Ask::post(format!("{UPLOADS}/{id}/copy")).body(body.to_string())
}

fn cancel(id: &str) -> Ask {
    Ask::delete(format!("{UPLOADS}/{id}"))
}

/// A session for this content.
async fn begun(world: &World, content: &[u8]) -> String {
    Api.id(&world.send(begin(&described("data.bin", content))).await.expect(201))
}

/// An upload that is completed.
async fn stored(world: &World, name: &str, content: &[u8]) -> String {
    let file = File { name, content_type: "", content };
    Api.id(&world.send(Api.upload(&file)).await.expect(200))
}

/// An upload that came in chunks of this size.
pub(crate) async fn in_chunks(world: &World, content: &[u8], size: usize) -> String {
    let id = begun(world, content).await;
    let pieces = content.chunks(size);
    let total = pieces.len() as u32;
    for (order, piece) in (1..).zip(pieces) {
        world.send(chunk(&id, order, total, piece)).await.expect(200);
    }
    id
}

async fn status(world: &World, id: &str) -> Value {
    world.send(Ask::get(format!("{UPLOADS}/{id}"))).await.expect(200).json()
}

async fn content(world: &World, id: &str) -> Vec<u8> {
    world.send(Ask::get(Api.at(id))).await.expect(200).body.to_vec()
}

#[track_caller]
fn assert_title(reply: &Reply, status: u16, title: &str, detail: &str) {
    assert_eq!(reply.status, status, "{reply:?}");
    Api.assert_error(reply);
    assert_eq!(reply.members(), ["title", "status", "detail"]);
    assert_eq!(reply.json(), json!({"title": title, "status": status, "detail": detail}));
}

#[track_caller]
fn assert_plain(reply: &Reply, error: &str) {
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.text(), json!({"error": error}).to_string());
}
