//! Bodies that are too large, too short, broken, or of the wrong kind: nothing of them stays.

use crate::harness::{MAX_FILE, World, noise};
use crate::subject::{File, Subject};

contract! {
    the_largest_file_fits_and_one_byte_more_does_not
    a_body_announced_too_large_is_not_read
    a_body_that_breaks_off_leaves_nothing
    a_large_body_that_breaks_off_leaves_nothing
    refused_media_types_are_not_read
    a_content_type_given_twice_is_refused
}

async fn the_largest_file_fits_and_one_byte_more_does_not(world: &World, api: &dyn Subject) {
    let content = noise(MAX_FILE + 1);
    let fits = world.send(api.upload(&File::of(&content[..MAX_FILE]))).await;
    assert!(fits.status.is_success(), "{fits:?}");
    for declared in [true, false] {
        let mut ask = api.upload(&File::of(&content));
        if !declared {
            ask = ask.declaring(None);
        }
        let reply = world.send(ask).await.expect(413);
        api.assert_error(&reply);
        assert_eq!(world.count_whole().await, 1, "declared: {declared}");
    }
}

async fn a_body_announced_too_large_is_not_read(world: &World, api: &dyn Subject) {
    for size in [1 << 40, u64::MAX] {
        for expects in [true, false] {
            let mut ask = api.upload(&File::of(b"content")).declaring(size);
            if expects {
                ask = ask.header("expect", "100-continue");
            }
            let reply = world.send(ask).await.expect(413);
            assert!(!reply.read_body, "{size}");
            api.assert_error(&reply);
        }
    }
    assert_eq!(world.count_whole().await, 0);
}

async fn a_body_that_breaks_off_leaves_nothing(world: &World, api: &dyn Subject) {
    let whole = api.upload(&File::of(b"some content\r\n--and more"));
    for size in 0..whole.content.len() {
        for (ask, how) in [
            (whole.clone().cut_at(size), "cut"),
            (whole.clone().cut_at(size).declaring(None), "cut, of unknown length"),
            (whole.clone().cut_at(size).in_frames_of(5), "cut, in small frames"),
        ] {
            let reply = world.send(ask).await;
            assert_eq!(reply.status, 400, "{how} at {size}");
            api.assert_error(&reply);
            assert_eq!(world.count_whole().await, 0, "{how} at {size}");
        }
    }
}

async fn a_large_body_that_breaks_off_leaves_nothing(world: &World, api: &dyn Subject) {
    let content = noise(300_000);
    let whole = api.upload(&File::of(&content));
    for size in [20_000, 299_999, 300_000] {
        world.send(whole.clone().cut_at(size)).await.expect(400);
        assert_eq!(world.count_whole().await, 0, "cut at {size}");
    }
}

async fn refused_media_types_are_not_read(world: &World, api: &dyn Subject) {
    for ask in api.refused_media() {
        let asked = format!("{ask:?}");
        let reply = world.send(ask).await;
        assert_eq!(reply.status, 415, "{asked}");
        assert!(!reply.read_body, "{asked}");
        api.assert_error(&reply);
    }
    assert_eq!(world.count_whole().await, 0);
}

async fn a_content_type_given_twice_is_refused(world: &World, api: &dyn Subject) {
    let ask = api.upload(&File::of(b"content")).header("content-type", "text/plain");
    let reply = world.send(ask).await.expect(400);
    api.assert_error(&reply);
    assert_eq!(world.count_whole().await, 0);
}
