//! What comes out is what went in, and HTTP's own ways of asking for it work.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filestore::Digest;

use crate::harness::{Ask, Reply, World, noise};
use crate::subject::{File, Subject};

contract! {
    files_of_every_size_come_back
    a_head_is_a_get_without_its_body
    a_tag_stands_for_the_content
    a_date_stands_for_the_content
    a_condition_that_fails_is_an_error
    one_range_is_cut_out
    ranges_that_say_nothing_are_passed_over
    a_range_past_the_end_is_refused
    several_ranges_come_in_parts
    a_range_may_depend_on_the_content
    what_a_user_uploaded_does_not_run_here
}

async fn store(world: &World, api: &dyn Subject, content: &[u8]) -> String {
    let uploaded = world.send(api.upload(&File::of(content))).await;
    assert!(uploaded.status.is_success(), "{uploaded:?}");
    api.stored(&uploaded)
}

async fn files_of_every_size_come_back(world: &World, api: &dyn Subject) {
    let big = noise(300_000);
    let sizes = [0, 1, 16 << 10, (16 << 10) + 1, 300_000];
    for (size, frame) in sizes.into_iter().flat_map(|size| [1 << 20, 4093, 7].map(|f| (size, f))) {
        // Frame by frame of a few bytes is for the small ones.
        if size / frame > 5_000 {
            continue;
        }
        let upload = api.upload(&File::of(&big[..size])).in_frames_of(frame);
        let uploaded = world.send(upload).await;
        assert!(uploaded.status.is_success(), "{uploaded:?}");
        let reply = world.send(Ask::get(api.stored(&uploaded))).await.expect(200);
        assert!(reply.body == big[..size], "{size} bytes in frames of {frame}");
    }
    let longer = api.upload(&File::of(&big)).declaring(None);
    let uploaded = world.send(longer).await;
    assert_eq!(world.send(Ask::get(api.stored(&uploaded))).await.expect(200).body, big);
}

async fn a_head_is_a_get_without_its_body(world: &World, api: &dyn Subject) {
    for size in [0, 5, 300_000] {
        let url = store(world, api, &noise(size)).await;
        let get = world.send(Ask::get(&url)).await.expect(200);
        let head = world.send(Ask::head(&url)).await.expect(200);
        assert_eq!(head.header("content-length"), size.to_string());
        for (name, value) in &get.headers {
            let varies = ["x-request-id", "date", "content-length"].contains(&name.as_str());
            assert!(varies || head.headers.get(name) == Some(value), "{name}: {head:?}");
        }
        assert_eq!(get.body.len(), size);
        // A range is for GET alone.
        let ranged = world.send(Ask::head(&url).header("range", "bytes=0-1")).await.expect(200);
        assert_eq!(ranged.header("content-length"), size.to_string());
    }
}

async fn a_tag_stands_for_the_content(world: &World, api: &dyn Subject) {
    let content = noise(1000);
    let url = store(world, api, &content).await;
    let full = world.send(Ask::get(&url)).await.expect(200);
    let digest = Digest::of(&content);
    let tag = full.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 2, "{tag}");
    let expected = format!("sha-256=:{}:", STANDARD.encode(digest.as_bytes()));
    assert_eq!(full.header("repr-digest"), expected);
    assert_eq!(full.header("accept-ranges"), "bytes");
    assert!(full.header("cache-control").contains("no-cache"));

    for ask in [Ask::get(&url), Ask::head(&url)] {
        for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let ask = ask.clone().header("if-none-match", &known);
            let reply = world.send(ask).await.expect(304);
            assert_eq!((reply.header("etag"), reply.body.len()), (tag, 0), "{known}");
        }
    }
    let other = world.send(Ask::get(&url).header("if-none-match", "\"x\"")).await.expect(200);
    assert_eq!(other.body, content);

    let same = world.send(Ask::get(store(world, api, &content).await)).await;
    let another = world.send(Ask::get(store(world, api, b"another").await)).await;
    assert_eq!(same.header("etag"), tag);
    assert_ne!(another.header("etag"), tag);
}

async fn a_date_stands_for_the_content(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"abc").await;
    let full = world.send(Ask::get(&url)).await.expect(200);
    let date = full.header("last-modified");
    httpdate::parse_http_date(date).unwrap();
    let ask = || Ask::get(&url);
    world.send(ask().header("if-modified-since", date)).await.expect(304);
    world.send(ask().header("if-unmodified-since", date)).await.expect(200);
    let early = "Thu, 01 Jan 1970 00:00:00 GMT";
    world.send(ask().header("if-modified-since", early)).await.expect(200);
    api.assert_error(&world.send(ask().header("if-unmodified-since", early)).await.expect(412));
}

async fn a_condition_that_fails_is_an_error(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"abc").await;
    let full = world.send(Ask::get(&url)).await.expect(200);
    let tag = full.header("etag");
    for fails in ["\"x\"".to_owned(), format!("W/{tag}"), "nonsense".to_owned()] {
        let reply = world.send(Ask::get(&url).header("if-match", &fails)).await.expect(412);
        api.assert_error(&reply);
        assert!(!reply.everything().windows(3).any(|bytes| bytes == b"abc"));
        let head = world.send(Ask::head(&url).header("if-match", &fails)).await.expect(412);
        assert_ne!(head.header("content-length"), "3");
    }
    for holds in [tag, "*"] {
        world.send(Ask::get(&url).header("if-match", holds)).await.expect(200);
    }
}

async fn one_range_is_cut_out(world: &World, api: &dyn Subject) {
    for size in [1000_usize, 300_000] {
        let content = noise(size);
        let url = store(world, api, &content).await;
        let tag = world.send(Ask::head(&url)).await.header("etag").to_owned();
        for (range, expected) in [
            ("0-0".to_owned(), 0..1),
            ("0-499".to_owned(), 0..500),
            ("500-777".to_owned(), 500..778),
            ("-1".to_owned(), size - 1..size),
            ("-300".to_owned(), size - 300..size),
            ("-9999999".to_owned(), 0..size),
            ("900-".to_owned(), 900..size),
            ("0-99999999999999999999".to_owned(), 0..size),
            (format!("{}-", size - 1), size - 1..size),
            // Ranges that touch are one.
            ("0-99,100-199".to_owned(), 0..200),
        ] {
            let ask = Ask::get(&url).header("range", format!("bytes={range}"));
            let reply = world.send(ask).await.expect(206);
            let said = format!("bytes {}-{}/{size}", expected.start, expected.end - 1);
            assert_eq!(reply.header("content-range"), said, "{range}");
            assert_eq!(reply.header("etag"), tag);
            assert!(reply.body == content[expected], "{range} of {size}");
        }
    }
}

async fn ranges_that_say_nothing_are_passed_over(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"0123456789").await;
    let nine = "bytes=0-0,2-2,4-4,6-6,8-8,1-1,3-3,5-5,7-7";
    for range in ["items=0-1", "bytes=5-2", "bytes=a-b", "bytes", "bytes=", nine] {
        let reply = world.send(Ask::get(&url).header("range", range)).await.expect(200);
        assert_eq!(reply.body, "0123456789", "{range}");
        assert_eq!(reply.find("content-range"), None);
    }
    let twice = Ask::get(&url).header("range", "bytes=0-1").header("range", "bytes=2-3");
    world.send(twice).await.expect(200);
}

async fn a_range_past_the_end_is_refused(world: &World, api: &dyn Subject) {
    for (content, ranges) in [
        (&b"0123456789"[..], &["10-", "10-20", "-0", "99999999999999999999-", "10-,11-12"][..]),
        (b"", &["0-", "0-0"]),
    ] {
        let url = store(world, api, content).await;
        for range in ranges {
            let ask = Ask::get(&url).header("range", format!("bytes={range}"));
            let reply = world.send(ask).await.expect(416);
            assert_eq!(reply.header("content-range"), format!("bytes */{}", content.len()));
            assert!(!reply.everything().windows(10).any(|bytes| bytes == b"0123456789"));
        }
    }
}

async fn several_ranges_come_in_parts(world: &World, api: &dyn Subject) {
    let content = noise(300_000);
    let url = store(world, api, &content).await;
    let whole = world.send(Ask::get(&url)).await.expect(200);
    let ask = Ask::get(&url).header("range", "bytes=290000-, 0-0, 100000-200000, 999999-");
    let reply = world.send(ask).await.expect(206);
    assert_eq!(reply.find("content-range"), None);
    let media = reply.header("content-type");
    let boundary = media.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let boundary = boundary.trim_matches('"');

    let mut expected = Vec::new();
    for (range, bytes) in
        [("290000-299999", 290_000..300_000), ("0-0", 0..1), ("100000-200000", 100_000..200_001)]
    {
        expected.push((format!("bytes {range}/300000"), content[bytes].to_vec()));
    }
    let parts = parts_of(&reply, boundary);
    assert_eq!(parts.len(), 3);
    for ((head, body), (range, bytes)) in parts.into_iter().zip(expected) {
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("content-range: {range}")), "{head}");
        let media = whole.header("content-type");
        assert!(head.contains(&format!("content-type: {media}")), "{head}");
        assert!(body == bytes, "{range}");
    }
}

/// Heads and bodies of a `multipart/byteranges` body that ends as it must.
fn parts_of(reply: &Reply, boundary: &str) -> Vec<(String, Vec<u8>)> {
    let delimiter = format!("\r\n--{boundary}");
    let framed = [b"\r\n", &*reply.body].concat();
    let mut places: Vec<_> = memchr::memmem::find_iter(&framed, &delimiter).collect();
    let end = places.pop().unwrap();
    assert!(framed[end + delimiter.len()..].starts_with(b"--"));
    let mut parts = Vec::new();
    for (at, start) in places.iter().enumerate() {
        let part = &framed[start + delimiter.len()..*places.get(at + 1).unwrap_or(&end)];
        let split = memchr::memmem::find(part, b"\r\n\r\n").unwrap();
        parts.push((String::from_utf8(part[..split].into()).unwrap(), part[split + 4..].to_vec()));
    }
    parts
}

async fn a_range_may_depend_on_the_content(world: &World, api: &dyn Subject) {
    let content = noise(40_000);
    let url = store(world, api, &content).await;
    let full = world.send(Ask::get(&url)).await.expect(200);
    let (tag, date) = (full.header("etag"), full.header("last-modified"));
    for (condition, status) in [
        (tag.to_owned(), 206),
        (date.to_owned(), 206),
        (format!("W/{tag}"), 200),
        ("\"x\"".to_owned(), 200),
        ("Thu, 01 Jan 1970 00:00:00 GMT".to_owned(), 200),
        ("nonsense".to_owned(), 200),
    ] {
        let ask = Ask::get(&url).header("range", "bytes=1-2").header("if-range", &condition);
        let reply = world.send(ask).await.expect(status);
        let expected = if status == 206 { &content[1..3] } else { &content[..] };
        assert!(reply.body == *expected, "{condition}");
    }
}

async fn what_a_user_uploaded_does_not_run_here(world: &World, api: &dyn Subject) {
    for (name, content_type) in
        [("page.html", "text/html"), ("image.svg", "image/svg+xml"), ("x.xml", "text/xml")]
    {
        let content = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";
        let uploaded = world.send(api.upload(&File { name, content_type, content })).await;
        let url = api.stored(&uploaded);
        let ranged = Ask::get(&url).header("range", "bytes=0-3");
        for ask in [Ask::get(&url), Ask::head(&url), ranged] {
            let reply = world.send(ask).await;
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
            assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
            let disposition = reply.header("content-disposition");
            assert!(disposition.starts_with("attachment"), "{name}: {disposition}");
        }
    }
}
