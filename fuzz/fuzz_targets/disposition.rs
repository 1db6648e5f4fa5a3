//! Names: the input is a file's name, and a `Content-Disposition` as a form has it.
//!
//! Whatever a name is, a download's header is one that every reader understands, and our own
//! reader gets the name back out of it.

#![no_main]

use filestore_http::protocol::disposition::{FormData, Kind, MAX_NAME, content_disposition};
use filestore_http::protocol::{lenient_text, media};
use http::HeaderValue;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let name = lenient_text(input);
    check_download(Kind::Attachment, "attachment", &name);
    check_download(Kind::Inline, "inline", &name);
    let _ = media::of_name(&name);
    check_form(&name);
    let _ = FormData::parse(input);
    // Most of what a fuzzer makes is no disposition; its parameters may be some.
    let parameters = [b"form-data; ", input].concat();
    if let Ok(FormData { name, filename }) = FormData::parse(&parameters) {
        check_form(&name);
        check_form(&filename.unwrap_or_default());
    }
});

fn check_download(kind: Kind, word: &str, name: &str) {
    let header = content_disposition(kind, name);
    let text = header.to_str().expect("visible ASCII");
    let Some(parameters) = text.strip_prefix(word).and_then(|it| it.strip_prefix("; ")) else {
        assert_eq!((text, name), (word, ""));
        return;
    };
    let fallback = parameters.strip_prefix("filename=\"").expect("the name for everybody");
    let (fallback, exact) = fallback.split_once('"').expect("a closing quote");
    assert!(!fallback.contains(['\\', '/']), "{fallback}");
    assert_eq!(percent_encoding::percent_decode_str(fallback).count(), fallback.len());
    let exact = exact.strip_prefix("; filename*=UTF-8''").expect("the exact name");
    assert!(!exact.contains(['"', '\'', '(', ')', ';', ' ', '*', '=']), "{exact}");

    let parsed = FormData::parse(format!("form-data; name=x; {parameters}").as_bytes());
    let parsed = parsed.expect("our own header").filename.expect("a name");
    assert!(name.starts_with(&parsed), "{parsed:?} of {name:?}");
    assert!(parsed.len() == name.len() || (MAX_NAME - 3..=MAX_NAME).contains(&parsed.len()));
}

/// A form's names come back as browsers write them, and as everybody else does.
fn check_form(name: &str) {
    let by_browsers = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let is_unescaped = !name.contains('\\') && !name.contains('%');
    if is_unescaped {
        check_written(&by_browsers, name);
    }
    if !name.contains(['%', '\r', '\n']) {
        check_written(&name.replace('\\', "\\\\").replace('"', "\\\""), name);
    }
}

fn check_written(written: &str, name: &str) {
    let header = format!("form-data; name=\"{written}\"; filename=\"{written}\"");
    if HeaderValue::from_bytes(header.as_bytes()).is_err() {
        return;
    }
    let parsed = FormData::parse(header.as_bytes()).expect("a plain header");
    assert_eq!((parsed.name.as_str(), parsed.filename.as_deref()), (name, Some(name)));
}
