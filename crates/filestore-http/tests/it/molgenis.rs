//! "MOLGENIS Files api", line by line.

use http::Method;

use crate::harness::{Ask, Reply, Token, World, noise};
use crate::subject::{File, Subject, assert_challenge, form, words, wrong};

pub(crate) struct Api;

const FILES: &str = "/api/files";

impl Subject for Api {
    fn mount(&self) -> &'static str {
        FILES
    }

    fn upload(&self, file: &File<'_>) -> Ask {
        Ask::post(FILES)
            .header("content-type", file.content_type)
            .header("x-molgenis-filename", file.name)
            .body(file.content.to_vec())
    }

    fn id(&self, uploaded: &Reply) -> String {
        uploaded.json()["id"].as_str().unwrap().to_owned()
    }

    fn at(&self, id: &str) -> String {
        format!("{FILES}/{id}?alt=media")
    }

    fn changes(&self, id: &str) -> Vec<Ask> {
        vec![Ask::delete(format!("{FILES}/{id}"))]
    }

    fn unknown(&self) -> &'static str {
        "aaaac2mp6yoxgaavluayxfiaae"
    }

    fn misdirected(&self) -> Vec<(Ask, &'static str)> {
        let file = format!("{FILES}/{}", self.unknown());
        vec![
            wrong(Method::GET, FILES, "POST"),
            wrong(Method::PUT, FILES, "POST"),
            wrong(Method::POST, &file, "GET, HEAD, DELETE"),
            wrong(Method::PUT, &file, "GET, HEAD, DELETE"),
            wrong(Method::PATCH, &file, "GET, HEAD, DELETE"),
        ]
    }

    fn refused_media(&self) -> Vec<Ask> {
        let form = |media| Ask::post(FILES).header("content-type", media).body("a=b");
        vec![
            form("application/x-www-form-urlencoded"),
            form("application/x-www-form-urlencoded; charset=UTF-8"),
            form("multipart/form-data"),
            form("Multipart/Form-Data; boundary=x"),
            crate::subject::form(FILES, "file", &GREEN),
        ]
    }

    fn assert_error(&self, reply: &Reply) {
        assert_eq!(reply.header("content-type"), "application/problem+json");
        let problem = reply.json();
        let mut members = vec!["type", "title", "status", "detail"];
        let code = match (reply.status.as_u16(), reply.members().contains(&"errorCode".into())) {
            (401 | 403, true) => Some("DS04a"),
            (404, true) => Some("D02a"),
            (_, false) => None,
            (status, true) => panic!("{status} with a code: {reply:?}"),
        };
        members.extend(code.map(|_| "errorCode"));
        assert_eq!(reply.members(), members);
        assert_eq!(problem["type"], "http://files.test:8080/problem");
        assert_eq!(problem["title"], reply.status.canonical_reason().unwrap());
        assert_eq!(problem["status"], reply.status.as_u16());
        words(&problem["detail"]);
        assert_eq!(problem["errorCode"].as_str(), code);
        if reply.status == 401 {
            assert_challenge(reply);
            assert!(code.is_some());
        }
    }
}

const GREEN: File<'_> =
    File { name: "logo_green.png", content_type: "image/png", content: b"\x89PNG\r\n\x1a\n" };

fn meta(id: &str) -> Ask {
    Ask::get(format!("{FILES}/{id}"))
}

#[tokio::test]
async fn an_upload_answers_the_metadata_of_the_page() {
    let world = World::memory().await;
    let reply = world.send(Api.upload(&GREEN)).await.expect(201);
    let id = Api.id(&reply);
    assert!(id.len() == 26 && id.bytes().all(|b| b.is_ascii_lowercase() || b"234567".contains(&b)));
    let expected = format!(
        r#"{{"id":"{id}","filename":"logo_green.png","contentType":"image/png","size":8}}"#
    );
    assert_eq!(reply.text(), expected);
    assert_eq!(reply.header("content-type"), "application/json");
    let location = format!("http://files.test:8080/api/files/{id}?alt=media");
    assert_eq!(reply.header("location"), location);

    let metadata = world.send(meta(&id)).await.expect(200);
    assert_eq!(metadata.text(), expected);
    assert_eq!(metadata.header("content-type"), "application/json");
    let head = world.send(Ask::head(format!("{FILES}/{id}"))).await.expect(200);
    assert_eq!(head.header("content-length"), expected.len().to_string());

    let path = location.strip_prefix("http://files.test:8080").unwrap();
    // Its own clients ask for JSON whatever they fetch.
    let download = world.send(Ask::get(path).header("accept", "application/json")).await;
    let download = download.expect(200);
    assert_eq!(download.body, GREEN.content);
    assert_eq!(download.header("content-type"), "image/png");
    assert_eq!(download.header("x-frame-options"), "DENY");
    assert_eq!(
        download.header("content-disposition"),
        "attachment; filename=\"logo_green.png\"; filename*=UTF-8''logo_green.png"
    );
}

/// `curl -H 'Content-Type: application/octet-stream' --data-binary @my.file`, and with the slash
/// that programs in the field write.
#[tokio::test]
async fn a_nameless_upload_is_unknown() {
    let world = World::memory().await;
    let bare = |target: &str| Ask::post(target).body("content");
    for ask in [
        bare(FILES),
        bare("/api/files/"),
        bare(FILES).header("content-type", "application/octet-stream"),
        bare(FILES).header("content-type", ""),
        bare(FILES).header("x-molgenis-filename", ""),
        bare(FILES).declaring(None),
        bare("/api/files?x=y"),
    ] {
        let asked = format!("{ask:?}");
        let reply = world.send(ask).await.expect(201);
        let id = Api.id(&reply);
        let expected = format!(
            r#"{{"id":"{id}","filename":"unknown","contentType":"application/octet-stream","size":7}}"#
        );
        assert_eq!(reply.text(), expected, "{asked}");
        assert!(reply.header("location").ends_with(&format!("/api/files/{id}?alt=media")));
    }
}

#[tokio::test]
async fn an_empty_body_is_an_empty_file() {
    let world = World::memory().await;
    for ask in [Ask::post(FILES), Ask::post(FILES).declaring(None)] {
        let reply = world.send(ask).await.expect(201);
        assert_eq!(reply.json()["size"], 0);
        assert_eq!(world.send(Ask::get(Api.stored(&reply))).await.expect(200).body, "");
    }
}

#[tokio::test]
async fn types_are_kept_as_sent_and_served_if_they_are_types() {
    let world = World::memory().await;
    for (sent, served) in [
        ("text/plain; charset=\"utf-8\"", "text/plain; charset=\"utf-8\""),
        ("None", "application/octet-stream"),
        ("x-unheard/of", "x-unheard/of"),
        ("text/html, text/plain", "application/octet-stream"),
        ("ä", "application/octet-stream"),
    ] {
        let ask = Api.upload(&File { content_type: sent, ..GREEN }).header("content-size", "8");
        let reply = world.send(ask).await.expect(201);
        assert_eq!(reply.json()["contentType"], sent);
        let download = world.send(Ask::get(Api.stored(&reply))).await.expect(200);
        assert_eq!(download.header("content-type"), served, "{sent}");
        assert!(download.header("content-disposition").starts_with("attachment"));
    }
}

#[tokio::test]
async fn names_are_taken_as_they_are() {
    let world = World::memory().await;
    for (sent, name, disposition) in [
        (
            "ä€.txt".as_bytes(),
            "ä€.txt",
            "filename=\"__.txt\"; filename*=UTF-8''%C3%A4%E2%82%AC.txt",
        ),
        (b"\xe4.txt", "ä.txt", "filename=\"_.txt\"; filename*=UTF-8''%C3%A4.txt"),
        (b"a%20b+c", "a%20b+c", "filename=\"a_20b+c\"; filename*=UTF-8''a%2520b+c"),
        (b"a\"b\\c", "a\"b\\c", "filename=\"a_b_c\"; filename*=UTF-8''a%22b%5Cc"),
        (
            b"../../etc/passwd",
            "../../etc/passwd",
            "filename=\".._.._etc_passwd\"; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd",
        ),
        (b"..", "..", "filename=\"..\"; filename*=UTF-8''.."),
        (
            b"a; filename=b",
            "a; filename=b",
            "filename=\"a; filename=b\"; filename*=UTF-8''a%3B%20filename%3Db",
        ),
    ] {
        let ask = Ask::post(FILES).header("x-molgenis-filename", sent).body("content");
        let reply = world.send(ask).await.expect(201);
        assert_eq!(reply.json()["filename"], name);
        let metadata = world.send(meta(&Api.id(&reply))).await.expect(200);
        assert_eq!(metadata.json()["filename"], name);
        let download = world.send(Ask::get(Api.stored(&reply))).await.expect(200);
        assert_eq!(download.header("content-disposition"), format!("attachment; {disposition}"));
    }
}

#[tokio::test]
async fn names_that_are_no_names_are_refused() {
    let world = World::memory().await;
    let long = "x".repeat(10_000);
    for name in [&b"a\tb"[..], "a\u{85}b".as_bytes(), long.as_bytes()] {
        let ask = Ask::post(FILES).header("x-molgenis-filename", name).body("content");
        let reply = world.send(ask).await.expect(400);
        assert!(!reply.read_body);
        Api.assert_error(&reply);
    }
    let twice = Api.upload(&GREEN).header("x-molgenis-filename", "other");
    Api.assert_error(&world.send(twice).await.expect(400));
    assert_eq!(world.count().await, 0);
    let longest = "x".repeat(1024);
    let fits = Api.upload(&File { name: &longest, ..GREEN });
    assert_eq!(world.send(fits).await.expect(201).json()["filename"], longest);
}

#[tokio::test]
async fn what_was_declared_of_the_body_must_hold() {
    let world = World::memory().await;
    for size in [7, 9, 1] {
        let reply = world.send(Api.upload(&GREEN).declaring(size)).await.expect(400);
        Api.assert_error(&reply);
    }
    let digest = |value: &str| Api.upload(&GREEN).header("repr-digest", value);
    for wrong in [format!("sha-256=:{}=:", "A".repeat(43)), "sha-256=xyz".into()] {
        Api.assert_error(&world.send(digest(&wrong)).await.expect(400));
    }
    assert_eq!(world.count().await, 0);
    let uploaded = world.send(Api.upload(&GREEN)).await.expect(201);
    let download = world.send(Ask::get(Api.stored(&uploaded))).await.expect(200);
    world.send(digest(download.header("repr-digest"))).await.expect(201);
}

#[tokio::test]
async fn the_token_comes_in_its_header_a_bearer_or_the_session_cookie() {
    let world = World::memory().await;
    let token = Token::full();
    let id = Api.id(&world.send(Api.upload(&GREEN)).await);
    for (name, good, bad) in [
        ("x-molgenis-token", token.clone(), format!("Bearer {token}")),
        ("authorization", format!("Bearer {token}"), format!("Basic {token}")),
        ("cookie", format!("JSESSIONID={token}"), format!("session_token={token}")),
    ] {
        for ask in [Api.upload(&GREEN), meta(&id), Ask::get(Api.at(&id))] {
            let reply = world.send_bare(ask.clone().header(name, &good)).await;
            assert!(reply.status.is_success(), "{name}: {reply:?}");
            let reply = world.send_bare(ask.header(name, &bad)).await.expect(401);
            assert!(!reply.read_body);
            Api.assert_error(&reply);
        }
    }
    // Tokens in URLs end up in logs.
    world.send_bare(Ask::get(format!("{FILES}/{id}?molgenis-token={token}"))).await.expect(401);
    let header = |value: &str| meta(&id).header("x-molgenis-token", value);
    world.send_bare(header("garbage").bearer(&token)).await.expect(401);
    world.send_bare(header(&token).bearer("garbage")).await.expect(200);
    world.send_bare(header("").bearer(&token)).await.expect(200);
    world.send_bare(header(&token).header("x-molgenis-token", &token)).await.expect(401);
}

#[tokio::test]
async fn pages_of_other_origins_do_not_write_with_the_session_cookie() {
    let world = World::memory().await;
    let id = Api.id(&world.send(Api.upload(&GREEN)).await);
    let cookie = format!("JSESSIONID={}", Token::full());
    for ask in [Api.upload(&GREEN), Api.changes(&id).remove(0)] {
        let foreign = ask.header("cookie", &cookie).header("origin", "https://evil.example");
        let reply = world.send_bare(foreign).await.expect(403);
        assert!(!reply.read_body);
        Api.assert_error(&reply);
    }
    let read = meta(&id).header("cookie", &cookie).header("origin", "https://evil.example");
    world.send_bare(read).await.expect(200);
}

#[tokio::test]
async fn who_lacks_a_permission_is_told_which() {
    let world = World::memory().await;
    let id = Api.id(&world.send(Api.upload(&GREEN)).await);
    let (reader, writer) = (Token::scoped("files:read"), Token::scoped("files:write"));
    for (ask, token, permission) in [
        (Api.upload(&GREEN), &reader, "ADD_DATA"),
        (Api.changes(&id).remove(0), &reader, "DELETE_DATA"),
        (meta(&id), &writer, "READ_DATA"),
        (Ask::get(Api.at(&id)), &writer, "READ_DATA"),
    ] {
        let reply = world.send_bare(ask.bearer(token)).await.expect(403);
        Api.assert_error(&reply);
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(permission) && detail.contains("sys_FileMeta"), "{detail}");
        assert_eq!(reply.json()["errorCode"], "DS04a");
    }
}

#[tokio::test]
async fn unknown_ids_are_named() {
    let world = World::memory().await;
    for id in [Api.unknown(), "short", "AAAAC2MP6YOXGAAVLUAYXFIAAE"] {
        for ask in [meta(id), Ask::get(Api.at(id)), Api.changes(id).remove(0)] {
            let reply = world.send(ask).await.expect(404);
            Api.assert_error(&reply);
            let problem = reply.json();
            assert_eq!(problem["errorCode"], "D02a");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(id) && detail.contains("sys_FileMeta"), "{detail}");
        }
    }
}

#[tokio::test]
async fn another_alt_asks_for_metadata() {
    let world = World::memory().await;
    let reply = world.send(Api.upload(&GREEN)).await;
    let id = Api.id(&reply);
    for query in ["", "?alt=json", "?alt=", "?alt=MEDIA", "?x=media", "?alt"] {
        let metadata = world.send(Ask::get(format!("{FILES}/{id}{query}"))).await.expect(200);
        assert_eq!(metadata.text(), reply.text(), "{query}");
    }
    let encoded = world.send(Ask::get(format!("{FILES}/{id}?x=y&alt=%6dedia"))).await.expect(200);
    assert_eq!(encoded.body, GREEN.content);
    for query in ["?alt=%", "?%zz=media", "?alt=%ff"] {
        let reply = world.send(Ask::get(format!("{FILES}/{id}{query}"))).await.expect(400);
        Api.assert_error(&reply);
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone() {
    let world = World::memory().await;
    let big = noise(100_000);
    let id = Api.id(&world.send(Api.upload(&File { content: &big, ..GREEN })).await);
    let delete = || Api.changes(&id).remove(0);
    let reply = world.send(delete()).await.expect(204);
    assert!(reply.body.is_empty());
    assert_eq!(world.count().await, 0);
    for ask in [delete(), meta(&id), Ask::get(Api.at(&id))] {
        Api.assert_error(&world.send(ask).await.expect(404));
    }
}

#[tokio::test]
async fn a_form_is_refused_whatever_it_holds() {
    let world = World::memory().await;
    let reply = world.send(form(FILES, "file", &GREEN)).await.expect(415);
    Api.assert_error(&reply);
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn a_file_without_content_is_not_here_yet() {
    let world = World::memory().await;
    let reserved = filestore::Attributes::named("later");
    let record = world.files().reserve(reserved).await.unwrap();
    let id = data_encoding::BASE32_NOPAD.encode(record.id.as_bytes()).to_ascii_lowercase();
    for ask in [meta(&id), Ask::get(Api.at(&id)), Api.changes(&id).remove(0)] {
        Api.assert_error(&world.send(ask).await.expect(404));
    }
    assert_eq!(world.count().await, 1);
}
