use base64::Engine;
use filestore::{ErrorKind, ManualClock, Subject, Tenant};
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto::sign;
use serde_json::{Value, json};

use super::super::testing::{NOW, TestKey, encoded, hs256, signed};
use super::super::{NewToken, Right, Rights, mint};
use super::*;

const SECRET: &str = "a secret of at least thirty-two bytes";
const SECONDS: u64 = NOW / 1000;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_millis(NOW)))
}

fn secret() -> Secret {
    Secret::new(SECRET).unwrap()
}

fn own(clock: &Arc<ManualClock>) -> JwtAuthenticator {
    let builder = JwtAuthenticator::builder().secret(secret());
    builder.clock(Arc::clone(clock) as _).build().unwrap()
}

/// Accepts the secret and the keys, which stand in a file that lives as long as the folder.
fn both(clock: &Arc<ManualClock>, keys: &[&TestKey]) -> (tempfile::TempDir, JwtAuthenticator) {
    let dir = tempfile::tempdir().unwrap();
    write_keys(&dir, keys);
    let authenticator = with_file(&dir, clock).secret(secret()).build().unwrap();
    (dir, authenticator)
}

fn with_file(dir: &tempfile::TempDir, clock: &Arc<ManualClock>) -> JwtAuthenticatorBuilder {
    JwtAuthenticator::builder()
        .jwks_file(dir.path().join("jwks.json"))
        .audience("files")
        .expect_issuer("https://issuer.example")
        .clock(Arc::clone(clock) as _)
}

fn write_keys(dir: &tempfile::TempDir, keys: &[&TestKey]) {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    let set = json!({ "keys": keys }).to_string();
    std::fs::write(dir.path().join("jwks.json"), set).unwrap();
}

fn own_claims() -> Value {
    json!({ "sub": "ada", "exp": SECONDS + 600 })
}

fn foreign_claims() -> Value {
    json!({
        "sub": "ada",
        "exp": SECONDS + 600,
        "iss": "https://issuer.example",
        "aud": "files",
        "tenant": "acme",
        "scope": "openid files:read",
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn sign_own(claims: &Value) -> String {
    hs256(SECRET.as_bytes(), &json!({ "alg": "HS256" }), claims)
}

async fn accepted(authenticator: &JwtAuthenticator, token: &str) -> Principal {
    authenticator.authenticate(token).await.unwrap()
}

/// The token is refused as such, for this reason, and the reason does not repeat it.
async fn assert_refused(authenticator: &JwtAuthenticator, token: &str, reason: &str) {
    let error = authenticator.authenticate(token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{reason}");
    assert!(error.to_string().contains(reason), "{error} for {reason}");
    let shown = format!("{error:?}");
    for part in token.split('.').filter(|part| part.len() > 4) {
        assert!(!shown.contains(part), "{shown}");
    }
}

#[tokio::test]
async fn a_minted_token_says_what_was_asked_for() {
    let clock = clock();
    let token = NewToken {
        subject: Subject::new("ada").unwrap(),
        tenant: Tenant::new("acme").unwrap(),
        rights: Rights::READ,
        lifetime: Duration::from_secs(600),
        security_categories: vec![7, -1],
        audience: None,
    };
    let text = mint(&secret(), &token, &*clock).unwrap();
    let principal = own(&clock).authenticate(&text).await.unwrap();
    assert_eq!(principal.subject, token.subject);
    assert_eq!(principal.tenant, token.tenant);
    assert_eq!(principal.rights, Rights::READ);
    assert_eq!(principal.security_categories, [7, -1]);
}

#[tokio::test]
async fn own_tokens_have_defaults() {
    let token = sign_own(&own_claims());
    let principal = own(&clock()).authenticate(&token).await.unwrap();
    assert_eq!(principal.tenant.as_str(), "default");
    assert_eq!(principal.subject.as_str(), "ada");
    assert!(principal.rights.allows(Right::Read) && principal.rights.allows(Right::Write));
    assert!(principal.security_categories.is_empty());
}

#[tokio::test]
async fn an_empty_scope_is_no_missing_scope() {
    let token = sign_own(&with(own_claims(), "scope", json!("")));
    let principal = own(&clock()).authenticate(&token).await.unwrap();
    assert_eq!(principal.rights, Rights::NONE);
}

#[tokio::test]
async fn every_defect_of_own_claims_is_refused() {
    let ok = own_claims;
    let defects = [
        (without(ok(), "exp"), "no exp"),
        (with(ok(), "exp", json!("1790000600")), "exp is not"),
        (with(ok(), "exp", Value::Null), "exp is not"),
        (with(ok(), "exp", json!(SECONDS - 60)), "has expired"),
        (with(ok(), "exp", json!(-1)), "has expired"),
        (with(ok(), "nbf", json!(SECONDS + 61)), "not hold yet"),
        (with(ok(), "nbf", json!("now")), "nbf is not"),
        (without(ok(), "sub"), "no subject"),
        (with(ok(), "sub", json!("")), "no subject"),
        (with(ok(), "sub", json!(7)), "no subject"),
        (with(ok(), "sub", json!("a\nb")), "subject is malformed"),
        (with(ok(), "sub", json!("x".repeat(256))), "subject is malformed"),
        (with(ok(), "tenant", json!("")), "tenant is malformed"),
        (with(ok(), "tenant", json!("a\0")), "tenant is malformed"),
        (with(ok(), "tenant", json!(["acme"])), "tenant is malformed"),
        (with(ok(), "tenant", Value::Null), "tenant is malformed"),
        (with(ok(), "scope", json!(1)), "scope is malformed"),
        (with(ok(), "scope", json!(["files:read", 1])), "scope is malformed"),
        (with(ok(), "aud", json!("other")), "another audience"),
        (with(ok(), "aud", json!(["other"])), "another audience"),
        (with(ok(), "aud", Value::Null), "another audience"),
        (with(ok(), "security_categories", json!("1")), "security categories"),
        (with(ok(), "security_categories", json!([1.5])), "security categories"),
        (json!(["no", "object"]), "not a JSON object"),
    ];
    let authenticator = own(&clock());
    assert!(authenticator.authenticate(&sign_own(&ok())).await.is_ok());
    for (claims, reason) in defects {
        assert_refused(&authenticator, &sign_own(&claims), reason).await;
    }
}

#[tokio::test]
async fn clocks_may_be_off_by_the_leeway_and_no_more() {
    let authenticator = own(&clock());
    for accepted in [
        with(own_claims(), "exp", json!(SECONDS - 59)),
        with(own_claims(), "exp", json!(SECONDS as f64 - 59.5)),
        with(own_claims(), "nbf", json!(SECONDS + 60)),
    ] {
        let token = sign_own(&accepted);
        assert!(authenticator.authenticate(&token).await.is_ok(), "{accepted}");
    }
    let strict = JwtAuthenticator::builder()
        .secret(secret())
        .leeway(Duration::ZERO)
        .clock(clock())
        .build()
        .unwrap();
    let token = sign_own(&with(own_claims(), "exp", json!(SECONDS)));
    assert_refused(&strict, &token, "has expired").await;
}

#[tokio::test]
async fn own_tokens_that_name_audience_or_issuer_name_ours() {
    let authenticator = JwtAuthenticator::builder()
        .secret(secret())
        .audience("files")
        .audience("other files")
        .expect_issuer("us")
        .clock(clock())
        .build()
        .unwrap();
    for accepted in [
        own_claims(),
        with(own_claims(), "aud", json!("other files")),
        with(own_claims(), "aud", json!(["mail", "files"])),
        with(own_claims(), "iss", json!("us")),
    ] {
        let token = sign_own(&accepted);
        assert!(authenticator.authenticate(&token).await.is_ok(), "{accepted}");
    }
    let aud = sign_own(&with(own_claims(), "aud", json!(["mail"])));
    assert_refused(&authenticator, &aud, "another audience").await;
    let mixed = sign_own(&with(own_claims(), "aud", json!(["files", 1])));
    assert_refused(&authenticator, &mixed, "another audience").await;
    let iss = sign_own(&with(own_claims(), "iss", json!("them")));
    assert_refused(&authenticator, &iss, "another issuer").await;
}

#[tokio::test]
async fn every_algorithm_of_foreign_keys_works() {
    let keys = [TestKey::rs256("r"), TestKey::es256("e"), TestKey::ed25519("d")];
    let (_dir, authenticator) = both(&clock(), &[&keys[0], &keys[1], &keys[2]]);
    for key in &keys {
        let token = key.sign(&foreign_claims());
        let principal = authenticator.authenticate(&token).await.unwrap();
        assert_eq!(principal.tenant.as_str(), "acme");
        assert_eq!(principal.subject.as_str(), "https://issuer.example|ada");
        assert_eq!(principal.rights, Rights::READ);
    }
}

#[tokio::test]
async fn every_defect_of_foreign_claims_is_refused() {
    let ok = foreign_claims;
    let defects = [
        (without(ok(), "exp"), "no exp"),
        (without(ok(), "sub"), "no subject"),
        (without(ok(), "iss"), "another issuer"),
        (with(ok(), "iss", json!("https://issuer.example/")), "another issuer"),
        (with(ok(), "iss", json!(["https://issuer.example"])), "another issuer"),
        (without(ok(), "aud"), "another audience"),
        (with(ok(), "aud", json!("mail")), "another audience"),
        (with(ok(), "aud", json!([])), "another audience"),
        (with(ok(), "aud", json!({ "files": 1 })), "another audience"),
        (without(ok(), "tenant"), "no tenant"),
        (without(ok(), "scope"), "no scope"),
        (with(ok(), "sub", json!("x".repeat(240))), "subject is malformed"),
    ];
    let key = TestKey::es256("e");
    let (_dir, authenticator) = both(&clock(), &[&key]);
    for (claims, reason) in defects {
        assert_refused(&authenticator, &key.sign(&claims), reason).await;
    }
}

#[tokio::test]
async fn claims_of_foreign_tokens_can_be_mapped() {
    let (key, clock) = (TestKey::es256("e"), clock());
    let dir = tempfile::tempdir().unwrap();
    write_keys(&dir, &[&key]);
    let authenticator = with_file(&dir, &clock)
        .secret(secret())
        .claims(ClaimMapping {
            tenant: "https://issuer.example/org".to_owned(),
            scope: "scp".to_owned(),
            default_tenant: Some(Tenant::new("everybody").unwrap()),
            default_rights: Some(Rights::READ),
        })
        .build()
        .unwrap();

    let defaults = accepted(&authenticator, &key.sign(&foreign_claims())).await;
    assert_eq!(defaults.tenant.as_str(), "everybody");
    assert_eq!(defaults.rights, Rights::READ);

    let claims = with(foreign_claims(), "scp", json!(["files:read", "files:write"]));
    let claims = with(claims, "https://issuer.example/org", json!("acme"));
    let named = accepted(&authenticator, &key.sign(&claims)).await;
    assert_eq!(named.tenant.as_str(), "acme");
    assert_eq!(named.rights, Rights::ALL);

    // The mapping is not for tokens of our own.
    let claims = with(own_claims(), "tenant", json!("acme"));
    let own = authenticator.authenticate(&sign_own(&claims)).await.unwrap();
    assert_eq!(own.tenant.as_str(), "acme");
}

#[tokio::test]
async fn a_foreign_token_cannot_take_an_own_subject() {
    let key = TestKey::es256("e");
    let (_dir, authenticator) = both(&clock(), &[&key]);
    let foreign = accepted(&authenticator, &key.sign(&foreign_claims())).await;
    let own = accepted(&authenticator, &sign_own(&own_claims())).await;
    assert_ne!(foreign.subject, own.subject);
}

/// The attacks of RFC 8725 section 2, and some of its relatives.
#[tokio::test]
async fn attacks_on_the_envelope_are_refused() {
    let (key, other) = (TestKey::rs256("r"), TestKey::rs256_next("n"));
    let es = TestKey::es256("e");
    let (_dir, authenticator) = both(&clock(), &[&key, &es]);
    let claims = foreign_claims();
    let good = key.sign(&claims);
    assert!(authenticator.authenticate(&good).await.is_ok());

    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = encoded(&json!({ "alg": none, "typ": "JWT" }));
        let signature = good.rsplit('.').next().unwrap();
        for signature in ["", signature] {
            let token = format!("{header}.{}.{signature}", encoded(&claims));
            assert_refused(&authenticator, &token, "algorithm").await;
        }
    }

    // The public key's text as if it were a shared secret.
    let pem = include_bytes!("../../../tests/keys/rs256.pem").to_vec();
    let modulus = key.jwk()["n"].as_str().unwrap().as_bytes().to_vec();
    for public in [pem, modulus, key.jwk().to_string().into_bytes()] {
        let header = json!({ "alg": "HS256", "kid": "r" });
        let token = hs256(&public, &header, &claims);
        assert_refused(&authenticator, &token, "signature").await;
    }

    // One key's id, another key's algorithm.
    let crossed = signed_by(&json!({ "alg": "ES256", "kid": "r" }), &claims);
    assert_refused(&authenticator, &crossed, "key is unknown").await;
    let crossed = other.sign_with(&json!({ "alg": "RS256", "kid": "r" }), &claims);
    assert_refused(&authenticator, &crossed, "signature").await;
    for alg in ["HS384", "HS512", "RS384", "RS512", "PS256", "ES384", "ES256K", "rs256"] {
        let token = key.sign_with(&json!({ "alg": alg, "kid": "r" }), &claims);
        assert_refused(&authenticator, &token, "algorithm").await;
    }

    // Keys that the token brings along.
    let brought = json!({
        "alg": "RS256", "kid": "n", "jwk": other.jwk(), "jku": "http://127.0.0.1:1/",
        "x5u": "http://127.0.0.1:1/", "x5c": ["AAAA"],
    });
    let token = other.sign_with(&brought, &claims);
    assert_refused(&authenticator, &token, "key is unknown").await;

    // Headers that change what the rest means.
    for (name, value, reason) in [
        ("crit", json!(["exp"]), "extension"),
        ("zip", json!("DEF"), "compressed"),
        ("typ", json!("logout+jwt"), "another type"),
        ("typ", json!(""), "another type"),
        ("typ", json!(1), "not a signed JWT"),
        ("kid", json!(["r"]), "not a signed JWT"),
    ] {
        let header = with(json!({ "alg": "RS256", "kid": "r" }), name, value);
        let token = key.sign_with(&header, &claims);
        assert_refused(&authenticator, &token, reason).await;
    }
    for typ in ["JWT", "jwt", "at+jwt", "application/at+JWT"] {
        let header = json!({ "alg": "RS256", "kid": "r", "typ": typ });
        let token = key.sign_with(&header, &claims);
        assert!(authenticator.authenticate(&token).await.is_ok(), "{typ}");
    }
}

fn signed_by(header: &Value, claims: &Value) -> String {
    let pem = include_bytes!("../../../tests/keys/es256.pem");
    let key = EncodingKey::from_ec_pem(pem).unwrap();
    signed(header, claims, &key, Algorithm::ES256)
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let authenticator = own(&clock());
    let good = sign_own(&own_claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let twice = "{\"alg\":\"HS256\",\"alg\":\"none\"}";
    let twice = base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(twice);
    let payload = signed.split_once('.').unwrap().1;
    for token in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        "a.b".to_owned(),
        "ä.ö.ü".to_owned(),
        "\0".to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{signed}."),
        format!("{signed}.{signature}="),
        format!("{signed}. {signature}"),
        format!("{good}.a.b"),
        format!("{twice}.{payload}.{signature}"),
        good.replace('.', " "),
        "x".repeat(20 << 10),
    ] {
        let error = authenticator.authenticate(&token).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{token:?}");
    }
}

/// The header is an object, and UTF-8 (RFC 7515, section 5.2), also where nobody looks at it.
#[tokio::test]
async fn a_header_that_is_no_json_object_is_refused() {
    let authenticator = own(&clock());
    for (header, is_good) in [
        ("{\"alg\":\"HS256\",\"other\":\"ä\"}".as_bytes(), true),
        (b"{\"alg\":\"HS256\",\"other\":\"\xe4\"}", false),
        (b"[\"HS256\",null,null,null,null]", false),
    ] {
        let encode = |part: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(part);
        let message = format!("{}.{}", encode(header), encoded(&own_claims()));
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let signature = sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        let token = format!("{message}.{signature}");
        assert_eq!(authenticator.authenticate(&token).await.is_ok(), is_good, "{header:?}");
    }
}

#[tokio::test]
async fn any_changed_character_breaks_a_token() {
    let authenticator = own(&clock());
    let good = sign_own(&own_claims());
    for at in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        assert!(authenticator.authenticate(&token).await.is_err(), "{at}");
    }
}

#[tokio::test]
async fn a_token_may_have_16_kib() {
    let authenticator = own(&clock());
    let room = |n| sign_own(&with(own_claims(), "note", json!("x".repeat(n))));
    assert!(authenticator.authenticate(&room(12_000)).await.is_ok());
    assert_refused(&authenticator, &room(13_000), "16 KiB").await;
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let clock = clock();
    let authenticator = own(&clock);
    let token = sign_own(&with(own_claims(), "exp", json!(SECONDS + 10)));
    assert!(authenticator.authenticate(&token).await.is_ok());
    clock.advance(Duration::from_millis(69_999));
    assert!(authenticator.authenticate(&token).await.is_ok());
    clock.advance(Duration::from_millis(1));
    assert_refused(&authenticator, &token, "has expired").await;
}

#[tokio::test]
async fn a_remembered_token_outlives_its_key_by_little() {
    let (clock, gone, other) = (clock(), TestKey::es256("e"), TestKey::rs256("r"));
    let (dir, authenticator) = both(&clock, &[&gone]);
    let token = gone.sign(&foreign_claims());
    assert!(authenticator.authenticate(&token).await.is_ok());
    write_keys(&dir, &[&other]);
    clock.advance(Duration::from_millis(59_999));
    assert!(authenticator.authenticate(&token).await.is_ok());
    clock.advance(Duration::from_millis(1));
    assert_refused(&authenticator, &token, "key is unknown").await;
}

#[tokio::test]
async fn a_replaced_key_file_is_noticed() {
    let (clock, old, new) = (clock(), TestKey::rs256("old"), TestKey::rs256_next("new"));
    let (dir, authenticator) = both(&clock, &[&old]);
    assert!(authenticator.authenticate(&old.sign(&foreign_claims())).await.is_ok());
    write_keys(&dir, &[&new]);
    clock.advance(Duration::from_secs(1));
    assert!(authenticator.authenticate(&new.sign(&foreign_claims())).await.is_ok());
}

#[tokio::test]
async fn a_broken_key_file_leaves_the_old_keys_for_a_day() {
    let (clock, key) = (clock(), TestKey::rs256("k"));
    let (dir, authenticator) = both(&clock, &[&key]);
    let claims = with(foreign_claims(), "exp", json!(SECONDS + 200_000));
    let token = key.sign(&claims);
    assert!(authenticator.authenticate(&token).await.is_ok());
    std::fs::write(dir.path().join("jwks.json"), "{").unwrap();
    clock.advance(Duration::from_secs(86_399));
    assert!(authenticator.authenticate(&token).await.is_ok());
    clock.advance(Duration::from_secs(60));
    let error = authenticator.authenticate(&token).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // Tokens of our own do not depend on the file.
    let own = sign_own(&with(own_claims(), "exp", json!(SECONDS + 200_000)));
    assert!(authenticator.authenticate(&own).await.is_ok());
}

#[test]
fn a_configuration_that_cannot_work_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    let complete =
        || JwtAuthenticator::builder().jwks_file(&path).audience("files").expect_issuer("i");
    let kind = |builder: JwtAuthenticatorBuilder| builder.build().map(|_| ()).unwrap_err().kind();
    assert_eq!(kind(JwtAuthenticator::builder()), ErrorKind::InvalidArgument);
    assert_eq!(kind(complete()), ErrorKind::InvalidArgument);
    write_keys(&dir, &[&TestKey::rs256("k")]);
    assert!(complete().build().is_ok());
    let no_audience = JwtAuthenticator::builder().jwks_file(&path).expect_issuer("i");
    assert_eq!(kind(no_audience), ErrorKind::InvalidArgument);
    let no_issuer = JwtAuthenticator::builder().jwks_file(&path).audience("a");
    assert_eq!(kind(no_issuer), ErrorKind::InvalidArgument);
    #[cfg(feature = "oidc")]
    assert_eq!(kind(complete().issuer("https://issuer.example")), ErrorKind::InvalidArgument);
    std::fs::write(&path, vec![b' '; (256 << 10) + 1]).unwrap();
    assert_eq!(kind(complete()), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn without_a_secret_no_shared_secret_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    write_keys(&dir, &[&TestKey::rs256("k")]);
    let authenticator = with_file(&dir, &clock()).build().unwrap();
    let token = hs256(b"", &json!({ "alg": "HS256" }), &foreign_claims());
    assert_refused(&authenticator, &token, "algorithm").await;
    let token = TestKey::rs256("k").sign(&foreign_claims());
    assert_refused(&own(&clock()), &token, "algorithm").await;
}

#[test]
fn nothing_shows_the_secret() {
    let shown = format!("{:?}", own(&clock()));
    assert!(!shown.contains(SECRET) && !shown.contains("97, 32, 115"));
}
