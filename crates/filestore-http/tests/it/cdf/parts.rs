//! Content that comes in parts.

use serde_json::{Value, json};

use super::{create, error, fetched, get, post, put, stored, target};
use crate::harness::{Ask, Token, World};

cdf! {
    parts_come_in_any_order_and_again
    an_upload_has_1_to_250_parts
    completing_is_repeatable
    completing_wants_every_part
    an_upload_belongs_to_its_file_and_its_subject
    old_content_stays_until_the_parts_are_complete
}

async fn complete(world: &World, file: &Value) -> crate::harness::Reply {
    let body = json!({"id": file["id"], "uploadId": file["uploadId"]});
    post(world, "/completemultipartupload", body).await
}

async fn parts_come_in_any_order_and_again(world: &World) {
    let body = json!({"name": "a", "externalId": "x"});
    let file = post(world, "/initmultipartupload?parts=3", body).await.expect(201).json();
    assert!(file["uploadUrl"].is_null());
    assert_eq!(file["uploadUrls"].as_array().unwrap().len(), 3);
    for (part, content) in [(2, "-three"), (0, "wrong"), (1, "-two"), (0, "one")] {
        let url = &file["uploadUrls"][part];
        assert_eq!(put(world, url, content.as_bytes()).await.expect(200).json(), json!({}));
    }
    assert_eq!(get(world, &file["id"]).await.json()["uploaded"], false);
    assert_eq!(complete(world, &file).await.expect(200).json(), json!({}));
    assert_eq!(get(world, &file["id"]).await.json()["uploaded"], true);
    assert_eq!(fetched(world, &file["id"]).await.body, "one-two-three");
    error(put(world, &file["uploadUrls"][0], b"late").await, 409);
}

async fn an_upload_has_1_to_250_parts(world: &World) {
    for (query, fits) in [
        ("?parts=1", true),
        ("?parts=250&overwrite=true", true),
        ("?parts=251", false),
        ("?parts=0", false),
        ("?parts=-1", false),
        ("?parts=x", false),
        ("?parts=", false),
        ("", false),
    ] {
        let before = world.count().await;
        let reply =
            post(world, &format!("/initmultipartupload{query}"), json!({"name": "a"})).await;
        if fits {
            reply.expect(201);
        } else {
            error(reply, 400);
            assert_eq!(world.count().await, before, "{query}");
        }
    }
}

async fn completing_is_repeatable(world: &World) {
    let file = post(world, "/initmultipartupload?parts=1", json!({"name": "a", "externalId": "x"}));
    let file = file.await.expect(201).json();
    put(world, &file["uploadUrls"][0], b"").await.expect(200);
    for _ in 0..3 {
        complete(world, &file).await.expect(200);
    }
    let body = json!({"externalId": "x", "uploadId": file["uploadId"]});
    post(world, "/completemultipartupload", body).await.expect(200);
    let both = json!({"externalId": "x", "id": file["id"], "uploadId": file["uploadId"]});
    error(post(world, "/completemultipartupload", both).await, 400);
    assert_eq!(fetched(world, &file["id"]).await.body, "");
}

async fn completing_wants_every_part(world: &World) {
    let file = post(world, "/initmultipartupload?parts=2", json!({"name": "a"})).await.json();
    put(world, &file["uploadUrls"][1], b"two").await.expect(200);
    error(complete(world, &file).await, 400);
    put(world, &file["uploadUrls"][0], b"one-").await.expect(200);
    complete(world, &file).await.expect(200);
    assert_eq!(fetched(world, &file["id"]).await.body, "one-two");
}

async fn an_upload_belongs_to_its_file_and_its_subject(world: &World) {
    let file = post(world, "/initmultipartupload?parts=1", json!({"name": "a"})).await.json();
    let other = create(world, json!({"name": "b"})).await;
    put(world, &file["uploadUrls"][0], b"content").await.expect(200);
    // A session of another dialect, which is the same subject's, makes a file of its own.
    let body = json!({"fileName": "c", "sha256": "0".repeat(64)}).to_string();
    let session = world.send(Ask::post("/api/v1/uploads").body(body)).await.expect(201).json();
    let session = session["uploadId"].as_str().unwrap().replace('-', "");
    let path = format!("/files/{}/parts/{session}/1", file["id"]);
    error(world.send(Ask::put(path).body("x")).await, 400);
    for upload in ["", "x", "00000000000000000000000000000000", &session] {
        let body = json!({"id": file["id"], "uploadId": upload});
        error(post(world, "/completemultipartupload", body).await, 400);
    }
    let body = json!({"id": other["id"], "uploadId": file["uploadId"]});
    error(post(world, "/completemultipartupload", body.clone()).await, 400);
    let body = json!({"id": file["id"], "uploadId": file["uploadId"]});
    let stranger = super::ask("/completemultipartupload", body).bearer(Token::of_a_colleague());
    error(world.send_bare(stranger).await, 400);
    assert_eq!(get(world, &file["id"]).await.json()["uploaded"], false);
    complete(world, &file).await.expect(200);

    let url = target(&file["uploadUrls"][0]);
    let (path, _) = url.split_once('?').unwrap();
    for part in ["0", "2", "x"] {
        let path = format!("{}/{part}", path.rsplit_once('/').unwrap().0);
        let reply = world.send(Ask::put(path).body("x")).await;
        assert!(matches!(reply.status.as_u16(), 400 | 409), "{reply:?}");
    }
}

async fn old_content_stays_until_the_parts_are_complete(world: &World) {
    let file = stored(world, json!({"name": "a", "externalId": "x"}), b"old").await;
    let again = json!({"name": "b", "externalId": "x"});
    error(post(world, "/initmultipartupload?parts=1", again.clone()).await, 409);
    let path = "/initmultipartupload?parts=1&overwrite=true";
    let begun = post(world, path, again).await.expect(201).json();
    assert_eq!((&begun["id"], &begun["uploaded"]), (&file["id"], &json!(true)));
    let body = json!({"items": [{"externalId": "x"}]});
    let linked = post(world, "/multiuploadlink?parts=1", body).await.expect(200).json();
    let linked = &linked["items"][0];
    put(world, &begun["uploadUrls"][0], b"first").await.expect(200);
    put(world, &linked["uploadUrls"][0], b"second").await.expect(200);
    assert_eq!(fetched(world, &file["id"]).await.body, "old");
    for (upload, content) in [(&begun, "first"), (linked, "second")] {
        complete(world, upload).await.expect(200);
        assert_eq!(fetched(world, &file["id"]).await.body, content);
    }
}
