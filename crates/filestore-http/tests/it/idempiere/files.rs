//! `GET /api/v1/uploads/{uploadId}/file`

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::harness::noise;

async fn uploaded(world: &World, name: &str, content_type: &str, content: &[u8]) -> String {
    Api.stored(&world.send(Api.upload(&File { name, content_type, content })).await.expect(200))
}

#[tokio::test]
async fn the_type_is_what_was_declared_or_what_the_name_suggests() {
    let world = World::memory().await;
    for (name, declared, served) in [
        ("a.bin", "text/plain", "text/plain"),
        ("a.bin", "text/html; charset=utf-8", "text/html; charset=utf-8"),
        ("a.html", "application/octet-stream", "application/octet-stream"),
        ("a.html", "nonsense", "application/octet-stream"),
        ("a.html", "", "text/html"),
        ("a.HTM", "", "text/html"),
        ("a.csv", "", "text/plain"),
        ("a.ssv", "", "text/plain"),
        ("a.log", "", "text/plain"),
        ("a.png", "", "image/png"),
        ("a", "", "application/octet-stream"),
        ("a.unheardof", "", "application/octet-stream"),
    ] {
        let url = uploaded(&world, name, declared, b"<script>").await;
        let reply = world.send(Ask::get(&url).header("accept", "application/json")).await;
        let reply = reply.expect(200);
        assert_eq!(reply.header("content-type"), served, "{name}: {declared}");
        let disposition = reply.header("content-disposition");
        assert!(disposition.starts_with("attachment; "), "{disposition}");
        assert!(disposition.contains(name));
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.body, "<script>");
    }
}

#[tokio::test]
async fn a_file_comes_as_base64_where_json_is_asked_for() {
    let world = World::memory().await;
    for size in [0, 1, 2, 3, 100_000] {
        let bytes = noise(size);
        let url = uploaded(&world, "a", "image/png", &bytes).await;
        for query in ["asJson", "asJson=", "asJson=true", "json=1", "json", "asJson=Y&x=y"] {
            let reply = world.send(Ask::get(format!("{url}?{query}"))).await.expect(200);
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.members(), ["data"]);
            let data = reply.json()["data"].as_str().unwrap().to_owned();
            assert!(STANDARD.decode(data).unwrap() == bytes, "{size}: {query}");
        }
        for query in ["asJson=false", "json=False", "asjson=true", "x=json"] {
            let reply = world.send(Ask::get(format!("{url}?{query}"))).await.expect(200);
            assert!(reply.body == bytes, "{size}: {query}");
        }
    }
}

#[tokio::test]
async fn ranges_cross_chunks() {
    let world = World::memory().await;
    let bytes = noise(50_000);
    let id = in_chunks(&world, &bytes, 10_000).await;
    for (range, expected) in
        [("9999-10000", 9_999..10_001), ("5000-44999", 5_000..45_000), ("-1", 49_999..50_000)]
    {
        let ask = Ask::get(Api.at(&id)).header("range", format!("bytes={range}"));
        assert!(world.send(ask).await.expect(206).body == bytes[expected], "{range}");
    }
}

#[tokio::test]
async fn a_file_is_there_once_its_upload_is_completed() {
    let world = World::memory().await;
    let id = begun(&world, b"some content").await;
    let file = || Ask::get(Api.at(&id));
    let title = "GET Error";
    assert_title(&world.send(file()).await, 400, title, "Upload is not completed: INITIATED");
    world.send(chunk(&id, 1, 2, b"some ")).await.expect(200);
    assert_title(&world.send(file()).await, 400, title, "Upload is not completed: UPLOADING");
    world.send(cancel(&id)).await.expect(200);
    assert_title(&world.send(file()).await, 400, title, "Upload is not completed: CANCELED");
    let unknown = world.send(Ask::get(Api.at(UNKNOWN))).await;
    assert_title(&unknown, 404, "Upload session not found: ", UNKNOWN);
}
