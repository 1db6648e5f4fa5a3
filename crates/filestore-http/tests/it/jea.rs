//! "Upload a File to JEA", line by line.

use http::Method;
use serde_json::json;

use crate::harness::{Ask, Reply, Token, World, noise};
use crate::subject::{BOUNDARY, File, Subject, assert_challenge, form, words, wrong};

pub(crate) struct Api;

const UPLOAD: &str = "/jea_web/api/upload";

impl Subject for Api {
    fn mount(&self) -> &'static str {
        "/jea_web/api"
    }

    fn upload(&self, file: &File<'_>) -> Ask {
        form(UPLOAD, "file", file)
    }

    fn id(&self, uploaded: &Reply) -> String {
        uploaded.json()["fileHandle"].as_str().unwrap().to_owned()
    }

    fn at(&self, id: &str) -> String {
        format!("/jea_web/api/view/{id}")
    }

    fn changes(&self, id: &str) -> Vec<Ask> {
        vec![Ask::delete(format!("/jea_web/api/files/{id}"))]
    }

    fn unknown(&self) -> &'static str {
        "d07b790c956e0fa5036b420edce2f5f0"
    }

    fn misdirected(&self) -> Vec<(Ask, &'static str)> {
        let id = self.unknown();
        vec![
            wrong(Method::GET, UPLOAD, "POST"),
            wrong(Method::PUT, UPLOAD, "POST"),
            wrong(Method::POST, &self.at(id), "GET, HEAD"),
            wrong(Method::DELETE, &format!("/jea_web/api/download/{id}"), "GET, HEAD"),
            wrong(Method::GET, &format!("/jea_web/api/files/{id}"), "DELETE"),
        ]
    }

    fn refused_media(&self) -> Vec<Ask> {
        let types =
            ["image/png", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"];
        let ask = || Ask::post(UPLOAD).body("content");
        types.map(|media| ask().header("content-type", media)).into_iter().chain([ask()]).collect()
    }

    fn assert_error(&self, reply: &Reply) {
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.members(), ["ok", "status"]);
        assert_eq!(reply.json()["ok"], false);
        words(&reply.json()["status"]);
        if reply.status == 401 {
            assert_challenge(reply);
            assert_eq!(reply.json()["status"], "Unauthorized");
        }
    }
}

const PNG: File<'_> =
    File { name: "dn.png", content_type: "image/png", content: b"\x89PNG\r\n\x1a\n" };

#[tokio::test]
async fn an_upload_answers_the_upload_info_of_the_page() {
    let world = World::memory().await;
    let reply = world.send(Api.upload(&PNG)).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.members(), ["ok", "status", "fileHandle", "callback"]);
    let info = reply.json();
    let handle = info["fileHandle"].as_str().unwrap();
    assert_eq!((&info["ok"], &info["status"]), (&json!(true), &json!("File upload accepted")));
    assert!(handle.len() == 32 && handle.bytes().all(|b| b"0123456789abcdef".contains(&b)));
    let callback = info["callback"].as_str().unwrap();
    let path = callback.strip_prefix("http://files.test:8080").unwrap();
    assert_eq!(path, format!("/jea_web/api/view/{handle}"));
    assert_eq!(world.send(Ask::get(path)).await.expect(200).body, PNG.content);
    let download = format!("/jea_web/api/download/{handle}");
    assert_eq!(world.send(Ask::get(download)).await.expect(200).body, PNG.content);
}

/// `curl -b cookies -F "file=@dn.png"`, and the same from Python.
#[tokio::test]
async fn the_cookie_of_the_log_on_is_a_credential() {
    let world = World::memory().await;
    let token = Token::full();
    for cookie in [
        format!("session_token={token}"),
        format!("theme=dark; session_token={token}; lang=en"),
        format!("session_token=\"{token}\""),
    ] {
        let ask = Api.upload(&PNG).header("cookie", &cookie);
        let url = Api.stored(&world.send_bare(ask).await.expect(200));
        world.send_bare(Ask::get(url).header("cookie", &cookie)).await.expect(200);
    }
    for cookie in [
        "session_token=".to_owned(),
        "session_token=garbage".to_owned(),
        format!("Session_Token={token}"),
        format!("JSESSIONID={token}"),
        format!("session_token={token}; session_token={token}"),
    ] {
        let reply = world.send_bare(Api.upload(&PNG).header("cookie", &cookie)).await;
        assert_eq!(reply.status, 401, "{cookie}");
        assert!(!reply.read_body);
        Api.assert_error(&reply);
    }
}

#[tokio::test]
async fn the_header_goes_before_the_cookie() {
    let world = World::memory().await;
    let cookie = format!("session_token={}", Token::full());
    let bad_header = Api.upload(&PNG).header("cookie", &cookie).bearer("garbage");
    world.send_bare(bad_header).await.expect(401);
    let bad_cookie = Api.upload(&PNG).header("cookie", "session_token=garbage");
    world.send(bad_cookie).await.expect(200);
    // An unset variable in a script leaves an empty header.
    let empty = Api.upload(&PNG).header("cookie", &cookie).header("authorization", "");
    world.send_bare(empty).await.expect(200);
}

#[tokio::test]
async fn pages_of_other_origins_do_not_write_with_a_cookie() {
    let world = World::memory().await;
    let cookie = format!("session_token={}", Token::full());
    let upload = || Api.upload(&PNG).header("cookie", &cookie);
    let uploaded = world.send_bare(upload()).await.expect(200);
    let handle = Api.id(&uploaded);
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://files.test"),
        ("origin", "http://files.test:8080.evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let reply = world.send_bare(upload().header(name, value)).await;
        assert_eq!(reply.status, 403, "{name}: {value}");
        assert!(!reply.read_body);
        Api.assert_error(&reply);
        let delete = Api.changes(&handle).remove(0).header("cookie", &cookie).header(name, value);
        world.send_bare(delete).await.expect(403);
        // A token that the page holds itself is no accident.
        world.send(Api.upload(&PNG).header(name, value)).await.expect(200);
    }
    let own = upload().header("origin", "http://files.test:8080");
    world.send_bare(own.header("sec-fetch-site", "same-origin")).await.expect(200);
    let read = Ask::get(Api.at(&handle)).header("cookie", &cookie);
    world.send_bare(read.header("origin", "https://evil.example")).await.expect(200);
}

#[tokio::test]
async fn the_part_called_file_is_the_file_and_others_are_passed_over() {
    let world = World::memory().await;
    let body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"comment\"\r\n\r\nfile\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nthe file\r\n\
         --{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"x\"\r\n\r\nx\r\n\
         --{BOUNDARY}--\r\n"
    );
    let ask = Api.upload(&PNG).body(body);
    let url = Api.stored(&world.send(ask).await.expect(200));
    assert_eq!(world.send(Ask::get(url)).await.expect(200).body, "the file");
}

#[tokio::test]
async fn forms_without_the_one_file_leave_nothing() {
    let world = World::memory().await;
    let part = |name: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n")
    };
    let end = format!("--{BOUNDARY}--\r\n");
    for (why, body) in [
        ("no part file", part("data") + &end),
        ("another case", part("File") + &end),
        ("no part at all", end.clone()),
        ("two files", part("file") + &part("file") + &end),
        ("two files apart", part("file") + &part("data") + &part("file") + &end),
        ("another boundary", part("file").replace(BOUNDARY, "other") + "--other--\r\n"),
        ("no end", part("file")),
        ("a part without a name", format!("--{BOUNDARY}\r\nX: y\r\n\r\nx\r\n{end}")),
        ("no form", "{}".to_owned()),
        ("nothing", String::new()),
    ] {
        let reply = world.send(Api.upload(&PNG).body(body)).await;
        assert_eq!(reply.status, 400, "{why}");
        Api.assert_error(&reply);
        assert_eq!(world.count().await, 0, "{why}");
    }
    let many = part("data").repeat(100) + &part("file") + &end;
    world.send(Api.upload(&PNG).body(many)).await.expect(413);
    for media in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=ä",
    ] {
        let ask = Api.upload(&PNG).without("content-type").header("content-type", media);
        Api.assert_error(&world.send(ask).await.expect(400));
    }
    assert_eq!(world.count().await, 0);
}

/// What a user sends who copies the page's header beside `files=`.
#[tokio::test]
async fn an_octet_stream_that_is_a_form_is_taken_out_of_it() {
    let world = World::memory().await;
    let content = noise(100_000);
    let typed =
        |ask: Ask| ask.without("content-type").header("content-type", "application/octet-stream");
    for size in [0, 5, 100_000] {
        let file = File { content: &content[..size], ..PNG };
        for frame in [1 << 20, 3] {
            if size / frame > 1000 {
                continue;
            }
            let ask = typed(Api.upload(&file)).in_frames_of(frame);
            let url = Api.stored(&world.send(ask).await.expect(200));
            let reply = world.send(Ask::get(url)).await.expect(200);
            assert!(reply.body == content[..size], "{size} in frames of {frame}");
            assert_eq!(reply.header("content-type"), "image/png");
        }
    }
    let stored = world.count().await;
    let cut = typed(Api.upload(&PNG));
    for size in cut.content.len() - 30..cut.content.len() {
        // The closing delimiter is not there, whether the connection broke or not.
        world.send(cut.clone().cut_at(size)).await.expect(400);
    }
    assert_eq!(world.count().await, stored);
}

#[tokio::test]
async fn any_other_octet_stream_is_the_file() {
    let world = World::memory().await;
    let content = noise(100_000);
    let ask = || Ask::post(UPLOAD).header("content-type", "application/octet-stream");
    for body in [
        &content[..],
        b"x",
        b"-",
        b"--",
        b"-- a list\r\n\r\nname=\"file\"",
        b"--X\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nx\r\n--X--\r\n",
    ] {
        let ask = ask().body(body.to_vec());
        let url = Api.stored(&world.send(ask).await.expect(200));
        assert!(world.send(Ask::get(url)).await.expect(200).body == *body);
    }
    let stored = world.count().await;
    // Somebody forgot the body.
    Api.assert_error(&world.send(ask()).await.expect(400));
    Api.assert_error(&world.send(ask().declaring(None)).await.expect(400));
    let too_large = world.send(ask().body("x").declaring(1 << 40)).await.expect(413);
    assert!(!too_large.read_body);
    for wrong in [5, 7] {
        world.send(ask().body("123456").declaring(wrong)).await.expect(400);
    }
    assert_eq!(world.count().await, stored);
}

#[tokio::test]
async fn the_name_that_a_file_came_with_is_gone() {
    let world = World::memory().await;
    let name = "secret-plans.docx";
    let file = File { name, content_type: "text/plain", content: b"content" };
    let mut replies = vec![world.send(Api.upload(&file)).await.expect(200)];
    let handle = Api.id(&replies[0]);
    for path in ["view", "download"] {
        let url = format!("/jea_web/api/{path}/{handle}");
        let reply = world.send(Ask::get(&url)).await.expect(200);
        let disposition = reply.header("content-disposition");
        let named = format!("filename=\"{handle}\"");
        assert!(disposition.starts_with("attachment") && disposition.contains(&named));
        replies.push(reply);
        replies.push(world.send(Ask::head(&url)).await);
        replies.push(world.send(Ask::get(&url).header("if-match", "\"x\"")).await);
        replies.push(world.send(Ask::get(&url).header("range", "bytes=99-")).await);
    }
    let record =
        world.files().list(&filestore::FileQuery::default()).await.unwrap().items.remove(0);
    assert!(!format!("{record:?}").contains("secret-plans"), "{record:?}");
    replies.push(world.send(Api.changes(&handle).remove(0)).await);
    for reply in replies {
        let all = reply.everything();
        assert!(memchr::memmem::find(&all, b"secret-plans").is_none(), "{reply:?}");
    }
}

#[tokio::test]
async fn names_of_any_kind_do_not_matter() {
    let world = World::memory().await;
    let long = "x".repeat(10_000);
    for name in ["", "../../etc/passwd", "a\"b", "ä€.txt", "a\tb", "C:\\x\\y", &long] {
        let reply = world.send(Api.upload(&File { name, ..PNG })).await;
        assert_eq!(reply.status, 200, "{name}: {reply:?}");
        let url = Api.stored(&reply);
        assert_eq!(world.send(Ask::get(url)).await.expect(200).body, PNG.content);
    }
}

#[tokio::test]
async fn a_view_shows_what_is_harmless_and_a_download_shows_nothing() {
    let world = World::memory().await;
    for (content_type, shown) in [
        ("image/png", true),
        ("image/jpeg", true),
        ("application/pdf", true),
        ("text/html", false),
        ("image/svg+xml", false),
        ("nonsense", false),
    ] {
        let uploaded = world.send(Api.upload(&File { content_type, ..PNG })).await.expect(200);
        let view = world.send(Ask::get(Api.stored(&uploaded))).await.expect(200);
        let kind = if shown { "inline" } else { "attachment" };
        assert!(view.header("content-disposition").starts_with(kind), "{content_type}");
        let download = format!("/jea_web/api/download/{}", Api.id(&uploaded));
        let download = world.send(Ask::get(download)).await.expect(200);
        assert!(download.header("content-disposition").starts_with("attachment"));
        assert_eq!(download.header("content-type"), "application/octet-stream");
    }
}

#[tokio::test]
async fn handles_are_read_in_one_way_only() {
    let world = World::memory().await;
    let handle = Api.id(&world.send(Api.upload(&PNG)).await);
    for other in [handle.to_uppercase(), format!("{handle}.png"), format!("{handle}/")] {
        if other != handle {
            let reply = world.send(Ask::get(Api.at(&other))).await;
            assert_eq!(reply.status, 404, "{other}");
            Api.assert_error(&reply);
        }
    }
}

#[tokio::test]
async fn a_deleted_file_is_gone() {
    let world = World::memory().await;
    let handle = Api.id(&world.send(Api.upload(&PNG)).await);
    let delete = || Api.changes(&handle).remove(0);
    let refused = world.send_bare(delete().bearer(Token::scoped("files:read"))).await.expect(403);
    Api.assert_error(&refused);
    let reply = world.send(delete()).await.expect(200);
    assert_eq!(reply.json(), json!({"ok": true, "status": format!("{handle} has been deleted")}));
    Api.assert_error(&world.send(delete()).await.expect(404));
    Api.assert_error(&world.send(Ask::get(Api.at(&handle))).await.expect(404));
}
