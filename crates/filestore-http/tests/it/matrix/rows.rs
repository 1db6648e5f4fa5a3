//! The tables: what each route answers to whom.

use filestore_http::auth::Right::{self, Read, Write};
use http::Method;

use crate::harness::TENANT;

/// One route, a request that it takes, and the status that each caller gets. Whoever lacks the
/// right gets 403, and whoever has no good token 401, everywhere.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) dialect: &'static str,
    pub(super) mount: String,
    /// As `route.rs` names it, below the mount point.
    pub(super) route: &'static str,
    /// The request; `{name}` stands for what [`Scene`](super::Scene) made.
    pub(super) target: &'static str,
    pub(super) body: &'static str,
    pub(super) right: Right,
    pub(super) owner: u16,
    pub(super) colleague: u16,
    pub(super) stranger: u16,
}

impl Row {
    pub(super) fn method(&self) -> Method {
        self.route.split(' ').next().unwrap().parse().unwrap()
    }

    /// Method and whole path, as a description in OpenAPI has them.
    pub(super) fn whole(&self) -> String {
        let (method, path) = self.route.split_once(' ').unwrap();
        let path = path.split(['?', '[']).next().unwrap();
        let whole = if path.starts_with("/api/") {
            path.to_owned()
        } else {
            format!("{}{path}", self.mount)
        };
        format!("{method} {}", whole.trim_end_matches('/'))
    }
}

/// Route, target, body, right; what owner, colleague, stranger get.
type Line = (&'static str, &'static str, &'static str, Right, [u16; 3]);

#[rustfmt::skip]
const JEA: [Line; 4] = [
    ("POST /upload", "/upload", FORM, Write, [200, 200, 200]),
    ("GET /download/{fileHandle}", "/download/{jea}", "", Read, [200, 200, 404]),
    ("GET /view/{fileHandle}", "/view/{jea}", "", Read, [200, 200, 404]),
    ("DELETE /files/{fileHandle}", "/files/{jea}", "", Write, [200, 200, 404]),
];

#[rustfmt::skip]
const MOLGENIS: [Line; 4] = [
    ("POST /", "", "content", Write, [201, 201, 201]),
    ("GET /{id}", "/{molgenis}", "", Read, [200, 200, 404]),
    ("GET /{id}?alt=media", "/{molgenis}?alt=media", "", Read, [200, 200, 404]),
    ("DELETE /{id}", "/{molgenis}", "", Write, [204, 204, 404]),
];

#[rustfmt::skip]
const JMIX: [Line; 6] = [
    ("POST /files[?name=…]", "/files?name=a", "content", Write, [201, 201, 201]),
    ("GET /files?fileRef=…[&attachment=true]", "/files?fileRef={jmix}", "", Read, [200, 200, 404]),
    ("POST /entities/{entity}", "/entities/rstex11_Product", r#"{"name": "a"}"#, Write, [201, 201, 201]),
    ("GET /entities/{entity}/{id}", "/entities/rstex11_Product/{product}", "", Read, [200, 200, 404]),
    ("PUT /entities/{entity}/{id}", "/entities/rstex11_Product/{product}", r#"{"name": "b"}"#, Write, [200, 200, 404]),
    ("DELETE /entities/{entity}/{id}", "/entities/rstex11_Product/{product}", "", Write, [204, 204, 404]),
];

/// Uploads are shown to nobody but who began them.
#[rustfmt::skip]
const UPLOADS: [Line; 7] = [
    ("POST /", "", r#"{"fileName": "a", "sha256": "{sha256}"}"#, Write, [201, 201, 201]),
    ("GET /", "", "", Read, [200, 200, 200]),
    ("GET /{uploadId}[?expiresInSeconds=…]", "/{upload}", "", Read, [200, 404, 404]),
    ("DELETE /{uploadId}", "/{upload}", "", Write, [200, 404, 404]),
    ("PUT /{uploadId}/chunks/{chunkOrder}", "/{begun}/chunks/1", "content", Write, [200, 404, 404]),
    ("GET /{uploadId}/file[?asJson]", "/{upload}/file", "", Read, [200, 404, 404]),
    ("POST /{uploadId}/copy", "/{upload}/copy", r#"{"copyLocation": "IMAGE"}"#, Write, [200, 404, 404]),
];

/// What was copied to a record is the record's.
#[rustfmt::skip]
const MODELS: [Line; 2] = [
    ("GET /{tableName}/{recordId}/attachments", "/C_Order/7/attachments", "", Read, [200, 200, 404]),
    ("GET /{tableName}/{recordId}/attachments/{fileName}", "/C_Order/7/attachments/copied.txt", "", Read, [200, 200, 404]),
];

/// With a token; the URLs that carry their own permission are the subject of `cdf/content.rs`.
#[rustfmt::skip]
const CDF: [Line; 17] = [
    ("POST /", "", r#"{"name": "a"}"#, Write, [201, 201, 201]),
    ("POST /initmultipartupload", "/initmultipartupload?parts=1", r#"{"name": "a"}"#, Write, [201, 201, 201]),
    ("POST /completemultipartupload", "/completemultipartupload", r#"{"id": {parts}, "uploadId": "{partsUpload}"}"#, Write, [200, 400, 400]),
    ("POST /uploadlink", "/uploadlink", ITEM, Write, [200, 200, 400]),
    ("POST /multiuploadlink", "/multiuploadlink?parts=1", ITEM, Write, [200, 200, 400]),
    ("POST /list", "/list", "{}", Read, [200, 200, 200]),
    ("GET /", "", "", Read, [200, 200, 200]),
    ("GET /{id}", "/{cdf}", "", Read, [200, 200, 400]),
    ("POST /byids", "/byids", ITEM, Read, [200, 200, 400]),
    ("POST /search", "/search", r#"{"search": {"name": "cdf"}}"#, Read, [200, 200, 200]),
    ("POST /aggregate", "/aggregate", "{}", Read, [200, 200, 200]),
    ("POST /update", "/update", r#"{"items": [{"id": {cdf}, "update": {"source": {"set": "s"}}}]}"#, Write, [200, 200, 400]),
    ("POST /delete", "/delete", ITEM, Write, [200, 200, 400]),
    ("POST /downloadlink", "/downloadlink", ITEM, Read, [200, 200, 400]),
    ("PUT /{id}/content", "/{cdf}/content", "content", Write, [200, 200, 400]),
    ("GET /{id}/content", "/{cdf}/content", "", Read, [200, 200, 400]),
    ("PUT /{id}/parts/{uploadId}/{part}", "/{parts}/parts/{partsUpload}/1", "content", Write, [200, 400, 400]),
];

const TOKEN: [Line; 1] = [("GET /api/v1/token/inspect", "/inspect", "", Read, [200, 200, 200])];

const ITEM: &str = r#"{"items": [{"id": {cdf}}]}"#;
const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncontent\r\n--b--\r\n";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut at = |dialect, mount: &str, lines: &[Line]| {
        for &(route, target, body, right, [owner, colleague, stranger]) in lines {
            let mount = mount.to_owned();
            rows.push(Row {
                dialect,
                mount,
                route,
                target,
                body,
                right,
                owner,
                colleague,
                stranger,
            });
        }
    };
    at("jea", "/jea_web/api", &JEA);
    at("molgenis", "/api/files", &MOLGENIS);
    at("jmix", "/rest", &JMIX);
    at("idempiere", "/api/v1/uploads", &UPLOADS);
    at("idempiere", "/api/v1/models", &MODELS);
    at("cdf", "/files", &CDF);
    at("cdf", "/api/v1/token", &TOKEN);
    // Of somebody else's project nobody gets to see whether a file is there.
    let closed = CDF.map(|(route, target, body, right, [owner, colleague, _])| {
        (route, target, body, right, [owner, colleague, 401])
    });
    at("cdf", &format!("/api/v1/projects/{TENANT}/files"), &closed);
    rows
}
