//! "Cognite CDF Files".

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Ask, HOST, Reply, TENANT, World};
use crate::subject::{File, Subject, assert_challenge, words, wrong};

pub(crate) struct Api;

const FILES: &str = "/files";

impl Subject for Api {
    fn mount(&self) -> &'static str {
        FILES
    }

    /// The file is made, and gets its content where its upload URL leads to.
    fn upload(&self, file: &File<'_>) -> Ask {
        let File { name, content_type, content } = file;
        Ask::put(format!("{FILES}/{{id}}/content"))
            .header("content-type", content_type)
            .body(content.to_vec())
            .after(ask("", json!({"name": name, "mimeType": content_type})))
    }

    fn id(&self, uploaded: &Reply) -> String {
        uploaded.first.as_ref().unwrap().json()["id"].to_string()
    }

    fn at(&self, id: &str) -> String {
        format!("{FILES}/{id}/content")
    }

    fn changes(&self, id: &str) -> Vec<Ask> {
        // What is no number goes as text.
        let id_or_text = serde_json::from_str(id).unwrap_or_else(|_| json!(id));
        let item = json!({"id": id_or_text});
        let items = json!({"items": [item]});
        let mut update = item.clone();
        update["update"] = json!({"source": {"set": "s"}});
        vec![
            Ask::put(self.at(id)).body("x"),
            Ask::put(format!("{FILES}/{id}/parts/{UPLOAD}/1")).body("x"),
            ask("/update", json!({"items": [update]})),
            ask("/uploadlink", items.clone()),
            ask("/multiuploadlink?parts=1", items.clone()),
            ask("/delete", items),
        ]
    }

    fn not_found(&self) -> u16 {
        400
    }

    fn unknown(&self) -> &'static str {
        "4503599627370496"
    }

    fn misdirected(&self) -> Vec<(Ask, &'static str)> {
        let at = |path: &str| format!("{FILES}{path}");
        vec![
            wrong(Method::PUT, FILES, "GET, HEAD, POST"),
            wrong(Method::GET, &at("/list"), "POST"),
            wrong(Method::PUT, &at("/byids"), "POST"),
            wrong(Method::POST, &at("/7"), "GET, HEAD"),
            wrong(Method::POST, &at("/7/content"), "GET, HEAD, PUT"),
            wrong(Method::GET, &at(&format!("/7/parts/{UPLOAD}/1")), "PUT"),
            wrong(Method::DELETE, &in_project(""), "GET, HEAD, POST"),
            wrong(Method::POST, "/api/v1/token/inspect", "GET, HEAD"),
        ]
    }

    fn refused_media(&self) -> Vec<Ask> {
        Vec::new()
    }

    fn assert_error(&self, reply: &Reply) {
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.members(), ["error"]);
        let body = reply.json();
        let error = body["error"].as_object().unwrap();
        let mut members: Vec<&str> = error.keys().map(String::as_str).collect();
        members.retain(|member| !["code", "message"].contains(member));
        // The Python client takes one list at most.
        let list = match members.as_slice() {
            [] => None,
            [list @ ("missing" | "duplicated")] => error[*list].as_array(),
            _ => panic!("{body}"),
        };
        assert!(list.is_none_or(|list| !list.is_empty()), "{body}");
        assert_eq!(error["code"], reply.status.as_u16());
        assert!(!words(&error["message"]).contains(char::is_control), "{body}");
        if reply.status == 401 {
            assert_challenge(reply);
        }
    }
}

/// An upload that nobody began.
const UPLOAD: &str = "01890000000070008000000000000000";

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

/// A file whose content came in parts of this size.
pub(crate) async fn in_parts(world: &World, content: &[u8], size: usize) -> String {
    let parts = content.chunks(size);
    let path = format!("/initmultipartupload?parts={}", parts.len());
    let file = post(world, &path, json!({"name": "data.bin"})).await.expect(201).json();
    for (url, part) in file["uploadUrls"].as_array().unwrap().iter().zip(parts) {
        put(world, url, part).await.expect(200);
    }
    let body = json!({"id": file["id"], "uploadId": file["uploadId"]});
    post(world, "/completemultipartupload", body).await.expect(200);
    file["id"].to_string()
}

async fn get(world: &World, id: &Value) -> Reply {
    world.send(Ask::get(format!("{FILES}/{id}"))).await
}

/// What a download link of the file leads to.
async fn fetched(world: &World, id: &Value) -> Reply {
    let links = post(world, "/downloadlink", json!({"items": [{"id": id}]})).await;
    let links = links.expect(200).json();
    world.send_bare(Ask::get(target(&links["items"][0]["downloadUrl"]))).await
}

/// What an error with this status says.
#[track_caller]
fn error(reply: Reply, status: u16) -> Value {
    assert_eq!(reply.status, status, "{reply:?}");
    Api.assert_error(&reply);
    reply.json()["error"].clone()
}

fn in_project(path: &str) -> String {
    format!("/api/v1/projects/{TENANT}/files{path}")
}
