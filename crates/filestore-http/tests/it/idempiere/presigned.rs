//! URLs that are their own credential.

use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, ManualClock, SystemClock};
use serde_json::json;

use super::*;
use crate::harness::Token;

const PARAMETERS: [&str; 4] = ["X-ID-CREDENTIAL", "X-ID-DATE", "X-ID-EXPIRES", "X-ID-SIGNATURE"];

/// The presigned URL of a new session, and the session.
async fn presigned(world: &World, content: &[u8]) -> (String, String) {
    let answer = world.send(begin(&described("a.bin", content))).await.expect(201).json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("uploadId"), text("presignedURL"))
}

/// Both URLs that the status of an upload hands out.
async fn readable(world: &World, id: &str) -> [String; 2] {
    let target = format!("{UPLOADS}/{id}?expiresInSeconds=600");
    let shown = world.send(Ask::get(target)).await.expect(200).json();
    let url = shown["presignedURL"].as_str().unwrap();
    let (first, rest) = url.split_once(',').unwrap();
    let (second, query) = rest.split_once('?').unwrap();
    assert_eq!((first, second), (&*format!("v1/uploads/{id}"), &*format!("v1/uploads/{id}/file")));
    [format!("/api/{first}?{query}"), format!("/api/{second}?{query}")]
}

fn names(url: &str) -> Vec<&str> {
    let (_, query) = url.split_once('?').unwrap();
    query.split('&').map(|pair| pair.split_once('=').unwrap().0).collect()
}

/// `http://{host}/api/{presignedURL}`, as the clients have it.
#[tokio::test]
async fn chunks_need_nothing_but_the_url() {
    let world = World::memory().await;
    let (id, url) = presigned(&world, b"some content").await;
    assert!(url.starts_with(&format!("v1/uploads/{id}/chunks/{{chunkOrder}}?")), "{url}");
    assert_eq!(names(&url), PARAMETERS);
    for (order, piece, is_last) in [(2, &b"content"[..], false), (1, b"some ", true)] {
        let target = format!("/api/{}", url.replace("{chunkOrder}", &order.to_string()));
        let reply = world.send_bare(sent_to(target, 2, piece)).await.expect(200);
        assert_eq!(reply.json()["isLastChunk"], is_last);
    }
    assert_eq!(content(&world, &id).await, b"some content");
}

#[tokio::test]
async fn status_and_file_need_nothing_but_theirs() {
    let world = World::memory().await;
    let id = stored(&world, "a.bin", b"content").await;
    let [shown, file] = readable(&world, &id).await;
    assert_eq!(names(&shown), PARAMETERS);
    let reply = world.send_bare(Ask::get(&shown)).await.expect(200);
    assert_eq!(reply.json()["status"], "COMPLETED");
    assert_eq!(world.send_bare(Ask::get(&file)).await.expect(200).body, "content");
    world.send_bare(Ask::head(&file)).await.expect(200);
    let part = Ask::get(&file).header("range", "bytes=0-2");
    assert_eq!(world.send_bare(part).await.expect(206).body, "con");
    let json = world.send_bare(Ask::get(format!("{file}&asJson=true"))).await.expect(200);
    assert_eq!(json.text(), r#"{"data":"Y29udGVudA=="}"#);
    // Nobody makes a URL live longer than whoever handed it out wished.
    let renewed = Ask::get(format!("{shown}&expiresInSeconds=604800"));
    let renewed = world.send_bare(renewed).await.expect(200).json();
    assert_eq!(renewed["presignedURL"], json!(null));
}

#[tokio::test]
async fn both_names_of_the_parameter_ask_for_a_url_and_only_positive_numbers_get_one() {
    let world = World::memory().await;
    let id = begun(&world, b"content").await;
    let ask = |query: &str| Ask::get(format!("{UPLOADS}/{id}?{query}"));
    for name in ["expiresInSeconds", "expireInSeconds"] {
        let shown = world.send(ask(&format!("{name}=60"))).await.expect(200).json();
        assert!(shown["presignedURL"].as_str().unwrap().contains("&X-ID-EXPIRES=60&"), "{shown}");
        let shown = world.send(ask(&format!("{name}=99999999"))).await.expect(200).json();
        assert!(shown["presignedURL"].as_str().unwrap().contains("EXPIRES=604800&"), "{shown}");
        for none in ["0", "-60"] {
            let shown = world.send(ask(&format!("{name}={none}"))).await.expect(200);
            assert_eq!(shown.json()["presignedURL"], json!(null));
            assert!(shown.members().contains(&"presignedURL".to_owned()));
        }
        for odd in ["", "soon", "1.5", "99999999999999999999"] {
            Api.assert_error(&world.send(ask(&format!("{name}={odd}"))).await.expect(400));
        }
        // Given again, it says the same, or nobody knows which of them counts.
        world.send(ask(&format!("{name}=60&expireInSeconds=60"))).await.expect(200);
        for odd in ["soon", "61", ""] {
            let query = format!("{name}=60&expireInSeconds={odd}");
            Api.assert_error(&world.send(ask(&query)).await.expect(400));
        }
    }
}

#[tokio::test]
async fn a_url_is_good_for_what_it_was_made_for_only() {
    let world = World::memory().await;
    let (id, url) = presigned(&world, b"content").await;
    let (other, _) = presigned(&world, b"content").await;
    let (_, query) = url.split_once('?').unwrap();
    let [_, file] = readable(&world, &stored(&world, "a", b"content").await).await;
    let (_, reading) = file.split_once('?').unwrap();
    let target = |id: &str, query: &str| format!("{UPLOADS}/{id}/chunks/1?{query}");

    let mut refused = vec![
        sent_to(target(&other, query), 1, b"content"),
        sent_to(target(&id, reading), 1, b"content"),
        sent_to(format!("{UPLOADS}/{id}/chunks/../../{other}/chunks/1?{query}"), 1, b"content"),
        sent_to(format!("{UPLOADS}/{id}/chunksx/1?{query}"), 1, b"content"),
        Ask::post(target(&id, query)),
        Ask::get(format!("{UPLOADS}/{id}?{query}")),
        Ask::get(format!("{UPLOADS}/{id}?{reading}")),
        Ask::get(format!("{UPLOADS}?{reading}")),
        Ask::delete(format!("{UPLOADS}/{id}?{query}")),
        Ask::delete(format!("{file}&x=y")),
        copy(&format!("{id}/copy?{query}&"), &json!({"copyLocation": "IMAGE"})),
    ];
    let pairs: Vec<&str> = query.split('&').collect();
    for at in 0..4 {
        let replaced = |pair: String| {
            let mut pairs: Vec<String> = pairs.iter().map(ToString::to_string).collect();
            pairs[at] = pair;
            pairs.join("&")
        };
        let (name, value) = pairs[at].split_once('=').unwrap();
        let flipped = if value.ends_with('0') { "1" } else { "0" };
        let altered = format!("{name}={}{flipped}", &value[..value.len() - 1]);
        let mut queries = vec![replaced(altered), format!("{query}&{name}={value}")];
        if name != "X-ID-SIGNATURE" {
            queries.push(replaced(format!("{name}=")));
            queries.push(replaced("x=y".into()));
        }
        refused.extend(queries.iter().map(|it| sent_to(target(&id, it), 1, b"content")));
    }
    let longer = query.replace("X-ID-EXPIRES=86400", "X-ID-EXPIRES=604800");
    assert_ne!(longer, query);
    refused.push(sent_to(target(&id, &longer), 1, b"content"));
    for ask in refused {
        // A good token does not help a bad signature.
        for ask in [ask.clone(), ask.bearer(Token::full())] {
            let asked = format!("{} {}", ask.method, ask.target);
            let reply = world.send_bare(ask).await;
            assert_eq!(reply.status, 401, "{asked}");
            assert!(!reply.read_body);
            Api.assert_error(&reply);
            assert_eq!(reply.json(), json!({"title": "Signature mismatch", "status": 401}));
        }
    }
    // An empty signature, or none, is not even an attempt.
    let unsigned = query.split_once("&X-ID-SIGNATURE").unwrap().0;
    for query in [unsigned.to_owned(), format!("{unsigned}&X-ID-SIGNATURE=")] {
        let ask = sent_to(target(&id, &query), 2, b"content");
        assert!(world.send_bare(ask.clone()).await.expect(401).body.is_empty());
        world.send(ask).await.expect(200);
    }
    assert_eq!(status(&world, &other).await["status"], "INITIATED");
}

#[tokio::test]
async fn a_url_that_is_over_is_refused() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let world = World::at(clock.clone()).await;
    let id = stored(&world, "a", b"content").await;
    let [shown, file] = readable(&world, &id).await;
    clock.advance(Duration::from_secs(598));
    world.send_bare(Ask::get(&file)).await.expect(200);
    clock.advance(Duration::from_secs(2));
    for ask in [Ask::get(&shown), Ask::get(&file)] {
        let reply = world.send_bare(ask).await.expect(401);
        assert_eq!(reply.json(), json!({"title": "Presigned URL has expired", "status": 401}));
        Api.assert_error(&reply);
    }
}

/// A URL carries the rights of whoever it was made for, and no more.
#[tokio::test]
async fn a_url_gives_no_right_that_its_maker_lacks() {
    let world = World::memory().await;
    let writer = Token::scoped("files:write");
    let begun = begin(&described("a", b"content")).bearer(&writer);
    let answer = world.send_bare(begun).await.expect(201).json();
    let url = answer["presignedURL"].as_str().unwrap().replace("{chunkOrder}", "1");
    world.send_bare(sent_to(format!("/api/{url}"), 1, b"content")).await.expect(200);
    let id = answer["uploadId"].as_str().unwrap();
    let refused = Ask::get(format!("{UPLOADS}/{id}?expiresInSeconds=60")).bearer(&writer);
    Api.assert_error(&world.send_bare(refused).await.expect(403));
}
