//! `POST /api/v1/uploads`

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::*;

fn seconds_left(answer: &Value) -> i64 {
    let text = answer["expiresAt"].as_str().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    let expires = OffsetDateTime::parse(text, &Rfc3339).unwrap();
    let left = expires - OffsetDateTime::now_utc();
    // The test itself takes a moment.
    (left.whole_seconds() + 30) / 60 * 60
}

#[tokio::test]
async fn an_upload_begins_with_the_answer_of_the_page() {
    let world = World::memory().await;
    let mut body = described("emoji.png", b"content");
    body["contentType"] = json!("image/png");
    body["uploadLocation"] = json!("ATTACHMENT");
    body["expiresInSeconds"] = json!(3600);
    body["somethingElse"] = json!({"is": "passed over"});
    let reply = world.send(begin(&body)).await.expect(201);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.members(), ["uploadId", "chunkSize", "expiresAt", "presignedURL"]);
    let answer = reply.json();
    assert_eq!(answer["chunkSize"], 7);
    assert_eq!(seconds_left(&answer), 3600);
    let id = answer["uploadId"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().to_string(), id);
    assert_eq!(status(&world, id).await["status"], "INITIATED");
    assert_eq!(world.count().await, 0);
}

#[tokio::test]
async fn a_session_lives_a_day_unless_it_says_otherwise_and_a_week_at_most() {
    let world = World::memory().await;
    for (asked, lives) in [
        (json!({}), 86_400),
        (json!({"expiresInSeconds": 0}), 86_400),
        (json!({"expiresInSeconds": -5}), 86_400),
        (json!({"expiresInSeconds": null}), 86_400),
        (json!({"expiresInSeconds": 600}), 600),
        (json!({"expireInSeconds": 600}), 600),
        (json!({"expiresInSeconds": 604_800}), 604_800),
        (json!({"expiresInSeconds": i64::MAX}), 604_800),
    ] {
        let mut body = described("a", b"content");
        body.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        let answer = world.send(begin(&body)).await.expect(201).json();
        assert_eq!(seconds_left(&answer), lives, "{asked}");
        let url = answer["presignedURL"].as_str().unwrap();
        assert!(url.contains(&format!("&X-ID-EXPIRES={lives}&")), "{url}");
    }
}

#[tokio::test]
async fn what_cannot_begin_an_upload_is_refused() {
    let world = World::memory().await;
    let with = |name: &str, value: Value| {
        let mut body = described("a", b"content");
        body[name] = value;
        body
    };
    for (body, status) in [
        (with("fileName", json!(null)), 400),
        (with("fileName", json!("")), 400),
        (with("fileName", json!("x".repeat(256))), 400),
        (with("fileName", json!("a\u{0}b")), 400),
        (with("fileName", json!(1)), 400),
        (with("fileSize", json!(-1)), 400),
        (with("fileSize", json!("7")), 400),
        (with("fileSize", json!(1_u64 << 50)), 413),
        (with("chunkSize", json!(-1)), 400),
        (with("contentType", json!("x".repeat(256))), 400),
        (with("contentType", json!("text/plain\r\nX: y")), 400),
        (with("sha256", json!(null)), 400),
        (with("sha256", json!("")), 400),
        (with("sha256", json!("abc")), 400),
        (with("sha256", json!("g".repeat(64))), 400),
        (json!([]), 400),
        (json!(["a", null, null, null, Digest::of(b"content").to_string(), null, null]), 400),
        (json!("text"), 400),
    ] {
        let reply = world.send(begin(&body)).await;
        assert_eq!(reply.status, status, "{body}");
        Api.assert_error(&reply);
    }
    for text in ["", "{", "{\"fileName\": \"a\"", "\u{0}"] {
        Api.assert_error(&world.send(begin(&json!(0)).body(text)).await.expect(400));
    }
    for location in ["archive", "Image", "", "DESK"] {
        let reply = world.send(begin(&with("uploadLocation", json!(location)))).await;
        assert_plain(&reply, "Invalid uploadLocation in request.");
    }
    for good in [
        with("fileName", json!("ä".repeat(255))),
        with("sha256", json!(Digest::of(b"content").to_string().to_uppercase())),
        with("chunkSize", json!(null)),
        with("contentType", json!("")),
        with("contentType", json!("x".repeat(255))),
    ] {
        world.send(begin(&good)).await.expect(201);
    }
    let listed = world.send(Ask::get(UPLOADS)).await.expect(200).json();
    assert_eq!(listed["uploads"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn an_upload_without_a_size_takes_what_comes() {
    let world = World::memory().await;
    for size in [json!(null), json!(0)] {
        let mut body = described("a", b"some content");
        body["fileSize"] = size;
        let id = Api.id(&world.send(begin(&body)).await.expect(201));
        assert_eq!(status(&world, &id).await["fileSize"], 0);
        world.send(chunk(&id, 1, 2, b"some ")).await.expect(200);
        world.send(chunk(&id, 2, 2, b"content")).await.expect(200);
        assert_eq!(status(&world, &id).await["fileSize"], 12);
        assert_eq!(content(&world, &id).await, b"some content");
    }
}

/// The status says so, later chunks are told, and the list has it as failed.
#[tokio::test]
async fn a_session_that_outlives_its_time_has_failed() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    let mut body = described("a", b"content");
    body["expiresInSeconds"] = json!(60);
    let id = Api.id(&world.send(begin(&body)).await.expect(201));
    world.send(chunk(&id, 1, 2, b"con")).await.expect(200);
    let done = Api.upload(&File::of(b"done"));
    let done = Api.id(&world.send(done).await.expect(200));

    clock.advance(Duration::from_secs(60));
    let late = world.send(chunk(&id, 2, 2, b"tent")).await;
    assert_title(&late, 410, "Upload session has expired: ", &id);
    let shown = status(&world, &id).await;
    assert_eq!(
        (&shown["status"], &shown["message"]),
        (&json!("FAILED"), &json!("Upload session has expired."))
    );
    let listed = world.send(Ask::get(UPLOADS)).await.expect(200).json();
    assert_eq!(listed["uploads"], json!([shown]));
    Api.assert_error(&world.send(Ask::get(Api.at(&id))).await.expect(400));
    let late = world.send(chunk(&id, 2, 2, b"tent")).await;
    assert_title(&late, 410, "Upload session has expired: ", &id);

    // What is completed does not expire.
    clock.advance(Duration::from_secs(864_000));
    assert_eq!(status(&world, &done).await["status"], "COMPLETED");
    assert_eq!(content(&world, &done).await, b"done");
}
