//! Downloads that are answered with a redirect to where the bytes are kept.

use percent_encoding::percent_decode_str;
use serde_json::json;

use crate::harness::{Ask, BUCKET, Reply, World, noise};
use crate::subject::{ALL, File, Subject};
use crate::{cdf, idempiere, jea, jmix, molgenis};

const EVERY: [&str; 5] = ["jea", "molgenis", "jmix", "idempiere", "cdf"];
/// More than is kept inline.
const BIG: usize = 100_000;

async fn stored(world: &World, api: &dyn Subject, file: &File<'_>) -> String {
    let uploaded = world.send(api.upload(file)).await;
    assert!(uploaded.status.is_success(), "{uploaded:?}");
    api.stored(&uploaded)
}

/// Where the answer sends the client to, with what it says of itself in plain text.
#[track_caller]
fn target_of(reply: &Reply) -> String {
    assert_eq!(reply.status, 307, "{reply:?}");
    assert!(reply.body.is_empty());
    assert_eq!(reply.header("cache-control"), "no-store");
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    let location = reply.header("location");
    assert!(location.starts_with(BUCKET), "{location}");
    percent_decode_str(location).decode_utf8().unwrap().into_owned()
}

#[tokio::test]
async fn a_download_is_sent_to_the_bucket() {
    let world = World::redirecting(&EVERY).await;
    let content = noise(BIG);
    for api in ALL {
        let url = stored(&world, api, &File::of(&content)).await;
        for ask in [Ask::get(&url), Ask::get(&url).header("range", "bytes=5-9")] {
            let target = target_of(&world.send(ask).await);
            assert!(target.contains("?for=60&"), "{target}");
            assert!(target.contains("&type=application/octet-stream&"), "{target}");
            assert!(target.contains("&as=attachment; filename=\""), "{target}");
        }
        let denied = world.send_bare(Ask::get(&url)).await;
        assert_eq!((denied.status.as_u16(), denied.find("location")), (401, None));
        let unknown = world.send(Ask::get(api.at(api.unknown()))).await;
        assert_eq!(unknown.status, api.not_found());
    }
}

/// The signature is for GET, and the bucket has other tags and dates.
#[tokio::test]
async fn what_the_bucket_cannot_answer_is_answered_here() {
    let world = World::redirecting(&EVERY).await;
    let content = noise(BIG);
    for api in ALL {
        let url = stored(&world, api, &File::of(&content)).await;
        let head = world.send(Ask::head(&url)).await.expect(200);
        assert_eq!(head.header("content-length"), BIG.to_string());
        let (tag, date) = (head.header("etag"), head.header("last-modified"));
        world.send(Ask::get(&url).header("if-none-match", tag)).await.expect(304);
        world.send(Ask::get(&url).header("if-modified-since", date)).await.expect(304);
        world.send(Ask::get(&url).header("if-match", "\"other\"")).await.expect(412);
        let past = "Mon, 07 Sep 2020 00:00:00 GMT";
        for (name, value) in [
            ("if-match", tag),
            ("if-none-match", "\"other\""),
            ("if-modified-since", past),
            ("if-unmodified-since", date),
            ("if-range", tag),
            ("if-range", "nonsense"),
        ] {
            let reply = world.send(Ask::get(&url).header(name, value)).await.expect(200);
            assert!(reply.body == content, "{name}: {value}");
        }
        let range = Ask::get(&url).header("if-range", tag).header("range", "bytes=5-9");
        assert!(world.send(range).await.expect(206).body == content[5..10]);

        let small = stored(&world, api, &File::of(b"kept inline")).await;
        assert_eq!(world.send(Ask::get(&small)).await.expect(200).body, "kept inline");
    }
    let parts = [
        idempiere::Api.at(&idempiere::in_chunks(&world, &content, 30_000).await),
        cdf::Api.at(&cdf::in_parts(&world, &content, 50_000).await),
    ];
    for url in parts {
        assert!(world.send(Ask::get(&url)).await.expect(200).body == content, "{url}");
    }
}

/// No bucket says what keeps a browser from running what it shows.
#[tokio::test]
async fn what_is_shown_in_place_is_served_here() {
    let world = World::redirecting(&EVERY).await;
    let content = noise(BIG);
    let file = File { name: "a.png", content_type: "image/png", content: &content };
    let url = stored(&world, &jmix::Api, &file).await;
    let shown = world.send(Ask::get(&url)).await.expect(200);
    assert!(shown.header("content-disposition").starts_with("inline"));
    assert_eq!(shown.header("cache-control"), "no-cache");
    let saved = world.send(Ask::get(format!("{url}&attachment=true"))).await;
    let target = target_of(&saved);
    assert!(target.contains("&type=image/png&as=attachment; filename=\"a.png\""), "{target}");
    assert!(saved.find("pragma").is_none(), "{saved:?}");
}

#[tokio::test]
async fn a_dialect_that_was_not_named_redirects_nobody() {
    let world = World::redirecting(&["jea", "of another server"]).await;
    let content = noise(BIG);
    let redirected = stored(&world, &jea::Api, &File::of(&content)).await;
    target_of(&world.send(Ask::get(&redirected)).await);
    let others: [&dyn Subject; 4] = [&molgenis::Api, &jmix::Api, &idempiere::Api, &cdf::Api];
    for api in others {
        let url = stored(&world, api, &File::of(&content)).await;
        assert!(world.send(Ask::get(&url)).await.expect(200).body == content);
    }
}

#[tokio::test]
async fn without_urls_nobody_is_redirected() {
    let world = World::memory().await;
    let content = noise(BIG);
    for api in ALL {
        let url = stored(&world, api, &File::of(&content)).await;
        assert!(world.send(Ask::get(&url)).await.expect(200).body == content);
    }
}

#[tokio::test]
async fn a_download_link_is_one_of_the_bucket() {
    for (dialects, is_direct) in [(&["cdf"][..], true), (&["jea"], false)] {
        let world = World::redirecting(dialects).await;
        let content = noise(BIG);
        let mut ids = Vec::new();
        for content in [&content[..], b"kept inline"] {
            let file = File { name: "a b.csv", content_type: "text/csv", content };
            let uploaded = world.send(cdf::Api.upload(&file)).await;
            ids.push(cdf::Api.id(&uploaded).parse::<u64>().unwrap());
        }
        let items = json!({"items": [{"id": ids[0]}, {"id": ids[1]}]});
        for (query, life) in [("", "30"), ("?extendedExpiration=true", "3600")] {
            let ask = Ask::post(format!("/files/downloadlink{query}")).body(items.to_string());
            let links = world.send(ask).await.expect(200).json();
            let link = |n: usize| links["items"][n]["downloadUrl"].as_str().unwrap().to_owned();
            assert_eq!(link(0).starts_with(BUCKET), is_direct, "{links}");
            assert!(!link(1).starts_with(BUCKET), "{links}");
            if is_direct {
                let link = percent_decode_str(&link(0)).decode_utf8().unwrap().into_owned();
                let said = format!("?for={life}&type=text/csv&as=attachment; filename=\"a b.csv\"");
                assert!(link.contains(&said), "{link}");
            }
        }
    }
}
