//! Tokens: the input is the header and the claims of a JWT, a line each, which are signed here; or
//! a token as it is.
//!
//! Nobody gets in without our signature, and with it everybody is who the claims say.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filestore::{ManualClock, Timestamp};
use filestore_fuzz::{lines, now};
use filestore_http::auth::{Authenticator, JwtAuthenticator, Principal, Right, Secret};
use hmac::{Hmac, KeyInit, Mac};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use sha2::Sha256;

const SECRET: &str = "a secret of the fuzzer, longer than 32 bytes";
const AUDIENCE: &str = "files.test";
const ISSUER: &str = "https://issuer.test";
const NOW: f64 = 1_615_543_200.0;
const LEEWAY: f64 = 60.0;

fuzz_target!(|input: &[u8]| {
    let authenticator = authenticator();
    if let Ok(token) = std::str::from_utf8(input) {
        assert!(now(authenticator.authenticate(token)).is_err(), "nobody has signed this");
    }
    let (header, claims) = lines::first(input);
    let unsigned = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = signature(&unsigned);
    let token = format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(signature));
    let principal = now(authenticator.authenticate(&token));
    if let Ok(principal) = &principal {
        check(header, claims, principal);
    }
    // Remembered or not, the answer is the same.
    assert_eq!(now(authenticator.authenticate(&token)).ok(), principal.ok());

    let mut altered = signature;
    altered[input.len() % 32] ^= 1;
    for forged in [URL_SAFE_NO_PAD.encode(altered), String::new()] {
        let token = format!("{unsigned}.{forged}");
        assert!(now(authenticator.authenticate(&token)).is_err(), "{token}");
    }
});

fn authenticator() -> JwtAuthenticator {
    let clock = ManualClock::new(Timestamp::from_millis(NOW as u64 * 1000));
    let builder = JwtAuthenticator::builder()
        .secret(Secret::new(SECRET).expect("long enough"))
        .audience(AUDIENCE)
        .expect_issuer(ISSUER)
        .leeway(Duration::from_secs(LEEWAY as u64))
        .clock(Arc::new(clock));
    builder.build().expect("a good configuration")
}

fn signature(text: &str) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    mac.chain_update(text).finalize().into_bytes().into()
}

/// What must be true of whoever was let in.
fn check(header: &[u8], claims: &[u8], principal: &Principal) {
    let header: Map<String, Value> = serde_json::from_slice(header).expect("a JSON header");
    assert_eq!(header["alg"], "HS256");
    assert!(header.get("crit").is_none_or(Value::is_null));
    let claims: Map<String, Value> = serde_json::from_slice(claims).expect("JSON claims");
    let seconds = |name: &str| claims.get(name).map(|it| it.as_f64().expect("a number"));
    assert!(seconds("exp").expect("an end") + LEEWAY >= NOW, "it is over");
    assert!(seconds("nbf").is_none_or(|start| start - LEEWAY <= NOW), "it has not begun");
    assert!(claims.get("iss").is_none_or(|issuer| issuer == ISSUER));
    assert!(claims.get("aud").is_none_or(|audience| match audience {
        Value::Array(all) => all.iter().any(|one| one == AUDIENCE),
        one => one == AUDIENCE,
    }));
    assert_eq!(claims["sub"], principal.subject.as_str());
    assert_eq!(claims.get("tenant").map_or("default", text), principal.tenant.as_str());
    for right in [Right::Read, Right::Write] {
        let is_named = claims.get("scope").is_none_or(|scope| match scope {
            Value::Array(words) => words.iter().any(|it| names(it, right)),
            words => names(words, right),
        });
        assert_eq!(principal.rights.allows(right), is_named, "{right:?}");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn names(words: &Value, right: Right) -> bool {
    text(words).split_ascii_whitespace().any(|word| word == right.as_str())
}
