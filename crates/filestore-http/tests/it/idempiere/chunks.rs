//! `PUT /api/v1/uploads/{uploadId}/chunks/{chunkOrder}`

use std::sync::Arc;

use futures::future::join_all;
use http::Method;
use serde_json::json;

use super::*;
use crate::harness::{MAX_FILE, noise, on_every_backend};

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
    chunks_come_in_any_order
    chunks_come_in_parallel
    chunks_come_again_with_other_bytes
    a_chunk_that_is_not_what_it_declares_leaves_the_former
    sizes_that_do_not_add_up_can_be_corrected
    a_file_that_is_not_what_was_declared_fails
    a_session_that_ended_takes_no_chunk
);

async fn chunks_come_in_any_order(world: &World) {
    let bytes = noise(100_000);
    let pieces: Vec<&[u8]> = bytes.chunks(30_000).collect();
    for order in [[1, 2, 3, 4], [4, 3, 2, 1], [3, 1, 4, 2]] {
        let id = begun(world, &bytes).await;
        let mut received = 0;
        for (sent, number) in (1..).zip(order) {
            let piece = pieces[number as usize - 1];
            let sha256 = Digest::of(piece).to_string();
            let ask = chunk(&id, number, 4, piece).header("x-content-sha256", &sha256);
            let reply = world.send(ask).await.expect(200);
            let members = ["uploadId", "chunkOrder", "receivedSize", "message", "isLastChunk"];
            assert_eq!(reply.members(), members);
            let expected = json!({
                "uploadId": id,
                "chunkOrder": number,
                "receivedSize": piece.len(),
                "message": format!("Chunk {number} uploaded successfully."),
                "isLastChunk": sent == 4,
            });
            assert_eq!(reply.json(), expected);
            received += piece.len();
            let shown = status(world, &id).await;
            if sent < 4 {
                assert_eq!(shown["status"], "UPLOADING");
                assert_eq!(shown["totalReceivedSize"], received);
            }
        }
        assert_eq!(status(world, &id).await["status"], "COMPLETED");
        assert!(content(world, &id).await == bytes, "{order:?}");
    }
}

async fn chunks_come_in_parallel(world: &World) {
    let bytes = noise(64_000);
    for _ in 0..5 {
        let id = begun(world, &bytes).await;
        let sends = (1..)
            .zip(bytes.chunks(4_000))
            .map(|(number, piece)| world.send(chunk(&id, number, 16, piece).in_frames_of(999)));
        let replies = join_all(sends).await;
        assert!(replies.iter().all(|it| it.status == 200), "{replies:?}");
        let last = replies.iter().filter(|it| it.json()["isLastChunk"] == true);
        assert_eq!(last.count(), 1);
        assert!(content(world, &id).await == bytes);
        assert_eq!(status(world, &id).await["status"], "COMPLETED");
    }
}

async fn chunks_come_again_with_other_bytes(world: &World) {
    let id = begun(world, b"some content").await;
    for piece in [&b"wrong and too long"[..], b"wrong", b"some "] {
        let reply = world.send(chunk(&id, 1, 2, piece)).await.expect(200);
        assert_eq!(reply.json()["isLastChunk"], false);
        let shown = status(world, &id).await;
        let chunks = json!([{"chunkOrder": 1, "receivedSize": piece.len()}]);
        assert_eq!(shown["uploadedChunks"], chunks);
        assert_eq!(shown["totalReceivedSize"], piece.len());
    }
    world.send(chunk(&id, 2, 2, b"content")).await.expect(200);
    assert_eq!(content(world, &id).await, b"some content");
}

async fn a_chunk_that_is_not_what_it_declares_leaves_the_former(world: &World) {
    let id = begun(world, b"some content").await;
    world.send(chunk(&id, 1, 2, b"some ")).await.expect(200);
    let wrong = Digest::of(b"other").to_string();
    for (sha256, piece) in [(&*wrong, b"wrong"), ("nonsense", b"some "), ("\u{e4}", b"some ")] {
        let ask = chunk(&id, 1, 2, piece).header("x-content-sha256", sha256);
        Api.assert_error(&world.send(ask).await.expect(400));
    }
    let mismatch = chunk(&id, 1, 2, b"wrong").header("x-content-sha256", &wrong);
    let text = world.send(mismatch).await.expect(400).text().to_owned();
    assert!(text.contains(&wrong) && text.contains(&Digest::of(b"wrong").to_string()), "{text}");
    world.send(chunk(&id, 1, 2, b"broken off").cut_at(3)).await.expect(400);
    world.send(chunk(&id, 1, 2, &noise(MAX_FILE + 1))).await.expect(413);
    for twice in ["x-content-sha256", "x-total-chunks"] {
        let sha256 = Digest::of(b"wrong").to_string();
        let ask = chunk(&id, 1, 2, b"wrong").header("x-content-sha256", sha256);
        Api.assert_error(&world.send(ask.header(twice, "2")).await.expect(400));
    }

    let upper = Digest::of(b"content").to_string().to_uppercase();
    world.send(chunk(&id, 2, 2, b"content").header("x-content-sha256", upper)).await.expect(200);
    assert_eq!(content(world, &id).await, b"some content");
}

async fn sizes_that_do_not_add_up_can_be_corrected(world: &World) {
    let id = begun(world, b"some content").await;
    world.send(chunk(&id, 1, 2, b"some ")).await.expect(200);
    for piece in [&b"conten"[..], b"contents", b""] {
        let reply = world.send(chunk(&id, 2, 2, piece)).await.expect(400);
        let members = ["uploadId", "chunkOrder", "receivedSize", "message", "isLastChunk"];
        assert_eq!(reply.members(), members);
        let answer = reply.json();
        assert_eq!((&answer["chunkOrder"], &answer["isLastChunk"]), (&json!(2), &json!(false)));
        assert_eq!(answer["receivedSize"], piece.len());
        assert_ne!(answer["message"], "Chunk 2 uploaded successfully.");
        assert_eq!(status(world, &id).await["status"], "UPLOADING");
        assert_eq!(world.count().await, 0);
    }
    let reply = world.send(chunk(&id, 2, 2, b"content")).await.expect(200);
    assert_eq!(reply.json()["isLastChunk"], true);
    assert_eq!(content(world, &id).await, b"some content");
}

async fn a_file_that_is_not_what_was_declared_fails(world: &World) {
    let id = begun(world, b"some content").await;
    world.send(chunk(&id, 2, 2, b"content")).await.expect(200);
    let reply = world.send(chunk(&id, 1, 2, b"same ")).await.expect(400);
    Api.assert_error(&reply);
    assert_eq!(world.count().await, 0);
    let shown = status(world, &id).await;
    assert_eq!(shown["status"], "FAILED");
    assert!(shown["message"].as_str().unwrap().contains("SHA-256"), "{shown}");
    let file = world.send(Ask::get(Api.at(&id))).await;
    assert_title(&file, 400, "GET Error", "Upload is not completed: FAILED");
    let again = world.send(chunk(&id, 1, 2, b"some ")).await;
    assert_title(&again, 409, "Upload session is already: failed", &id);
}

async fn a_session_that_ended_takes_no_chunk(world: &World) {
    let id = stored(world, "a", b"content").await;
    let again = world.send(chunk(&id, 1, 1, b"content")).await;
    assert_title(&again, 409, "Upload session is already: completed", &id);
    assert!(!again.read_body);
    world.send(cancel(&id)).await.expect(200);
    let open = begun(world, b"content").await;
    world.send(cancel(&open)).await.expect(200);
    for id in [id, open] {
        let title = "Upload session has been canceled: ";
        assert_title(&world.send(chunk(&id, 1, 1, b"content")).await, 400, title, &id);
        // That is said before what is wrong with the chunk.
        assert_title(&world.send(chunk(&id, 1, 0, b"content")).await, 400, title, &id);
        assert_title(&world.send(chunk(&id, 0, 1, b"content")).await, 400, title, &id);
    }
}

#[tokio::test]
async fn orders_and_totals_are_checked() {
    let world = World::memory().await;
    let id = begun(&world, b"some content").await;
    let put = |order: &str, total: Option<&str>| {
        let ask = Ask::new(Method::PUT, format!("{UPLOADS}/{id}/chunks/{order}")).body("some ");
        total.into_iter().fold(ask, |ask, total| ask.header("x-total-chunks", total))
    };
    for order in ["0", "-1", "3", "4294967297", "-9223372036854775808"] {
        let reply = world.send(put(order, Some("2"))).await.expect(400);
        assert!(!reply.read_body);
        let expected = json!({"title": "Chunk order must be between 1 and 2", "status": 400});
        assert_eq!(reply.json(), expected, "{order}");
    }
    for total in [None, Some("0"), Some("-2"), Some(""), Some("two"), Some("1.5")] {
        let reply = world.send(put("1", total)).await.expect(400);
        assert!(!reply.read_body);
        let expected = json!({"title": "Total chunks must be greater than 0", "status": 400});
        assert_eq!(reply.json(), expected, "{total:?}");
    }
    for order in ["one", "1.0", "", "1x", "0x1", "9223372036854775808", "%31x"] {
        Api.assert_error(&world.send(put(order, Some("2"))).await.expect(404));
    }
    for total in ["10001", "4000000000"] {
        Api.assert_error(&world.send(put("1", Some(total))).await.expect(400));
    }
    assert_eq!(status(&world, &id).await["status"], "INITIATED");

    // No Content-Type is as good as the right one; the total is remembered.
    world.send(put("1", Some("2"))).await.expect(200);
    for other in ["1", "3"] {
        Api.assert_error(&world.send(put("1", Some(other))).await.expect(409));
    }
    world.send(put("2", Some("2")).body("content")).await.expect(200);
    assert_eq!(content(&world, &id).await, b"some content");
    let id = begun(&world, b"some content").await;
    world.send(chunk(&id, 10_000, 10_000, b"last")).await.expect(200);
}

/// Two chunks of a total of 3 are not all chunks of a total of 2, even where the sizes fit.
#[tokio::test]
async fn nothing_is_assembled_with_gaps() {
    let world = World::memory().await;
    let id = begun(&world, b"some content").await;
    world.send(chunk(&id, 1, 3, b"some ")).await.expect(200);
    world.send(chunk(&id, 3, 3, b"content")).await.expect(200);
    world.send(chunk(&id, 1, 2, b"some ")).await.expect(409);
    assert_eq!(status(&world, &id).await["status"], "UPLOADING");
    world.send(chunk(&id, 2, 3, b"")).await.expect(200);
    assert_eq!(content(&world, &id).await, b"some content");
}

#[tokio::test]
async fn chunks_of_unknown_sessions_are_not_found() {
    let world = World::memory().await;
    let title = "Upload session not found: ";
    for (order, total) in [(1, 1), (0, 1), (1, 0), (2, 1)] {
        let reply = world.send(chunk(UNKNOWN, order, total, b"x")).await;
        assert_title(&reply, 404, title, UNKNOWN);
        assert!(!reply.read_body);
    }
    let reply = world.send(chunk("garbage", 1, 1, b"x")).await;
    assert_title(&reply, 404, title, "garbage");
}

/// On several threads, last chunks that come at the same time all find the upload whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_last_chunks_at_the_same_time_one_is_the_last() {
    let worlds = [World::memory().await, World::sqlite().await, World::postgres().await];
    for world in worlds.map(Arc::new) {
        for _ in 0..40 {
            let id = begun(&world, b"some content").await;
            world.send(chunk(&id, 1, 2, b"some ")).await.expect(200);
            let sends = (0..6).map(|_| {
                let (world, ask) = (Arc::clone(&world), chunk(&id, 2, 2, b"content"));
                tokio::spawn(async move { world.send(ask).await })
            });
            let replies: Vec<Reply> =
                join_all(sends).await.into_iter().map(Result::unwrap).collect();
            let last = |it: &&Reply| it.status == 200 && it.json()["isLastChunk"] == true;
            assert_eq!(replies.iter().filter(last).count(), 1, "{replies:?}");
        }
    }
}
