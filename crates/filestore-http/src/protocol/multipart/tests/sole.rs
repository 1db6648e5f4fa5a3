//! The one file of a form.

use super::*;

fn file(body: &str, size: usize) -> Result<Option<(PartHead, Bytes)>> {
    let form = form("b", frames(body.as_bytes(), vec![size; body.len()]));
    block_on(async {
        match form.into_sole_part("file").await? {
            Some(part) => Ok(Some((part.head, part.content.collect().await?))),
            None => Ok(None),
        }
    })
}

#[test]
fn the_file_is_found_among_other_parts() {
    let body = format!("--b\r\n{OTHER}1\r\n--b\r\n{FILE}x\r\n--b\r\n{OTHER}2\r\n--b--\r\nepilogue");
    for size in [1, usize::MAX] {
        let (head, content) = file(&body, size).unwrap().unwrap();
        assert_eq!((head.filename.as_deref(), &content[..]), (Some("a"), &b"x"[..]));
    }
    assert!(file(&format!("--b\r\n{OTHER}1\r\n--b--"), 1).unwrap().is_none());
}

#[test]
fn the_content_fails_with_whatever_is_wrong_behind_it() {
    for (behind, kind) in [
        (format!("\r\n--b\r\n{FILE}y\r\n--b--"), ErrorKind::InvalidArgument),
        ("\r\n--b\r\nbroken\r\n\r\n--b--".to_owned(), ErrorKind::InvalidArgument),
        (format!("\r\n--b\r\n{OTHER}y\r\n--b-"), ErrorKind::Interrupted),
        ("\r\n--b".to_owned(), ErrorKind::Interrupted),
        (String::new(), ErrorKind::Interrupted),
        (format!("\r\n--b--{}", "x".repeat(1025)), ErrorKind::TooLarge),
    ] {
        for size in [1, usize::MAX] {
            let error = file(&format!("--b\r\n{FILE}x{behind}"), size).unwrap_err();
            assert_eq!(error.kind(), kind, "{behind:?}");
        }
    }
}

#[test]
fn what_stands_beside_the_sole_part_is_limited_on_both_sides_of_it() {
    let limits = Limits { passed_bytes: 5, ..Limits::default() };
    let read = |body: String| {
        let frames = frames(body.as_bytes(), vec![7; body.len()]);
        let boundary = Boundary::new(b"b").unwrap();
        let form = Multipart::new(&boundary, stream_of(frames), limits);
        block_on(async { form.into_sole_part("file").await?.unwrap().content.collect().await })
    };
    let form = |before: &str, after: &str| {
        format!(
            "--b\r\n{OTHER}{before}\r\n--b\r\n{FILE}the file itself\r\n--b\r\n{OTHER}{after}\r\n--b--"
        )
    };
    assert_eq!(read(form("12", "345")).unwrap(), "the file itself");
    for beyond in [form("123456", ""), form("", "123456"), form("123", "456")] {
        assert_eq!(read(beyond).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
