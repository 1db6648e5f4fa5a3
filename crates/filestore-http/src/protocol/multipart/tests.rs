use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use proptest::prelude::*;

use super::*;

/// Name, file name, media type, content.
type Field = (String, Option<String>, Option<String>, Vec<u8>);

/// The bodies here are never pending, so that one poll must be enough.
fn block_on<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("nothing here waits")
}

fn frames(body: &[u8], sizes: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    let mut rest = Bytes::copy_from_slice(body);
    let mut frames = Vec::new();
    for size in sizes {
        frames.push(rest.split_to(size.min(rest.len())));
    }
    frames.push(rest);
    frames
}

fn stream_of(frames: Vec<Bytes>) -> ByteStream<'static> {
    ByteStream::from_results(stream::iter(frames.into_iter().map(Ok)))
}

fn form(boundary: &str, frames: Vec<Bytes>) -> Multipart<'static> {
    let boundary = Boundary::new(boundary.as_bytes()).unwrap();
    Multipart::new(&boundary, stream_of(frames), Limits::default())
}

fn fields(boundary: &str, frames: Vec<Bytes>) -> Result<Vec<Field>> {
    let mut form = form(boundary, frames);
    block_on(async {
        let mut fields = Vec::new();
        while let Some(part) = form.next_part().await? {
            let PartHead { name, filename, content_type } = part.head().clone();
            let content = part.into_stream().collect().await?;
            fields.push((name, filename, content_type, content.to_vec()));
        }
        Ok(fields)
    })
}

fn whole(boundary: &str, body: &[u8]) -> Result<Vec<Field>> {
    fields(boundary, vec![Bytes::copy_from_slice(body)])
}

fn field(name: &str, filename: Option<&str>, content_type: Option<&str>, content: &[u8]) -> Field {
    (
        name.to_owned(),
        filename.map(str::to_owned),
        content_type.map(str::to_owned),
        content.to_vec(),
    )
}

/// `Content-Type` and body as clients send them, and what they mean by it.
fn clients() -> Vec<(&'static str, &'static str, Vec<Field>)> {
    vec![
        // Chrome and Safari.
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
             Content-Disposition: form-data; name=\"comment\"\r\n\
             \r\n\
             two\r\nlines\r\n\
             ------WebKitFormBoundary7MA4YWxkTrZu0gW\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a%22b€.txt\"\r\n\
             Content-Type: text/plain\r\n\
             \r\n\
             hello\n\r\n\
             ------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n",
            vec![
                field("comment", None, None, b"two\r\nlines"),
                field("file", Some("a\"b€.txt"), Some("text/plain"), b"hello\n"),
            ],
        ),
        // Firefox; no file was chosen.
        (
            "multipart/form-data; boundary=---------------------------9051914041544843365972754266",
            "-----------------------------9051914041544843365972754266\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"\"\r\n\
             Content-Type: application/octet-stream\r\n\
             \r\n\
             \r\n\
             -----------------------------9051914041544843365972754266--\r\n",
            vec![field("file", Some(""), Some("application/octet-stream"), b"")],
        ),
        // curl -F, and an empty form of a browser.
        (
            "multipart/form-data; boundary=------------------------d74496d66958873e",
            "--------------------------d74496d66958873e\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
             Content-Type: application/octet-stream\r\n\
             \r\n\
             \r\n--------------------------d74496d66958873\r\n\
             --------------------------d74496d66958873e--\r\n",
            vec![field(
                "file",
                Some("a.bin"),
                Some("application/octet-stream"),
                b"\r\n--------------------------d74496d66958873",
            )],
        ),
        (
            "multipart/form-data; boundary=----WebKitFormBoundaryAAAAAAAAAAAAAAAA",
            "------WebKitFormBoundaryAAAAAAAAAAAAAAAA--\r\n",
            vec![],
        ),
        // Python requests.
        (
            "multipart/form-data; boundary=c7cbfdd911b4e720f1dd8f479c50bc7f",
            "--c7cbfdd911b4e720f1dd8f479c50bc7f\r\n\
             Content-Disposition: form-data; name=\"k\"\r\n\
             \r\n\
             v\r\n\
             --c7cbfdd911b4e720f1dd8f479c50bc7f\r\n\
             Content-Disposition: form-data; name=\"file\"; filename*=utf-8''na%C3%AFve.txt\r\n\
             \r\n\
             --c7cbfdd911b4e720f1dd8f479c50bc7\r\n\
             --c7cbfdd911b4e720f1dd8f479c50bc7f--\r\n",
            vec![
                field("k", None, None, b"v"),
                field("file", Some("naïve.txt"), None, b"--c7cbfdd911b4e720f1dd8f479c50bc7"),
            ],
        ),
        // Node's FormData: the closing delimiter has no line end in older versions.
        (
            "multipart/form-data; boundary=----formdata-undici-061523784216",
            "------formdata-undici-061523784216\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"blob\"\r\n\
             Content-Type: application/octet-stream\r\n\
             \r\n\
             \u{0}\u{1}\r\n\
             ------formdata-undici-061523784216--",
            vec![field("file", Some("blob"), Some("application/octet-stream"), b"\0\x01")],
        ),
        // .NET: quoted boundary, bare names, and a preamble of an empty line.
        (
            "multipart/form-data; boundary=\"5e1e5a0c-6b3c-4f9d-8c2d-1d9c7f1b2a3c\"",
            "\r\n--5e1e5a0c-6b3c-4f9d-8c2d-1d9c7f1b2a3c\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Disposition: form-data; name=file; filename=a.txt; filename*=utf-8''a.txt\r\n\
             \r\n\
             x\r\n\
             --5e1e5a0c-6b3c-4f9d-8c2d-1d9c7f1b2a3c--\r\n",
            vec![field("file", Some("a.txt"), Some("text/plain; charset=utf-8"), b"x")],
        ),
    ]
}

fn boundary_of(content_type: &str) -> String {
    let (_, boundary) = content_type.split_once("boundary=").unwrap();
    boundary.trim_matches('"').to_owned()
}

#[test]
fn the_forms_of_real_clients_are_read_however_they_are_cut() {
    for (content_type, body, expected) in clients() {
        let named = Boundary::of(content_type.as_bytes()).unwrap();
        let boundary = boundary_of(content_type);
        assert_eq!(named, Boundary::new(boundary.as_bytes()).unwrap());
        let body = body.as_bytes();
        for at in 0..=body.len() {
            let read = fields(&boundary, frames(body, [at])).unwrap();
            assert_eq!(read, expected, "cut at {at}: {content_type}");
        }
        for size in 1..8 {
            let read = fields(&boundary, frames(body, vec![size; body.len()])).unwrap();
            assert_eq!(read, expected, "frames of {size}: {content_type}");
        }
    }
}

const FILE: &str = "Content-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
const OTHER: &str = "Content-Disposition: form-data; name=\"other\"\r\n\r\n";

#[test]
fn delimiters_are_told_from_what_looks_like_them() {
    let file = |content: &[u8]| vec![field("file", Some("a"), None, content)];
    for (body, expected) in [
        (format!("--b\r\n{FILE}x\r\n--b--"), file(b"x")),
        // Content that begins like a delimiter, holds line ends, or nothing at all.
        (format!("--b\r\n{FILE}\r\n--b--"), file(b"")),
        (format!("--b\r\n{FILE}\r\n\r\n--b--"), file(b"\r\n")),
        (format!("--b\r\n{FILE}\r\r\n--b--"), file(b"\r")),
        (format!("--b\r\n{FILE}\r\n-\r\n--\r\n-b\r\n--b--"), file(b"\r\n-\r\n--\r\n-b")),
        (format!("--b\r\n{FILE}x--b\n--b\r--b--\r\n--b--"), file(b"x--b\n--b\r--b--")),
        // A part without any body: its empty line begins the delimiter (RFC 2046, section 5.1.1).
        (format!("--b\r\n{FILE}--b--"), file(b"")),
        // White space behind a delimiter, preamble, epilogue.
        (format!("--b \t \r\n{FILE}x\r\n--b  \r\n{OTHER}y\r\n--b-- \r\n"), {
            let mut both = file(b"x");
            both.push(field("other", None, None, b"y"));
            both
        }),
        (format!("preamble --b\r\n--b\r\n{FILE}x\r\n--b--"), file(b"x")),
        (format!("--b\r\n{FILE}x\r\n--b--\r\nepilogue\r\n--b\r\n"), file(b"x")),
        (format!("--b\r\n{FILE}x\r\n--b--epilogue"), file(b"x")),
        ("--b--".to_owned(), vec![]),
    ] {
        for size in [1, 2, 3, usize::MAX] {
            let frames = frames(body.as_bytes(), vec![size; body.len()]);
            assert_eq!(fields("b", frames).unwrap(), expected, "{body:?}");
        }
    }
}

#[test]
fn malformed_forms_are_refused() {
    for body in [
        format!("--bc\r\n{FILE}x\r\n--b--"),
        format!("--b\r\n{FILE}x\r\n--bc\r\n--b--"),
        format!("--b-\r\n{FILE}x\r\n--b--"),
        format!("--b \r{FILE}x\r\n--b--"),
        format!("--b --\r\n{FILE}x\r\n--b--"),
        format!("--b\n{FILE}x\r\n--b--"),
        format!("--b\r\n{}x\r\n--b--", FILE.replace("\r\n\r\n", "\n\r\n\r\n")),
        "--b\r\n\r\nx\r\n--b--".to_owned(),
        "--b\r\n\r\nx\r\n\r\n--b--".to_owned(),
        "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--".to_owned(),
    ] {
        for size in [1, usize::MAX] {
            let error = fields("b", frames(body.as_bytes(), vec![size; body.len()])).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{body:?}");
        }
    }
}

#[test]
fn a_form_that_ends_anywhere_before_its_closing_delimiter_is_interrupted() {
    for (content_type, body, _) in clients() {
        let boundary = boundary_of(content_type);
        let end = body.rfind("--").unwrap() + 2;
        for cut in 0..end {
            let error = whole(&boundary, &body.as_bytes()[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Interrupted, "cut at {cut}: {body}");
        }
        assert!(whole(&boundary, &body.as_bytes()[..end]).is_ok());
    }
}

#[test]
fn lines_that_end_without_cr_delimit_nothing() {
    let body = format!("--b\r\n{FILE}x\n--b--\n");
    assert_eq!(whole("b", body.as_bytes()).unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn every_limit_holds_exactly() {
    let limits = Limits {
        parts: 2,
        head_bytes: FILE.len(),
        headers: 1,
        text_bytes: 3,
        passed_bytes: 5,
        around_bytes: 4,
    };
    let read = |body: String, size: usize| {
        let frames = frames(body.as_bytes(), vec![size; body.len()]);
        let boundary = Boundary::new(b"b").unwrap();
        let mut form = Multipart::new(&boundary, stream_of(frames), limits);
        block_on(async {
            while let Some(part) = form.next_part().await? {
                if part.name() == "other" {
                    part.text().await?;
                }
            }
            Ok::<_, Error>(())
        })
    };
    let other = format!("\r\n--b\r\n{OTHER}");
    for (within, beyond) in [
        (format!("--b\r\n{FILE}{other}xyz\r\n--b--"), format!("--b\r\n{FILE}{other}wxyz\r\n--b--")),
        (format!("--b\r\n{FILE}{other}\r\n--b--"), format!("--b\r\n{FILE}{other}{other}\r\n--b--")),
        (format!("--b\r\n{FILE}12345\r\n--b--"), format!("--b\r\n{FILE}123456\r\n--b--")),
        (format!("--b\r\n{FILE}\r\n--b--"), format!("--b\r\nC{FILE}\r\n--b--")),
        (format!("--b\r\n{OTHER}\r\n--b--"), format!("--b\r\nA: b\r\n{OTHER}\r\n--b--")),
        (format!("1234\r\n--b\r\n{FILE}\r\n--b--"), format!("12345\r\n--b\r\n{FILE}\r\n--b--")),
        (format!("--b    \r\n{FILE}\r\n--b--1234"), format!("--b    \r\n{FILE}\r\n--b--12345")),
        (
            format!("--b    \r\n{FILE}\r\n--b    \r\n{OTHER}\r\n--b--"),
            format!("--b    \r\n{FILE}\r\n--b     \r\n{OTHER}\r\n--b--"),
        ),
    ] {
        for size in [1, 5, usize::MAX] {
            read(within.clone(), size).unwrap_or_else(|error| panic!("{within:?}: {error}"));
            let error = read(beyond.clone(), size).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TooLarge, "{beyond:?}");
        }
    }
}

#[test]
fn text_is_utf_8() {
    let read = |content: &[u8]| {
        let body = [b"--b\r\n", OTHER.as_bytes(), content, b"\r\n--b--"].concat();
        let mut form = form("b", vec![body.into()]);
        block_on(async { form.next_part().await?.unwrap().text().await })
    };
    assert_eq!(read("naïve\r\n".as_bytes()).unwrap(), "naïve\r\n");
    assert_eq!(read(b"na\xefve").unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[test]
fn a_part_left_unread_is_passed_over() {
    let body = format!("--b\r\n{FILE}{}\r\n--b\r\n{OTHER}y\r\n--b--", "x".repeat(100));
    for size in [1, 10, usize::MAX] {
        let mut form = form("b", frames(body.as_bytes(), vec![size; body.len()]));
        block_on(async {
            let part = form.next_part().await.unwrap().unwrap();
            // Begun and given up.
            part.into_stream().next().await.unwrap().unwrap();
            let part = form.next_part().await.unwrap().unwrap();
            assert_eq!(part.text().await.unwrap(), "y");
            assert!(form.next_part().await.unwrap().is_none());
            assert!(form.next_part().await.unwrap().is_none());
        });
    }
}

#[test]
fn a_stream_that_has_ended_does_not_read_the_next_part() {
    let body = format!("--b\r\n{FILE}x\r\n--b\r\n{OTHER}y\r\n--b--");
    let mut form = form("b", vec![body.into()]);
    block_on(async {
        let mut content = form.next_part().await.unwrap().unwrap().into_stream();
        assert_eq!(content.next().await.unwrap().unwrap(), "x");
        assert!(content.next().await.is_none());
        assert!(content.next().await.is_none());
        drop(content);
        assert_eq!(form.next_part().await.unwrap().unwrap().name(), "other");
    });
}

#[test]
fn errors_of_the_body_come_through_and_are_final() {
    let body = stream::iter([
        Ok(Bytes::from(format!("--b\r\n{FILE}x"))),
        Err(Error::too_large("the body is too large")),
        Ok(Bytes::from("\r\n--b--")),
    ]);
    let boundary = Boundary::new(b"b").unwrap();
    let body = ByteStream::from_results(body);
    let mut form = Multipart::new(&boundary, body, Limits::default());
    block_on(async {
        let part = form.next_part().await.unwrap().unwrap();
        let error = part.into_stream().collect().await.unwrap_err();
        assert_eq!(error.to_string(), "the body is too large");
        let again = form.next_part().await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::TooLarge);
    });
}

#[test]
fn the_body_is_polled_only_for_what_is_asked_and_never_copied() {
    let frames = [
        format!("--b\r\n{FILE}0123"),
        "4567".to_owned(),
        "89\r\n--b\r\n".to_owned(),
        format!("{OTHER}y\r\n--b--"),
    ]
    .map(Bytes::from);
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = {
        let polls = polls.clone();
        stream::iter(frames.clone()).map(move |frame| {
            polls.fetch_add(1, Ordering::Relaxed);
            Ok(frame)
        })
    };
    let boundary = Boundary::new(b"b").unwrap();
    let body = ByteStream::from_results(counted);
    let mut form = Multipart::new(&boundary, body, Limits::default());
    block_on(async {
        assert_eq!(polls.load(Ordering::Relaxed), 0);
        let mut content = form.next_part().await.unwrap().unwrap().into_stream();
        for (polled, frame) in frames[..3].iter().enumerate() {
            let slice = content.next().await.unwrap().unwrap();
            assert_eq!(polls.load(Ordering::Relaxed), polled + 1);
            assert!(frame.as_ptr_range().contains(&slice.as_ptr()));
        }
        assert!(content.next().await.is_none());
        assert_eq!(polls.load(Ordering::Relaxed), 3);
    });
}

#[tokio::test]
async fn a_slow_body_is_waited_for_and_a_dropped_wait_loses_nothing() {
    let body = format!("--b\r\n{FILE}0123456789\r\n--b\r\n{OTHER}y\r\n--b--");
    let slow = stream::iter(frames(body.as_bytes(), vec![3; body.len()])).then(async |frame| {
        tokio::task::yield_now().await;
        Ok(frame)
    });
    let boundary = Boundary::new(b"b").unwrap();
    let body = ByteStream::from_results(slow);
    let mut form = Multipart::new(&boundary, body, Limits::default());
    let mut dropped = 0;
    while form
        .next_part()
        .now_or_never()
        .is_none_or(|part| part.unwrap().unwrap().name() != "other")
    {
        dropped += 1;
        tokio::task::yield_now().await;
    }
    assert!(dropped > 10, "only {dropped} waits were dropped");
    assert!(form.next_part().await.unwrap().is_none());
}

/// The worst that content can do: every frame ends within what may be a delimiter.
#[test]
fn work_grows_with_the_frames_and_not_with_their_square() {
    let lookalikes = "\r\n--\r\n-\r\n\r".repeat(2000);
    let body = format!("--b\r\n{FILE}{lookalikes}\r\n--b--");
    for size in [1, 2, 7] {
        let frames = frames(body.as_bytes(), vec![size; body.len().div_ceil(size)]);
        let count = frames.len();
        let mut form = form("b", frames);
        let mut tokens = 0;
        block_on(async {
            let mut content = form.next_part().await.unwrap().unwrap().into_stream();
            while let Some(frame) = content.next().await {
                assert!(!frame.unwrap().is_empty());
                tokens += 1;
            }
        });
        // A frame yields what was held before it and what it brings itself.
        assert!(tokens <= 2 * count, "{tokens} tokens of {count} frames");
    }
}

mod sole;

/// Bodies out of pieces that have much in common with delimiters.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"-".to_vec()),
        Just(b"\r\n--".to_vec()),
        Just(b"\r\n--bound".to_vec()),
        Just(b"--boundary".to_vec()),
        Just(b"boundary--".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat()).prop_filter(
        "holds a delimiter",
        |content| {
            // At its very beginning the line end of the head makes it one.
            !content.starts_with(b"--boundary")
                && memchr::memmem::find(content, b"\r\n--boundary").is_none()
        },
    )
}

fn some_fields() -> impl Strategy<Value = Vec<Field>> {
    let name = "[a-zA-Z0-9 .;=€ä]{1,8}";
    let field =
        (name, proptest::option::of(name), proptest::option::of("text/plain|image/png"), content());
    proptest::collection::vec(field, 0..5)
}

fn body_of(fields: &[Field], padding: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (at, (name, filename, content_type, content)) in fields.iter().enumerate() {
        let line_end = if at == 0 { "" } else { "\r\n" };
        let filename =
            filename.as_ref().map_or_else(String::new, |f| format!("; filename=\"{f}\""));
        let content_type =
            content_type.as_ref().map_or_else(String::new, |t| format!("Content-Type: {t}\r\n"));
        let head = format!(
            "{line_end}--boundary{padding}\r\n\
             Content-Disposition: form-data; name=\"{name}\"{filename}\r\n{content_type}\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
    }
    let line_end = if fields.is_empty() { "" } else { "\r\n" };
    body.extend_from_slice(format!("{line_end}--boundary--\r\n").as_bytes());
    body
}

fn fields_by_multer(frames: Vec<Bytes>) -> multer::Result<Vec<Field>> {
    let frames = stream::iter(frames.into_iter().map(Ok::<_, std::io::Error>));
    let mut form = multer::Multipart::new(frames, "boundary");
    block_on(async {
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await? {
            let name = field.name().unwrap().to_owned();
            let filename = field.file_name().map(str::to_owned);
            let content_type = field.content_type().map(ToString::to_string);
            fields.push((name, filename, content_type, field.bytes().await?.to_vec()));
        }
        Ok(fields)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn forms_come_back_however_they_are_cut(
        expected in some_fields(),
        padding in "[ \t]{0,3}",
        sizes in proptest::collection::vec(0usize..30, 0..60),
    ) {
        let body = body_of(&expected, &padding);
        prop_assert_eq!(&whole("boundary", &body).unwrap(), &expected);
        prop_assert_eq!(&fields("boundary", frames(&body, sizes)).unwrap(), &expected);
        prop_assert_eq!(&fields("boundary", frames(&body, vec![1; body.len()])).unwrap(), &expected);
    }

    #[test]
    fn another_parser_reads_the_same(
        expected in some_fields(),
        padding in "[ \t]{0,3}",
        sizes in proptest::collection::vec(1usize..30, 0..60),
    ) {
        let body = body_of(&expected, &padding);
        let frames = frames(&body, sizes);
        let theirs = fields_by_multer(frames.clone()).unwrap();
        prop_assert_eq!(fields("boundary", frames).unwrap(), theirs);
    }

    /// Damage is answered the same however the body is cut: the same parts, or the same kind of
    /// error.
    #[test]
    fn damaged_forms_mean_the_same_however_they_are_cut(
        expected in some_fields(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sizes in proptest::collection::vec(0usize..30, 0..60),
    ) {
        let mut body = body_of(&expected, "");
        for (at, byte) in damage {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let kind = |error: Error| error.kind();
        let at_once = whole("boundary", &body).map_err(kind);
        prop_assert_eq!(fields("boundary", frames(&body, sizes)).map_err(kind), at_once.clone());
        prop_assert_eq!(fields("boundary", frames(&body, vec![1; body.len()])).map_err(kind), at_once);
    }
}
