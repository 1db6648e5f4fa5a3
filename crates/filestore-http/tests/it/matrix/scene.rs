//! What is there when somebody asks.

use std::collections::HashMap;

use filestore::Digest;
use http::Method;
use serde_json::json;

use super::Row;
use crate::harness::{Ask, Reply, World};
use crate::subject::{File, Subject};
use crate::{idempiere, jea, jmix, molgenis};

/// A file of each dialect, all of one owner, and what goes with them.
pub(super) struct Scene {
    pub(super) world: World,
    names: HashMap<&'static str, String>,
}

/// Stands in every content and name, so that it can be looked for in answers.
const MARK: &str = "for-the-owner-s-tenant-only";

impl Scene {
    pub(super) async fn set() -> Self {
        let mut scene = Self { world: World::memory().await, names: HashMap::new() };
        scene.names.insert("sha256", Digest::of(b"content").to_string());
        let content = format!("content {MARK}");
        let apis: [(&'static str, &dyn Subject); 4] = [
            ("jea", &jea::Api),
            ("molgenis", &molgenis::Api),
            ("jmix", &jmix::Api),
            ("upload", &idempiere::Api),
        ];
        for (name, api) in apis {
            // The copy of an upload is asked for by its name.
            let name_of_file = if name == "upload" { "copied.txt" } else { MARK };
            let file = File {
                name: name_of_file,
                content_type: "text/plain",
                content: content.as_bytes(),
            };
            let stored = scene.world.send(api.upload(&file)).await;
            // Of a reference its front part counts; the name at its end is told by who asks.
            scene.names.insert(name, api.id(&stored).replace(MARK, "asked"));
        }
        let product = json!({"name": MARK, "image": scene.names["jmix"]});
        scene.make("product", "/rest/entities/rstex11_Product", product, "id").await;
        scene
            .make(
                "begun",
                "/api/v1/uploads",
                json!({"fileName": MARK, "sha256": scene.names["sha256"]}),
                "uploadId",
            )
            .await;
        scene.make("cdf", "/files", json!({"name": MARK}), "id").await;
        let file = json!({"name": MARK});
        let parts = scene.made("/files/initmultipartupload?parts=1", file).await;
        scene.names.insert("parts", parts["id"].to_string());
        scene.names.insert("partsUpload", parts["uploadId"].as_str().unwrap().to_owned());
        scene.send(Method::PUT, "/files/{cdf}/content", &content).await;
        scene.send(Method::PUT, "/files/{parts}/parts/{partsUpload}/1", &content).await;
        let copy = json!({"copyLocation": "ATTACHMENT", "tableName": "C_Order", "recordId": 7});
        scene.send(Method::POST, "/api/v1/uploads/{upload}/copy", &copy.to_string()).await;
        scene
    }

    /// The request of a row.
    pub(super) fn filled(&self, row: &Row) -> Ask {
        let target = self.fill(&format!("{}{}", row.mount, row.target));
        self.ask(row.method(), &target, &self.fill(row.body))
    }

    /// All that the tenant has, as its owner gets to see it.
    pub(super) async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for target in [
            "/files?limit=1000",
            "/rest/entities/rstex11_Product/{product}",
            "/api/v1/uploads",
            "/api/v1/uploads/{begun}",
            "/api/v1/models/C_Order/7/attachments",
            "/jea_web/api/download/{jea}",
            "/api/files/{molgenis}",
            "/rest/files?fileRef={jmix}",
            "/files/{cdf}/content",
        ] {
            let reply = self.world.send(Ask::get(self.fill(target))).await.expect(200);
            all.push(String::from_utf8(reply.body.to_vec()).unwrap());
        }
        all
    }

    /// Fails if the answer has anything of the owner's tenant in it.
    pub(super) fn assert_tells_nothing(&self, reply: &Reply, asked: &str) {
        let all = reply.everything();
        let found = memchr::memmem::find(&all, MARK.as_bytes());
        assert!(found.is_none(), "{asked} is told something: {reply:?}");
    }

    async fn make(&mut self, name: &'static str, target: &str, body: serde_json::Value, id: &str) {
        let id = self.made(target, body).await[id].clone();
        self.names.insert(name, id.as_str().map_or_else(|| id.to_string(), str::to_owned));
    }

    async fn made(&self, target: &str, body: serde_json::Value) -> serde_json::Value {
        self.send(Method::POST, target, &body.to_string()).await.json()
    }

    async fn send(&self, method: Method, target: &str, body: &str) -> Reply {
        let ask = self.ask(method, &self.fill(target), body);
        let reply = self.world.send(ask).await;
        assert!(reply.status.is_success(), "{reply:?}");
        reply
    }

    /// With the headers that its path and body ask for.
    fn ask(&self, method: Method, target: &str, body: &str) -> Ask {
        let ask = Ask::new(method, target);
        if body.is_empty() {
            return ask;
        }
        let media = match body.as_bytes() {
            [b'{', ..] => "application/json",
            [b'-', ..] => "multipart/form-data; boundary=b",
            _ => "application/octet-stream",
        };
        ask.header("content-type", media).header("x-total-chunks", "1").body(body.to_owned())
    }

    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }
}
