//! Uploading: by form, and as it is.

use super::{Api, CAT, FILES, encoded, said};
use crate::harness::{Ask, Token, World, noise};
use crate::subject::{BOUNDARY, File, Subject, form};

#[tokio::test]
async fn a_form_answers_as_on_the_page() {
    let world = World::memory().await;
    let reply = world.send(Api.upload(&CAT)).await.expect(201);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.members(), ["fileRef", "name", "size"]);
    let uploaded = reply.json();
    assert_eq!(uploaded["name"], "cat.jpg");
    assert_eq!(uploaded["size"], CAT.content.len());
    let file_ref = uploaded["fileRef"].as_str().unwrap();
    let (path, name) = file_ref.strip_prefix("fs://").unwrap().split_once('?').unwrap();
    assert_eq!(name, "name=cat.jpg");
    // YYYY/MM/DD/8-4-4-4-12.jpg
    let shape: String = path
        .chars()
        .map(|c| if c.is_ascii_digit() || ('a'..='f').contains(&c) { 'x' } else { c })
        .collect();
    assert_eq!(shape, "xxxx/xx/xx/xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.jpg");

    let location = reply.header("location");
    let escaped = location.strip_prefix("http://files.test:8080/rest/files?fileRef=").unwrap();
    assert!(escaped.starts_with("fs%3A%2F%2F") && escaped.ends_with("%3Fname%3Dcat.jpg"));
    let path = location.strip_prefix("http://files.test:8080").unwrap();
    assert_eq!(world.send(Ask::get(path)).await.expect(200).body, CAT.content);
}

#[tokio::test]
async fn the_parameter_name_beats_the_form_s() {
    let world = World::memory().await;
    for (query, name) in [
        ("?name=dog.jpg", "dog.jpg"),
        ("?name=", "cat.jpg"),
        ("?name=a+b%2Bc%20d.txt", "a b+c d.txt"),
        ("?x=y&name=%C3%A4.png&name=second", "ä.png"),
        ("?storageName=fs", "cat.jpg"),
        ("?storageName=", "cat.jpg"),
        ("", "cat.jpg"),
    ] {
        let ask = form(&format!("{FILES}{query}"), "file", &CAT);
        let reply = world.send(ask).await.expect(201);
        assert_eq!(reply.json()["name"], name, "{query}");
        // The location is without the query that was asked with.
        assert!(reply.header("location").starts_with("http://files.test:8080/rest/files?fileRef="));
        let download = world.send(Ask::get(Api.at(&encoded(&Api.id(&reply))))).await.expect(200);
        assert_eq!(download.body, CAT.content);
    }
}

#[tokio::test]
async fn a_direct_upload_is_the_file_itself() {
    let world = World::memory().await;
    let content = noise(100_000);
    let ask = |query: &str| Ask::post(format!("{FILES}{query}")).body(content.clone());
    for (ask, name) in [
        (
            ask("?name=cat-via-direct-request.jpg").header("content-type", "image/jpeg"),
            "cat-via-direct-request.jpg",
        ),
        (ask("?name=a.txt").declaring(None), "a.txt"),
        (ask("?name=a.txt").header("content-type", "application/x-www-form-urlencoded"), "a.txt"),
        (ask("?name=a.txt").header("content-type", "nonsense"), "a.txt"),
        (ask(""), ""),
        (ask("?name="), ""),
    ] {
        let reply = world.send(ask).await.expect(201);
        assert_eq!(reply.json()["name"], name);
        // The real size, also when none was announced.
        assert_eq!(reply.json()["size"], 100_000);
        let download = world.send(Ask::get(Api.stored(&reply))).await.expect(200);
        assert!(download.body == content, "{name}");
    }
    let empty = Ask::post(format!("{FILES}?name=empty"));
    assert_eq!(world.send(empty).await.expect(201).json()["size"], 0);
}

#[tokio::test]
async fn what_was_declared_of_a_direct_upload_must_hold() {
    let world = World::memory().await;
    for size in [6, 8] {
        let ask = Ask::post(format!("{FILES}?name=a")).body("content").declaring(size);
        let (title, _) = said(&world.send(ask).await.expect(400));
        assert_eq!(title, "File upload failed");
    }
    for size in [1 << 40, u64::MAX] {
        let ask = Ask::post(format!("{FILES}?name=a")).body("content").declaring(size);
        let reply = world.send(ask).await.expect(413);
        assert!(!reply.read_body);
        said(&reply);
    }
    let ask = Ask::post(format!("{FILES}?name=a")).body(noise(50_000));
    for size in [0, 100, 49_999] {
        world.send(ask.clone().cut_at(size)).await.expect(400);
        world.send(ask.clone().cut_at(size).declaring(None)).await.expect(400);
    }
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn forms_without_the_one_file_leave_nothing() {
    let world = World::memory().await;
    let part = |name: &str| {
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\nx\r\n")
    };
    let end = format!("--{BOUNDARY}--\r\n");
    for (why, body) in [
        ("no part file", part("upload") + &end),
        ("two files", part("file") + &part("file") + &end),
        ("another boundary", part("file").replace(BOUNDARY, "other") + "--other--\r\n"),
        ("no end", part("file")),
        ("nothing", String::new()),
    ] {
        let reply = world.send(Api.upload(&CAT).body(body)).await;
        assert_eq!(reply.status, 400, "{why}");
        assert_eq!(said(&reply).0, "File upload failed");
        assert_eq!(world.count().await, 0, "{why}");
    }
    let no_boundary = Ask::post(FILES).header("content-type", "multipart/form-data").body("x");
    said(&world.send(no_boundary).await.expect(400));
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn another_storage_is_unknown() {
    let world = World::memory().await;
    let ask = form(&format!("{FILES}?storageName=s3"), "file", &CAT);
    let reply = world.send(ask).await.expect(400);
    assert!(!reply.read_body);
    let details = "Cannot find FileStorage with name: 's3'".to_owned();
    assert_eq!(said(&reply), ("Invalid file reference".to_owned(), details));
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn names_are_kept_whatever_they_look_like() {
    let world = World::memory().await;
    for name in
        ["../../etc/passwd", "a/b\\c", "ä€ 日本.png", "a\"b.txt", "a&b=c%d+e.jpg", ".", "a."]
    {
        let reply = world.send(Api.upload(&File { name, ..CAT })).await.expect(201);
        assert_eq!(reply.json()["name"], name);
        let path = reply.header("location").strip_prefix("http://files.test:8080").unwrap();
        let download = world.send(Ask::get(path)).await.expect(200);
        assert_eq!(download.body, CAT.content, "{name}");
        let exact = percent_encoding::percent_decode_str(
            download.header("content-disposition").split_once("filename*=UTF-8''").unwrap().1,
        );
        assert_eq!(exact.decode_utf8().unwrap(), name);
        // No more of the name than its extension is in the path.
        let (path, _) = path.split_once("%3Fname").unwrap();
        assert!(!path.contains("passwd") && !path.contains(".."), "{path}");
    }
}

#[tokio::test]
async fn names_that_are_no_names_are_refused() {
    let world = World::memory().await;
    let long = "x".repeat(10_000);
    for name in ["a%00b", "a%0Ab", "a%7F", "%C2%85", &long] {
        let direct = Ask::post(format!("{FILES}?name={name}")).body("content");
        let over = form(&format!("{FILES}?name={name}"), "file", &CAT);
        for ask in [direct, over] {
            said(&world.send(ask).await.expect(400));
        }
    }
    for name in ["a%0Ab", "a\tb", &long] {
        said(&world.send(Api.upload(&File { name, ..CAT })).await.expect(400));
    }
    for query in ["?name=%", "?name=%zz", "?name=%ff"] {
        let ask = Ask::post(format!("{FILES}{query}")).body("content");
        let reply = world.send(ask).await.expect(400);
        assert!(!reply.read_body);
        said(&reply);
    }
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn who_may_not_is_told_in_jmix_s_words() {
    let world = World::memory().await;
    let reply = world.send_bare(Api.upload(&CAT).bearer(Token::scoped("files:read"))).await;
    let words = |title: &str, details: &str| (title.to_owned(), details.to_owned());
    let upload = words("File upload failed", "File upload is not permitted");
    assert_eq!(said(&reply.expect(403)), upload);
    let ask = Ask::get(Api.at(Api.unknown())).bearer(Token::scoped("files:write"));
    let download = words("File download failed", "File download is not permitted");
    assert_eq!(said(&world.send_bare(ask).await.expect(403)), download);
}

#[tokio::test]
async fn only_a_bearer_token_is_a_credential() {
    let world = World::memory().await;
    let token = Token::full();
    for (name, value) in [
        ("cookie", format!("session_token={token}; JSESSIONID={token}")),
        ("x-molgenis-token", token.clone()),
        ("authorization", format!("Basic {token}")),
    ] {
        let reply = world.send_bare(Api.upload(&CAT).header(name, value)).await.expect(401);
        assert!(!reply.read_body);
        Api.assert_error(&reply);
    }
    let query = Ask::get(format!("{}&access_token={token}", Api.at(Api.unknown())));
    world.send_bare(query).await.expect(401);
    // Upstream: what is nowhere is 401 as well, without a token.
    world.send_bare(Ask::get("/rest/nothing")).await.expect(401);
}
