//! Presigned URLs: the input is a prefix, a method, a path and a query, a line each. In the query
//! `{c}`, `{d}`, `{e}` and `{s}` stand for what we signed for the prefix.
//!
//! Nothing but what was signed is granted, to the byte.

#![no_main]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use filestore::{Clock, ErrorKind, ManualClock, Subject, Tenant, Timestamp};
use filestore_http::auth::{Principal, Rights};
use filestore_http::presign::{Grant, PresignKey, PresignKeys, Presigner, is_presigned};
use http::Method;
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;

const LIFETIME: Duration = Duration::from_secs(60);

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else { return };
    let mut lines = input.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (prefix, method, path, query) = (line(), line(), line(), line());
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };

    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_615_543_200_000)));
    let presigner = presigner(clock.clone());
    // Whatever is refused is refused without a signature of ours.
    assert!(presigner.verify(&method, path, query).is_err());
    let Ok(grant) = Grant::new(Method::PUT, prefix, principal()) else { return };
    let signed = presigner.sign(&grant, LIFETIME);
    assert!(is_presigned(&signed));
    assert_eq!(presigner.verify(&Method::PUT, prefix, &signed).expect("our own"), principal());

    let values: Vec<&str> =
        signed.split('&').filter_map(|pair| Some(pair.split_once('=')?.1)).collect();
    let [credential, date, expires, signature] = values[..] else { panic!("{signed}") };
    let sent = query
        .replace("{c}", credential)
        .replace("{d}", date)
        .replace("{e}", expires)
        .replace("{s}", signature);
    match presigner.verify(&method, path, &sent) {
        Ok(found) => {
            assert_eq!(found, principal());
            assert_eq!(method, Method::PUT);
            assert!(is_below(prefix, path), "{path} for {prefix}");
            assert!(is_presigned(&sent));
            for (name, value) in [
                ("X-ID-CREDENTIAL", credential),
                ("X-ID-DATE", date),
                ("X-ID-EXPIRES", expires),
                ("X-ID-SIGNATURE", signature),
            ] {
                assert_eq!(only(&sent, name).as_deref(), Some(value), "{sent}");
            }
        }
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{sent}"),
    }
    // A minute later all that was granted is over.
    clock.advance(LIFETIME);
    assert!(presigner.verify(&method, path, &sent).is_err());
    let over = presigner.verify(&Method::PUT, prefix, &signed).expect_err("it is over");
    assert_eq!(over.kind(), ErrorKind::Expired);
});

fn presigner(clock: Arc<dyn Clock>) -> Presigner {
    let key = PresignKey::new("key", &[7; PresignKey::MIN_LEN]).expect("a good key");
    Presigner::new(PresignKeys::new(key), clock)
}

fn principal() -> Principal {
    Principal {
        tenant: Tenant::new("acme").expect("a good name"),
        subject: Subject::new("ann").expect("a good name"),
        rights: Rights::ALL,
        security_categories: vec![1, -2],
    }
}

/// Whether the path is the prefix or below it for every reader, also for one who resolves dots and
/// backslashes, before or after decoding.
fn is_below(prefix: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    let decoded: Cow<'_, [u8]> = percent_decode_str(rest).into();
    let resolved = decoded.split(|byte| matches!(byte, b'/' | b'\\'));
    (rest.is_empty() || rest.starts_with('/'))
        && !decoded.iter().any(u8::is_ascii_control)
        && !resolved.into_iter().any(|segment| segment == b"..")
}

/// The value of a parameter that is there once, decoded.
fn only(query: &str, name: &str) -> Option<String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(key) == name).then(|| decoded(value))
    });
    let value = values.next()?;
    values.next().is_none().then_some(value)
}
