//! Forms: the input is a body whose first line names the boundary.
//!
//! However a body is cut into frames, it means the same; and where `multer` takes it as well, it
//! finds the same parts.

#![no_main]

use filestore::ErrorKind;
use filestore_fuzz::form::{Read, Theirs, boundary_of, read, read_by_multer, read_sole};
use filestore_fuzz::frames::{single, uneven, whole};
use filestore_http::protocol::multipart::Boundary;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let named = boundary_of(body);
    let boundary = Boundary::new(named.as_bytes()).expect("one that is allowed");
    let ours = read(&boundary, whole(body));
    assert_eq!(read(&boundary, single(body)), ours, "cut into single bytes");
    assert_eq!(read(&boundary, uneven(body)), ours, "cut unevenly");
    if let Some((first, _)) = ours.parts.first() {
        check_sole(&boundary, body, &ours, &first.name);
    }
    if ours.end.is_ok()
        && begins_at_a_line(body, &named)
        && let Some(theirs) = read_by_multer(&named, whole(body))
        && !misses_an_empty_part(&theirs, &named)
    {
        compare(&ours, &theirs);
    }
});

/// A sole part is given whole, and only out of a form that is sound and has no other of its name.
fn check_sole(boundary: &Boundary, body: &[u8], ours: &Read, name: &str) {
    let sole = read_sole(boundary, whole(body), name);
    assert_eq!(read_sole(boundary, single(body), name), sole, "cut into single bytes");
    match sole {
        Ok(Some((head, content))) => {
            assert_eq!(ours.end, Ok(()));
            let (first, rest) = ours.parts.split_first().expect("it is the first");
            assert_eq!((&head, &content[..]), (&first.0, &first.1[..]));
            assert!(rest.iter().all(|(other, _)| other.name != name), "two of one name");
        }
        Ok(None) => panic!("the first part was not found"),
        Err(kind) => assert!(
            ours.end == Err(kind)
                || ours.parts[1..].iter().any(|(other, _)| other.name == name)
                || kind == ErrorKind::TooLarge,
            "{kind:?}, but the form is sound"
        ),
    }
}

/// Whether the first thing that looks like a delimiter is one: `multer` looks for it within lines as
/// well, and we do not (RFC 2046, section 5.1.1).
fn begins_at_a_line(body: &[u8], boundary: &str) -> bool {
    let delimiter = format!("--{boundary}");
    let first = body.windows(delimiter.len()).position(|it| it == delimiter.as_bytes());
    first.is_some_and(|at| at == 0 || body[..at].ends_with(b"\r\n"))
}

/// Where a part has no body, its head's empty line begins the delimiter (RFC 2046, section 5.1.1);
/// `multer` takes that delimiter, and what follows, for content.
fn misses_an_empty_part(theirs: &[Theirs], boundary: &str) -> bool {
    let delimiter = format!("--{boundary}");
    theirs.iter().any(|part| part.content.starts_with(delimiter.as_bytes()))
}

fn compare(ours: &Read, theirs: &[Theirs]) {
    assert_eq!(ours.parts.len(), theirs.len(), "{theirs:?}");
    for ((head, content), theirs) in ours.parts.iter().zip(theirs) {
        assert_eq!(content, &theirs.content);
        if let Some((name, filename)) = plainly_named(theirs) {
            assert_eq!((head.name.as_str(), head.filename.as_deref()), (name, filename));
        }
    }
}

/// The names, where there is only one way to read them: `multer` knows one kind of escape only,
/// and takes parameters out of the middle of others.
fn plainly_named(theirs: &Theirs) -> Option<(&str, Option<&str>)> {
    let name = theirs.name.as_deref()?;
    let filename = theirs.filename.as_deref();
    let written = match filename {
        Some(filename) => format!("form-data; name=\"{name}\"; filename=\"{filename}\""),
        None => format!("form-data; name=\"{name}\""),
    };
    let is_plain = |text: &str| !text.contains(['"', '\\', '%']);
    (written.as_bytes() == theirs.disposition && is_plain(name) && filename.is_none_or(is_plain))
        .then_some((name, filename))
}
