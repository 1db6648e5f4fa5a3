//! `GET /api/v1/uploads[/{uploadId}]`, `DELETE /api/v1/uploads/{uploadId}`

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};

use super::*;
use crate::harness::Token;
use crate::{jea, molgenis};

async fn listed(world: &World) -> Vec<Value> {
    let reply = world.send(Ask::get(UPLOADS)).await.expect(200);
    assert_eq!(reply.members(), ["uploads"]);
    reply.json()["uploads"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_status_follows_the_upload() {
    let world = World::memory().await;
    let mut body = described("a.txt", b"some content");
    body["contentType"] = json!("text/plain");
    let id = Api.id(&world.send(begin(&body)).await.expect(201));
    let shown = |status: &str, chunks: Value, received: u64, message: &str| {
        json!({
            "uploadId": id, "fileName": "a.txt", "fileSize": 12, "imageId": 0, "chunkSize": 7,
            "status": status, "uploadedChunks": chunks, "totalReceivedSize": received,
            "message": message, "presignedURL": null,
        })
    };
    let expected = shown("INITIATED", json!([]), 0, "Upload session initiated.");
    let reply = world.send(Ask::get(format!("{UPLOADS}/{id}"))).await.expect(200);
    let members = [
        "uploadId",
        "fileName",
        "fileSize",
        "imageId",
        "chunkSize",
        "status",
        "uploadedChunks",
        "totalReceivedSize",
        "message",
        "presignedURL",
    ];
    assert_eq!((reply.members(), reply.json()), (members.map(String::from).into(), expected));

    world.send(chunk(&id, 3, 3, b"tent")).await.expect(200);
    world.send(chunk(&id, 1, 3, b"some ")).await.expect(200);
    let chunks =
        json!([{"chunkOrder": 1, "receivedSize": 5}, {"chunkOrder": 3, "receivedSize": 4}]);
    assert_eq!(status(&world, &id).await, shown("UPLOADING", chunks, 9, "Upload in progress."));

    world.send(chunk(&id, 2, 3, b"con")).await.expect(200);
    let completed = status(&world, &id).await;
    assert_eq!(
        (&completed["status"], &completed["uploadedChunks"]),
        (&json!("COMPLETED"), &json!([]))
    );
    assert_eq!(completed["message"], "Upload completed.");

    world.send(cancel(&id)).await.expect(200);
    let canceled = status(&world, &id).await;
    assert_eq!(
        (&canceled["status"], &canceled["uploadedChunks"]),
        (&json!("CANCELED"), &json!([]))
    );
    world.send(Ask::head(format!("{UPLOADS}/{id}"))).await.expect(200);
}

#[tokio::test]
async fn the_list_has_one_s_own_pending_uploads() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    // Within a millisecond nobody is older.
    let later = || clock.advance(Duration::from_millis(1));
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    let initiated = begun(&world, b"content").await;
    later();
    let uploading = begun(&world, b"content").await;
    world.send(chunk(&uploading, 1, 2, b"con")).await.expect(200);
    later();
    let failed = begun(&world, b"content").await;
    world.send(chunk(&failed, 1, 1, b"CONTENT")).await.expect(400);
    stored(&world, "a", b"content").await;
    let canceled = begun(&world, b"content").await;
    world.send(cancel(&canceled)).await.expect(200);
    for stranger in [Token::of_a_colleague(), Token::of_another_tenant()] {
        let ask = begin(&described("a", b"content")).bearer(&stranger);
        world.send_bare(ask).await.expect(201);
    }
    let expected = [
        status(&world, &initiated).await,
        status(&world, &uploading).await,
        status(&world, &failed).await,
    ];
    assert_eq!(listed(&world).await, expected);
    let statuses = expected.map(|it| it["status"].as_str().unwrap().to_owned());
    assert_eq!(statuses, ["INITIATED", "UPLOADING", "FAILED"]);
}

#[tokio::test]
async fn somebody_else_s_session_is_as_good_as_none() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    let open = begun(&world, b"content").await;
    world.send(chunk(&open, 1, 2, b"con")).await.expect(200);
    let completed = stored(&world, "a", b"content").await;
    let canceled = begun(&world, b"content").await;
    world.send(cancel(&canceled)).await.expect(200);
    for stranger in [Token::of_a_colleague(), Token::of_another_tenant()] {
        for id in [&open, &completed, &canceled] {
            let mut asks = Api.changes(id);
            asks.push(chunk(id, 0, 0, b"x"));
            asks.push(Ask::get(Api.at(id)));
            asks.push(Ask::get(format!("{UPLOADS}/{id}")));
            asks.push(Ask::get(format!("{UPLOADS}/{id}?expiresInSeconds=60")));
            for ask in asks {
                let reply = world.send_bare(ask.bearer(&stranger)).await;
                assert_title(&reply, 404, "Upload session not found: ", id);
            }
        }
    }
    assert_eq!(status(&world, &open).await["totalReceivedSize"], 3);
    clock.advance(Duration::from_secs(86_400));
    let late = chunk(&open, 2, 2, b"tent").bearer(Token::of_a_colleague());
    assert_title(&world.send_bare(late).await, 404, "Upload session not found: ", &open);
    assert_eq!(content(&world, &completed).await, b"content");
}

#[tokio::test]
async fn every_upload_can_be_canceled() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    let initiated = begun(&world, b"content").await;
    let uploading = begun(&world, b"content").await;
    world.send(chunk(&uploading, 1, 2, b"con")).await.expect(200);
    let completed = stored(&world, "a", b"content").await;
    for id in [initiated, uploading, completed] {
        let reply = world.send(cancel(&id)).await.expect(200);
        let message = format!("Upload {id} canceled successfully.");
        assert_eq!(reply.text(), json!({"message": message}).to_string());
        assert_eq!(status(&world, &id).await["status"], "CANCELED");
        let title = "Upload session has been canceled: ";
        assert_title(&world.send(cancel(&id)).await, 400, title, &id);
        let file = world.send(Ask::get(Api.at(&id))).await;
        assert!([400, 404].contains(&file.status.as_u16()));
        Api.assert_error(&file);
    }
    assert_eq!(world.count().await, 0);
    // What has failed has nothing left to give up, and stays failed.
    let failed = begun(&world, b"content").await;
    world.send(chunk(&failed, 1, 1, b"CONTENT")).await.expect(400);
    for _ in 0..2 {
        world.send(cancel(&failed)).await.expect(200);
        assert_eq!(status(&world, &failed).await["status"], "FAILED");
    }
    let body =
        json!({"fileName": "a", "sha256": Digest::of(b"").to_string(), "expiresInSeconds": 9});
    let expired = Api.id(&world.send(begin(&body)).await.expect(201));
    world.send(chunk(&expired, 1, 2, b"con")).await.expect(200);
    clock.advance(Duration::from_secs(9));
    for _ in 0..2 {
        world.send(cancel(&expired)).await.expect(200);
        let shown = status(&world, &expired).await;
        assert_eq!((&shown["status"], &shown["uploadedChunks"]), (&json!("FAILED"), &json!([])));
    }
    let unknown = world.send(cancel(UNKNOWN)).await;
    assert_title(&unknown, 404, "Upload session not found: ", UNKNOWN);
}

#[tokio::test]
async fn what_other_dialects_stored_is_shown_to_who_stored_it() {
    let world = World::memory().await;
    let file = File { name: "a.txt", content_type: "text/plain", content: b"content" };
    let handle = jea::Api.id(&world.send(jea::Api.upload(&file)).await.expect(200));
    let id = uuid::Uuid::parse_str(&handle).unwrap().to_string();
    let expected = json!({
        "uploadId": id, "fileName": handle, "fileSize": 7, "imageId": 0, "chunkSize": 0,
        "status": "COMPLETED", "uploadedChunks": [], "totalReceivedSize": 7,
        "message": "Upload completed.", "presignedURL": null,
    });
    assert_eq!(status(&world, &id).await, expected);
    assert_eq!(content(&world, &id).await, b"content");
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    world.send(copy(&id, &json!({"copyLocation": "IMAGE"}))).await.expect(200);
    let colleague = Ask::get(format!("{UPLOADS}/{id}")).bearer(Token::of_a_colleague());
    world.send_bare(colleague).await.expect(404);
    world.send(chunk(&id, 1, 1, b"x")).await.expect(404);
    world.send(cancel(&id)).await.expect(200);
    world.send(Ask::get(jea::Api.at(&handle))).await.expect(404);
    world.send(cancel(&id)).await.expect(404);
}

/// Those of another dialect bring content to a file that is there already.
#[tokio::test]
async fn another_dialect_s_sessions_are_none_here() {
    let world = World::memory().await;
    let body = json!({"name": "a"}).to_string();
    let begun = Ask::post("/files/initmultipartupload?parts=1").body(body);
    let file = world.send(begun).await.expect(201).json();
    let upload = file["uploadId"].as_str().unwrap();
    let id = uuid::Uuid::parse_str(upload).unwrap().to_string();
    let mut asks = Api.changes(&id);
    asks.push(chunk(&id, 0, 1, b"x"));
    asks.push(chunk(&id, 1, 1, b"x").header("x-content-sha256", "nonsense"));
    asks.push(Ask::get(format!("{UPLOADS}/{id}")));
    asks.push(Ask::get(Api.at(&id)));
    for ask in asks {
        let reply = world.send(ask).await;
        assert_title(&reply, 404, "Upload session not found: ", &id);
    }
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    let body = json!({"id": file["id"], "uploadId": upload}).to_string();
    let incomplete = Ask::post("/files/completemultipartupload").body(body);
    world.send(incomplete).await.expect(400);
    assert_eq!(world.count_whole().await, 0);
}

/// Another dialect's delete is a cancellation.
#[tokio::test]
async fn an_upload_that_another_dialect_deleted_is_canceled() {
    let world = World::memory().await;
    let id = stored(&world, "a", b"content").await;
    let bytes = uuid::Uuid::parse_str(&id).unwrap().into_bytes();
    let other = data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    world.send(molgenis::Api.changes(&other).pop().unwrap()).await.expect(204);
    assert_eq!(status(&world, &id).await["status"], "CANCELED");
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    let gone = world.send(copy(&id, &json!({"copyLocation": "IMAGE"}))).await;
    assert_title(&gone, 404, "Upload session not found: ", &id);
}
