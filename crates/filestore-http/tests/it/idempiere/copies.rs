//! `POST /api/v1/uploads/{uploadId}/copy`, and what was copied

use serde_json::{Value, json};

use super::*;
use crate::harness::{Token, on_every_backend};

const MEMBERS: [&str; 8] = [
    "uploadId",
    "tableName",
    "recordId",
    "recordUU",
    "copyLocation",
    "fileName",
    "contentType",
    "fileSize",
];

macro_rules! cases {
    ($backend:ident: $($case:ident)*) => {
        mod $backend {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&crate::harness::World::$backend().await).await;
                }
            )*
        }
    };
}
on_every_backend!(cases:
    an_attachment_belongs_to_its_record
    an_archive_and_an_image_are_records_of_their_own
    an_attachment_of_the_same_name_is_replaced
    copies_outlive_their_source
    an_image_has_its_id_from_the_upload_on
);

async fn copied(world: &World, id: &str, body: Value) -> Value {
    let reply = world.send(copy(id, &body)).await.expect(200);
    assert_eq!(reply.members(), MEMBERS);
    reply.json()
}

fn to_order(location: &str, record: Value) -> Value {
    json!({"copyLocation": location, "tableName": "C_Order", "recordId": record})
}

/// The attachments of a record by any of its names.
fn attachments(table: &str, record: &Value) -> String {
    let record = record.as_str().map_or_else(|| record.to_string(), str::to_owned);
    format!("/api/v1/models/{table}/{record}/attachments")
}

async fn names(world: &World, url: &str) -> Vec<String> {
    let reply = world.send(Ask::get(url)).await.expect(200);
    assert_eq!(reply.members(), ["attachments"]);
    let list = reply.json()["attachments"].as_array().unwrap().clone();
    list.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

async fn an_attachment_belongs_to_its_record(world: &World) {
    let file = File { name: "a b.png", content_type: "image/png", content: b"content" };
    let id = Api.id(&world.send(Api.upload(&file)).await.expect(200));
    let answer = copied(world, &id, to_order("ATTACHMENT", json!("100"))).await;
    let uuid = answer["recordUU"].clone();
    uuid::Uuid::parse_str(uuid.as_str().unwrap()).unwrap();
    let expected = json!({
        "uploadId": id, "tableName": "C_Order", "recordId": 100, "recordUU": uuid,
        "copyLocation": "ATTACHMENT", "fileName": "a b.png", "contentType": "image/png",
        "fileSize": 7,
    });
    assert_eq!(answer, expected);

    // The record keeps both of its names, and a number will do as well.
    let other = stored(world, "b.txt", b"other").await;
    for record in [json!(100), json!("100"), uuid.clone()] {
        let answer = copied(world, &other, to_order("ATTACHMENT", record)).await;
        assert_eq!((&answer["recordId"], &answer["recordUU"]), (&json!(100), &uuid));
    }
    for record in [json!(100), uuid] {
        let url = attachments("C_Order", &record);
        let mut list = world.send(Ask::get(&url)).await.expect(200).json();
        // Within a millisecond nobody is older.
        let all = list["attachments"].as_array_mut().unwrap();
        all.sort_by_key(|it| it["name"].to_string());
        let expected = json!([
            {"name": "a b.png", "contentType": "image/png", "size": 7},
            {"name": "b.txt", "contentType": null, "size": 5},
        ]);
        assert_eq!(list["attachments"], expected);
        let file = world.send(Ask::get(format!("{url}/a%20b.png"))).await.expect(200);
        assert_eq!(file.body, "content");
        assert_eq!(file.header("content-type"), "image/png");
        assert!(file.header("content-disposition").starts_with("attachment; "));
        let part = Ask::get(format!("{url}/b.txt")).header("range", "bytes=1-2");
        assert_eq!(world.send(part).await.expect(206).body, "th");
    }
    // A record that comes by its UUID gets a number.
    let fresh = "00000000-0000-4000-8000-00000000000a";
    let answer = copied(world, &other, to_order("ATTACHMENT", json!(fresh))).await;
    assert_eq!(answer["recordUU"], fresh);
    assert_ne!(answer["recordId"], 100);
    assert_eq!(names(world, &attachments("C_Order", &answer["recordId"])).await, ["b.txt"]);
    assert_eq!(names(world, &attachments("C_Order", &json!(fresh))).await, ["b.txt"]);
}

async fn an_archive_and_an_image_are_records_of_their_own(world: &World) {
    let id = stored(world, "a.txt", b"content").await;
    let mut seen = Vec::new();
    for (location, table) in [("ARCHIVE", "AD_Archive"), ("IMAGE", "AD_Image")] {
        for body in [to_order(location, json!("100")), to_order(location, json!("100"))] {
            let answer = copied(world, &id, body).await;
            assert_eq!(
                (&answer["tableName"], &answer["copyLocation"]),
                (&json!(table), &json!(location))
            );
            assert_eq!((&answer["fileName"], &answer["fileSize"]), (&json!("a.txt"), &json!(7)));
            assert!(answer["recordId"].as_i64().unwrap() > 0);
            assert_ne!(answer["recordUU"], id);
            assert!(!seen.contains(&answer["recordUU"]));
            seen.push(answer["recordUU"].clone());
            for record in [&answer["recordId"], &answer["recordUU"]] {
                let url = attachments(table, record);
                assert_eq!(names(world, &url).await, ["a.txt"]);
                let file = world.send(Ask::get(format!("{url}/a.txt"))).await.expect(200);
                assert_eq!(file.body, "content");
            }
            let elsewhere = attachments("C_Invoice", &answer["recordUU"]);
            world.send(Ask::get(elsewhere)).await.expect(404);
        }
    }
    let image = copied(world, &id, json!({"copyLocation": "IMAGE"})).await;
    assert_eq!(image["tableName"], "AD_Image");
    // An archive of an order is no attachment of it.
    world.send(Ask::get(attachments("C_Order", &json!(100)))).await.expect(404);
}

async fn an_attachment_of_the_same_name_is_replaced(world: &World) {
    let url = attachments("C_Order", &json!(100));
    for content in [&b"first"[..], b"second", b"third"] {
        let id = stored(world, "a.txt", content).await;
        copied(world, &id, to_order("ATTACHMENT", json!("100"))).await;
        assert_eq!(names(world, &url).await, ["a.txt"]);
        let file = world.send(Ask::get(format!("{url}/a.txt"))).await.expect(200);
        assert_eq!(file.body, content);
    }
    let id = stored(world, "a.txt", b"fourth").await;
    let body = to_order("ATTACHMENT", json!("100"));
    futures::future::join_all((0..8).map(|_| copied(world, &id, body.clone()))).await;
    assert_eq!(names(world, &url).await, ["a.txt"]);
    // Another record's attachment of that name is another one.
    copied(world, &id, to_order("ATTACHMENT", json!("101"))).await;
    assert_eq!(names(world, &url).await, ["a.txt"]);
}

async fn copies_outlive_their_source(world: &World) {
    let id = stored(world, "a.txt", b"content").await;
    let mut urls = Vec::new();
    for location in ["ATTACHMENT", "ARCHIVE", "IMAGE"] {
        let answer = copied(world, &id, to_order(location, json!("100"))).await;
        let url = attachments(answer["tableName"].as_str().unwrap(), &answer["recordId"]);
        urls.push(format!("{url}/a.txt"));
    }
    world.send(cancel(&id)).await.expect(200);
    for url in urls {
        assert_eq!(world.send(Ask::get(url)).await.expect(200).body, "content");
    }
}

async fn an_image_has_its_id_from_the_upload_on(world: &World) {
    let mut body = described("a.png", b"content");
    body["uploadLocation"] = json!("IMAGE");
    let id = Api.id(&world.send(begin(&body)).await.expect(201));
    assert_eq!(status(world, &id).await["imageId"], 0);
    world.send(chunk(&id, 1, 1, b"content")).await.expect(200);
    let image = status(world, &id).await["imageId"].clone();
    assert!(image.as_i64().unwrap() > 0);
    let url = format!("{}/a.png", attachments("AD_Image", &image));
    assert_eq!(world.send(Ask::get(&url)).await.expect(200).body, "content");
    world.send(cancel(&id)).await.expect(200);
    assert_eq!(status(world, &id).await["imageId"], 0);
    world.send(Ask::get(&url)).await.expect(404);
}

#[tokio::test]
async fn copies_that_cannot_be_are_refused() {
    let world = World::memory().await;
    let id = stored(&world, "a.txt", b"content").await;
    for (body, error) in [
        (json!({}), "copyLocation is required in request."),
        (json!({"copyLocation": ""}), "copyLocation is required in request."),
        (json!({"copyLocation": "image"}), "Invalid copyLocation in request."),
        (json!({"copyLocation": "ARCHIVE"}), "tableName and recordId are required in request."),
        (to_order("ATTACHMENT", json!("")), "tableName and recordId are required in request."),
        (to_order("ATTACHMENT", json!(null)), "tableName and recordId are required in request."),
        (
            json!({"copyLocation": "ATTACHMENT", "recordId": "1"}),
            "tableName and recordId are required in request.",
        ),
    ] {
        assert_plain(&world.send(copy(&id, &body)).await, error);
    }
    for record in ["-1", "abc", "99999999999", "2147483648", "../1", "1 "] {
        let reply = world.send(copy(&id, &to_order("ATTACHMENT", json!(record)))).await;
        assert_title(&reply, 404, "Record not found", record);
    }
    for table in ["C Order", "C_Order;", "../x", "é", &"x".repeat(61)] {
        let body = json!({"copyLocation": "ARCHIVE", "tableName": table, "recordId": "1"});
        assert_title(&world.send(copy(&id, &body)).await, 404, "Invalid table name", table);
    }
    for text in ["", "{", "[]", r#"["IMAGE", null, null]"#, r#"{"copyLocation": 1}"#] {
        Api.assert_error(&world.send(copy(&id, &json!(0)).body(text)).await.expect(400));
    }
    let image = json!({"copyLocation": "IMAGE"});
    let unknown = world.send(copy(UNKNOWN, &image)).await;
    assert_title(&unknown, 404, "Upload session not found: ", UNKNOWN);
    let initiated = begun(&world, b"content").await;
    let uploading = begun(&world, b"content").await;
    world.send(chunk(&uploading, 1, 2, b"con")).await.expect(200);
    let failed = begun(&world, b"content").await;
    world.send(chunk(&failed, 1, 1, b"CONTENT")).await.expect(400);
    let canceled = begun(&world, b"content").await;
    world.send(cancel(&canceled)).await.expect(200);
    for (id, status) in [
        (initiated, "INITIATED"),
        (uploading, "UPLOADING"),
        (failed, "FAILED"),
        (canceled, "CANCELED"),
    ] {
        let reply = world.send(copy(&id, &image)).await;
        assert_title(&reply, 400, "GET Error", &format!("Upload is not completed: {status}"));
    }
    assert_eq!(world.count().await, 1);
    let most =
        json!({"copyLocation": "ARCHIVE", "tableName": "x".repeat(60), "recordId": "2147483647"});
    world.send(copy(&id, &most)).await.expect(200);
}

#[tokio::test]
async fn records_that_nothing_was_copied_to_are_not_found() {
    let world = World::memory().await;
    let id = stored(&world, "a.txt", b"content").await;
    let answer = copied(&world, &id, to_order("ATTACHMENT", json!("100"))).await;
    let order = attachments("C_Order", &json!(100));
    for url in [
        attachments("C_Order", &json!(101)),
        attachments("C_Order", &json!(UNKNOWN)),
        attachments("C_Order", &json!("abc")),
        attachments("C_Invoice", &json!(100)),
        attachments("C_Invoice", &answer["recordUU"]),
        // An upload is no record.
        attachments("AD_Archive", &json!(id)),
        format!("{order}/b.txt"),
        format!("{order}/A.TXT"),
        format!("{order}/a.txt/x"),
        "/api/v1/models".into(),
        "/api/v1/models/C_Order".into(),
        "/api/v1/models/C_Order/100".into(),
        "/api/v1/models/a%20b/100/attachments".into(),
    ] {
        let reply = world.send(Ask::get(&url)).await;
        assert_eq!(reply.status, 404, "{url}");
        Api.assert_error(&reply);
    }
    for (token, status) in [
        (Token::of_another_tenant(), 404),
        (Token::scoped("files:write"), 403),
        (Token::scoped("files:read"), 200),
        (Token::of_a_colleague(), 200),
    ] {
        world.send_bare(Ask::get(&order).bearer(token)).await.expect(status);
    }
    assert!(world.send_bare(Ask::get(&order)).await.expect(401).body.is_empty());
    let reader = copy(&id, &to_order("ATTACHMENT", json!("102")));
    world.send_bare(reader.bearer(Token::scoped("files:read"))).await.expect(403);
}
