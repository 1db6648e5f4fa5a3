//! Content: links to it, and what is behind them.

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};

use super::{create, error, fetched, get, post, put, stored, target};
use crate::harness::{Ask, MAX_FILE, Token, World, noise};

cdf! {
    content_of_every_size_comes_back
    links_work_with_and_without_a_token
    links_are_good_for_one_thing_only
    downloads_are_served_as_what_they_are
    links_are_shown_under_the_name_that_was_asked_for
    files_without_content_have_no_link
    an_upload_link_brings_other_content
    broken_content_changes_nothing
    other_dialects_see_the_same_files
}

async fn content_of_every_size_comes_back(world: &World) {
    let content = noise(300_000);
    for size in [0, 1, 16 << 10, 300_000] {
        for declared in [true, false] {
            let file = create(world, json!({"name": "a"})).await;
            let mut ask = Ask::put(target(&file["uploadUrl"])).body(content[..size].to_vec());
            if !declared {
                ask = ask.declaring(None);
            }
            world.send_bare(ask).await.expect(200);
            assert!(
                fetched(world, &file["id"]).await.expect(200).body == content[..size],
                "{size}"
            );
        }
    }
}

async fn links_work_with_and_without_a_token(world: &World) {
    let file = create(world, json!({"name": "a"})).await;
    let url = target(&file["uploadUrl"]);
    for (n, token) in [None, Some(Token::full()), Some("bad".into())].into_iter().enumerate() {
        let with = |ask: Ask| token.iter().fold(ask, Ask::bearer);
        world.send_bare(with(Ask::put(&url).body(n.to_string()))).await.expect(200);
        let links = post(world, "/downloadlink", json!({"items": [{"id": file["id"]}]})).await;
        let url = target(&links.json()["items"][0]["downloadUrl"]);
        let reply = world.send_bare(with(Ask::get(url))).await.expect(200);
        assert_eq!(reply.body, n.to_string());
    }
    // A token alone does as well.
    let (path, _) = url.split_once('?').unwrap();
    world.send(Ask::put(path).body("token")).await.expect(200);
    assert_eq!(world.send(Ask::get(path)).await.expect(200).body, "token");
    error(world.send_bare(Ask::get(path)).await, 401);
}

async fn links_are_good_for_one_thing_only(world: &World) {
    let file = stored(world, json!({"name": "a"}), b"old").await;
    let other = stored(world, json!({"name": "b"}), b"other").await;
    let url = target(&file["uploadUrl"]);
    let (path, query) = url.split_once('?').unwrap();
    let elsewhere = target(&other["uploadUrl"]);
    let (elsewhere, _) = elsewhere.split_once('?').unwrap();
    for ask in [
        Ask::get(&url),
        Ask::delete(&url),
        Ask::put(format!("{elsewhere}?{query}")).body("x"),
        Ask::put(format!("{url}0")).body("x"),
        Ask::get(format!("/files/{}?{query}", file["id"])),
        Ask::post(format!("/files?{query}")).body(r#"{"name": "x"}"#),
        Ask::put(format!("{path}?{}", query.replace("EXPIRES=604800", "EXPIRES=604799"))).body("x"),
    ] {
        error(world.send_bare(ask).await, 403);
    }
    assert_eq!(fetched(world, &file["id"]).await.body, "old");
    assert_eq!(fetched(world, &other["id"]).await.body, "other");
}

async fn downloads_are_served_as_what_they_are(world: &World) {
    for (mime, served) in [
        (json!("text/csv"), "text/csv"),
        (json!("text/html"), "text/html"),
        (Value::Null, "application/octet-stream"),
        (json!("txt"), "application/octet-stream"),
    ] {
        let file = create(world, json!({"name": "a b.csv", "mimeType": mime})).await;
        let ask = Ask::put(target(&file["uploadUrl"])).header("content-type", "image/png");
        world.send_bare(ask.body("content")).await.expect(200);
        let reply = fetched(world, &file["id"]).await.expect(200);
        assert_eq!(reply.header("content-type"), served);
        assert!(reply.header("content-disposition").starts_with("attachment"));
        assert!(reply.header("content-disposition").contains("filename=\"a b.csv\""));
        assert_eq!(get(world, &file["id"]).await.json()["mimeType"], mime);
    }
    let file = stored(world, json!({"name": "a"}), b"0123456789").await;
    let links = post(world, "/downloadlink", json!({"items": [{"id": file["id"]}]})).await.json();
    let url = target(&links["items"][0]["downloadUrl"]);
    let part = world.send_bare(Ask::get(&url).header("range", "bytes=2-4")).await.expect(206);
    assert_eq!(part.body, "234");
    assert_eq!(world.send_bare(Ask::head(&url)).await.expect(200).header("content-length"), "10");
    world.send_bare(Ask::get(&url).header("range", "bytes=10-")).await.expect(416);
}

async fn links_are_shown_under_the_name_that_was_asked_for(world: &World) {
    let file = stored(world, json!({"name": "a", "externalId": "x"}), b"content").await;
    let id = &file["id"];
    for (path, life) in [
        ("/downloadlink", "30"),
        ("/downloadlink?extendedExpiration=false", "30"),
        ("/downloadlink?extendedExpiration=true", "3600"),
        ("/downloadlink?extendedExpiration=True", "3600"),
    ] {
        let body = json!({"items": [{"id": id}, {"externalId": "x"}]});
        let links = post(world, path, body).await.expect(200).json();
        let members =
            |n: usize| links["items"][n].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            (&links["items"][0]["id"], members(0)),
            (id, vec!["downloadUrl".to_owned(), "id".to_owned()])
        );
        assert_eq!(links["items"][1]["externalId"], "x");
        assert_eq!(members(1), ["downloadUrl", "externalId"]);
        let url = links["items"][0]["downloadUrl"].as_str().unwrap();
        assert!(url.contains(&format!("X-ID-EXPIRES={life}&")), "{url}");
    }
    assert!(file["uploadUrl"].as_str().unwrap().contains("X-ID-EXPIRES=604800&"));
    let many: Vec<Value> = (1..=101).map(|id| json!({"id": id})).collect();
    let said = error(post(world, "/downloadlink", json!({"items": many})).await, 400);
    assert!(said["missing"].is_null());
    error(post(world, "/downloadlink?extendedExpiration=1", json!({"items": []})).await, 400);
}

#[tokio::test]
async fn links_are_good_for_as_long_as_they_say() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    let file = stored(&world, json!({"name": "a"}), b"content").await;
    let path = "/initmultipartupload?parts=2";
    let parts = post(&world, path, json!({"name": "b"})).await.expect(201).json();
    put(&world, &parts["uploadUrls"][0], b"one").await.expect(200);
    let link = async |path| {
        let links = post(&world, path, json!({"items": [{"id": file["id"]}]})).await.expect(200);
        target(&links.json()["items"][0]["downloadUrl"])
    };
    for (path, seconds) in [("/downloadlink", 30), ("/downloadlink?extendedExpiration=true", 3600)]
    {
        let url = link(path).await;
        clock.advance(Duration::from_secs(seconds - 2));
        assert_eq!(world.send_bare(Ask::get(&url)).await.expect(200).body, "content");
        clock.advance(Duration::from_secs(2));
        error(world.send_bare(Ask::get(&url)).await, 403);
    }
    clock.advance(Duration::from_secs(7 * 86_400 - 3630 - 2));
    put(&world, &file["uploadUrl"], b"new").await.expect(200);
    clock.advance(Duration::from_secs(2));
    error(put(&world, &file["uploadUrl"], b"newer").await, 403);
    assert_eq!(fetched(&world, &file["id"]).await.expect(200).body, "new");
    // The upload in parts is over with its URLs.
    error(put(&world, &parts["uploadUrls"][1], b"two").await, 403);
    let part = target(&parts["uploadUrls"][1]);
    error(world.send(Ask::put(part.split_once('?').unwrap().0).body("two")).await, 400);
    let body = json!({"id": parts["id"], "uploadId": parts["uploadId"]});
    error(post(&world, "/completemultipartupload", body).await, 400);
}

async fn files_without_content_have_no_link(world: &World) {
    let file = create(world, json!({"name": "a"})).await;
    let body = json!({"items": [{"id": file["id"]}]});
    let said = error(post(world, "/downloadlink", body).await, 400);
    assert_eq!(said["message"], format!("Files not uploaded: {}", file["id"]));
    let path = format!("/files/{}/content", file["id"]);
    error(world.send(Ask::get(path)).await, 400);
}

async fn an_upload_link_brings_other_content(world: &World) {
    let file = stored(world, json!({"name": "a", "externalId": "x"}), b"old").await;
    let before = get(world, &file["id"]).await.json();
    let body = json!({"items": [{"externalId": "x"}]});
    let link = post(world, "/uploadlink", body).await.expect(200).json();
    assert_eq!(link["items"][0]["id"], file["id"]);
    put(world, &link["items"][0]["uploadUrl"], b"new").await.expect(200);
    assert_eq!(fetched(world, &file["id"]).await.body, "new");
    let after = get(world, &file["id"]).await.json();
    assert_eq!(after["lastUpdatedTime"], before["lastUpdatedTime"]);
    for items in [json!([]), json!([{"externalId": "x"}, {"externalId": "x"}])] {
        for path in ["/uploadlink", "/multiuploadlink?parts=1"] {
            error(post(world, path, json!({"items": items})).await, 400);
        }
    }
}

async fn broken_content_changes_nothing(world: &World) {
    let file = stored(world, json!({"name": "a"}), b"old").await;
    let ask = || Ask::put(target(&file["uploadUrl"]));
    error(world.send_bare(ask().body(noise(MAX_FILE + 1))).await, 413);
    error(world.send_bare(ask().body(noise(20_000)).cut_at(19_999)).await, 400);
    assert_eq!(fetched(world, &file["id"]).await.body, "old");
    post(world, "/delete", json!({"items": [{"id": file["id"]}]})).await.expect(200);
    let said = error(world.send_bare(ask().body("new")).await, 400);
    assert_eq!(said["missing"], json!([{"id": file["id"]}]));
}

async fn other_dialects_see_the_same_files(world: &World) {
    let ask = Ask::post("/api/files").header("x-molgenis-filename", "m.txt");
    let ask = ask.header("content-type", "text/plain").body("content");
    world.send(ask).await.expect(201);
    let listed = post(world, "/list", json!({})).await.expect(200).json();
    let file = &listed["items"][0];
    assert_eq!((&file["name"], &file["mimeType"]), (&json!("m.txt"), &json!("text/plain")));
    assert_eq!(file["uploaded"], true);
    assert_eq!(fetched(world, &file["id"]).await.expect(200).body, "content");

    let bare = create(world, json!({"name": "later", "externalId": "later"})).await;
    let record = world.files().stat(filestore::FileKey::External("later".into())).await.unwrap();
    let handle = hex::encode(record.id.as_bytes());
    let elsewhere = format!("/jea_web/api/download/{handle}");
    world.send(Ask::get(&elsewhere)).await.expect(404);
    put(world, &bare["uploadUrl"], b"now").await.expect(200);
    assert_eq!(world.send(Ask::get(&elsewhere)).await.expect(200).body, "now");
}
