use filestore::{ManualClock, Subject, Tenant};
use proptest::prelude::*;

use super::*;
use crate::auth::{Rights, Secret};

const NOW: u64 = 1_790_000_000_000;
const PREFIX: &str = "v1/uploads/0197/chunks";
const HOUR: Duration = Duration::from_secs(3600);

fn principal() -> Principal {
    Principal {
        tenant: Tenant::new("acme & söhne").unwrap(),
        subject: Subject::new("https://issuer.example|ada \"x\"").unwrap(),
        rights: Rights::ALL,
        security_categories: vec![1, -2],
    }
}

fn grant(method: Method) -> Grant {
    Grant::new(method, PREFIX, principal()).unwrap()
}

fn key(text: &str) -> PresignKey {
    PresignKey::derive(&Secret::new(&text.repeat(32)).unwrap()).unwrap()
}

fn setup() -> (Presigner, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(NOW + 700)));
    let presigner = Presigner::new(PresignKeys::new(key("a")), Arc::clone(&clock) as _);
    (presigner, clock)
}

fn put_chunk(presigner: &Presigner, query: &str) -> Result<Principal> {
    presigner.verify(&Method::PUT, "v1/uploads/0197/chunks/1", query)
}

fn assert_mismatch(presigner: &Presigner, query: &str) {
    let error = put_chunk(presigner, query).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{query}");
}

#[test]
fn what_was_signed_is_verified() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    assert_eq!(put_chunk(&presigner, &query).unwrap(), principal());
    assert!(is_presigned(&query));
}

#[test]
fn the_parameters_are_those_documented_and_in_that_order() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    let pairs: Vec<_> = query.split('&').map(|pair| pair.split_once('=').unwrap()).collect();
    let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["X-ID-CREDENTIAL", "X-ID-DATE", "X-ID-EXPIRES", "X-ID-SIGNATURE"]);
    assert_eq!(pairs[1].1, "2026-09-21T14:13:20Z");
    assert_eq!(pairs[2].1, "3600");
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(pairs[3].1.len() == 64 && pairs[3].1.bytes().all(hex));
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    assert!(pairs[0].1.bytes().all(unreserved));
}

/// Made by another implementation of HMAC and of the format: what was handed out before an update
/// holds after it.
#[test]
fn the_format_is_stable() {
    let (presigner, _) = setup();
    let query = "X-ID-CREDENTIAL=eyJrZXkiOiI3OWVmMTVmZTc3OTgiLCJ0ZW5hbnQiOiJhY21lIiwic3ViamVjdCI6\
        ImFkYSIsInJpZ2h0cyI6ImZpbGVzOndyaXRlIiwibWV0aG9kIjoiUFVUIiwicHJlZml4IjoidjEvdXBs\
        b2Fkcy8wMTk3L2NodW5rcyJ9\
        &X-ID-DATE=2026-09-21T14:13:20Z&X-ID-EXPIRES=3600\
        &X-ID-SIGNATURE=387700541d5a7f312546598f2990e6e885a54d2fe7f39c29e99209a88e6c8d50";
    let principal = put_chunk(&presigner, query).unwrap();
    assert_eq!(principal.tenant.as_str(), "acme");
    assert_eq!(principal.subject.as_str(), "ada");
    assert_eq!(principal.rights.to_string(), "files:write");
    assert!(principal.security_categories.is_empty());
}

#[test]
fn a_client_may_encode_the_values_and_add_parameters() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    let encoded = query.replace(':', "%3A");
    assert_ne!(query, encoded);
    assert!(put_chunk(&presigner, &encoded).is_ok());
    assert!(put_chunk(&presigner, &format!("inline=1&{query}&x")).is_ok());
    let mut pairs: Vec<_> = query.split('&').collect();
    pairs.reverse();
    assert!(put_chunk(&presigner, &pairs.join("&")).is_ok());
}

#[test]
fn it_ends_to_the_second_and_without_grace() {
    let (presigner, clock) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    // The date was cut to its second, 700 ms before the clock.
    clock.advance(HOUR - Duration::from_millis(701));
    assert!(put_chunk(&presigner, &query).is_ok());
    clock.advance(Duration::from_millis(1));
    let error = put_chunk(&presigner, &query).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    // Only who holds a good URL is told that it is over.
    let error = presigner.verify(&Method::PUT, "v1/uploads/0198/chunks", &query);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert_mismatch(&presigner, &query.replace("=3600", "=3601"));
}

#[test]
fn nothing_lives_longer_than_seven_days() {
    let (presigner, clock) = setup();
    let query = presigner.sign(&grant(Method::PUT), Duration::MAX);
    assert!(query.contains("X-ID-EXPIRES=604800&"));
    clock.advance(MAX_LIFETIME);
    let error = put_chunk(&presigner, &query).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Expired);
    // Not even if one of our keys says so.
    let credential = grant(Method::PUT).encode(key("a").id());
    let (date, expires) = ("2026-09-28T14:13:20Z", "604801");
    let signature = key("a").sign(&text_to_sign(&credential, date, expires));
    let query = query::write(&Parameters {
        credential: credential.into(),
        date: date.into(),
        expires: expires.into(),
        signature: signature.into(),
    });
    assert_mismatch(&presigner, &query);
}

#[test]
fn a_prefix_ends_at_a_segment() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    for (path, covered) in [
        ("v1/uploads/0197/chunks", true),
        ("v1/uploads/0197/chunks/", true),
        ("v1/uploads/0197/chunks/1", true),
        ("v1/uploads/0197/chunks/1/deep", true),
        ("v1/uploads/0197/chunksx", false),
        ("v1/uploads/0197/chunks%2F1", false),
        ("v1/uploads/0197/chunk", false),
        ("v1/uploads/0197", false),
        ("v1/uploads/01970/chunks/1", false),
        ("v1/uploads/0198/chunks/1", false),
        ("V1/uploads/0197/chunks/1", false),
        ("/v1/uploads/0197/chunks/1", false),
        ("", false),
        ("v1/uploads/0197/chunks/../../0198/chunks/1", false),
        ("v1/uploads/0197/chunks/%2e%2E/x", false),
        ("v1/uploads/0197/chunks/.%2e/x", false),
        ("v1/uploads/0197/chunks/./1", false),
        ("v1/uploads/0197/chunks//1", false),
        ("v1/uploads/0197/chunks/..\\x", false),
        ("v1/uploads/0197/chunks/%5C", false),
        ("v1/uploads/0197/chunks/1\n", false),
        ("v1/uploads/0197/chunks/%00", false),
    ] {
        let answer = presigner.verify(&Method::PUT, path, &query);
        assert_eq!(answer.is_ok(), covered, "{path}");
    }
}

#[test]
fn a_method_is_granted_and_head_with_get() {
    let (presigner, _) = setup();
    let allowed = |granted: &Method, asked: &Method| {
        let query = presigner.sign(&grant(granted.clone()), HOUR);
        presigner.verify(asked, PREFIX, &query).is_ok()
    };
    let methods = [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::DELETE];
    for granted in &methods {
        for asked in &methods {
            let expected = granted == asked || (*granted == Method::GET && *asked == Method::HEAD);
            assert_eq!(allowed(granted, asked), expected, "{granted} {asked}");
        }
    }
}

#[test]
fn only_plain_prefixes_can_be_granted() {
    for refused in
        ["", "/", "a/", "a//b", "a/../b", "a/%2e%2e/b", ".", "a?b", "a#b", "a\nb", "a\\b", "a%00"]
    {
        let grant = Grant::new(Method::GET, refused, principal());
        assert_eq!(grant.unwrap_err().kind(), ErrorKind::InvalidArgument, "{refused}");
    }
    assert!(Grant::new(Method::GET, "/rest/a b", principal()).is_ok());
}

/// Every character of the query replaced by each of a few others: names, values, separators.
#[test]
fn every_parameter_changed_by_one_character_is_refused() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    for at in 0..query.len() {
        for other in ["A", "a", "0", "1", "f", "F", "-", "&", "=", "%", "\0", "\n", ""] {
            if &query[at..=at] == other {
                continue;
            }
            let changed = format!("{}{other}{}", &query[..at], &query[at + 1..]);
            let error = put_chunk(&presigner, &changed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{changed}");
        }
    }
}

#[test]
fn missing_duplicate_and_padded_parameters_are_refused() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    let pairs: Vec<_> = query.split('&').collect();
    for at in 0..pairs.len() {
        let mut missing = pairs.clone();
        let pair = missing.remove(at);
        assert_mismatch(&presigner, &missing.join("&"));
        assert_mismatch(&presigner, &format!("{query}&{pair}"));
        let (name, value) = pair.split_once('=').unwrap();
        assert_mismatch(&presigner, &format!("{query}&{name}=other"));
        assert_mismatch(&presigner, &format!("{query}&{name}"));
        assert_mismatch(&presigner, &format!("{query}&%58{}=other", &name[1..]));
        for padded in [
            format!("{name}="),
            name.to_owned(),
            format!("{name}={value}%20"),
            format!("{name}=+{value}"),
            format!("{name}=0{value}"),
            format!("{name}={value}%00"),
            format!("{name}={value}%FF"),
            format!("{}={value}", name.to_lowercase()),
        ] {
            let mut changed = missing.clone();
            changed.insert(at, &padded);
            assert_mismatch(&presigner, &changed.join("&"));
        }
    }
    assert_mismatch(&presigner, &format!("{query}&{}", "x".repeat(8 << 10)));
}

#[test]
fn an_upper_case_signature_is_refused() {
    let (presigner, _) = setup();
    let query = presigner.sign(&grant(Method::PUT), HOUR);
    let (rest, signature) = query.rsplit_once('=').unwrap();
    let upper = signature.to_uppercase();
    assert_ne!(upper, signature);
    assert_mismatch(&presigner, &format!("{rest}={upper}"));
}

#[test]
fn a_grant_is_of_its_own_credential() {
    let (presigner, _) = setup();
    let mine = presigner.sign(&grant(Method::PUT), HOUR);
    let theirs = Grant::new(Method::PUT, "v1/uploads/0198/chunks", principal()).unwrap();
    let theirs = presigner.sign(&theirs, HOUR);
    let credential = mine.split('&').next().unwrap();
    let rest = theirs.split_once('&').unwrap().1;
    assert_mismatch(&presigner, &format!("{credential}&{rest}"));
}

#[test]
fn a_replaced_key_verifies_for_seven_days() {
    let (old, clock) = setup();
    let now = clock.now();
    let keys = PresignKeys::new(key("b")).replaced(key("a"), now);
    let new = Presigner::new(keys, Arc::clone(&clock) as _);
    assert!(put_chunk(&new, &old.sign(&grant(Method::PUT), HOUR)).is_ok());
    assert!(put_chunk(&old, &new.sign(&grant(Method::PUT), HOUR)).is_err());
    clock.advance(MAX_LIFETIME - Duration::from_millis(1));
    assert!(put_chunk(&new, &old.sign(&grant(Method::PUT), HOUR)).is_ok());
    clock.advance(Duration::from_millis(1));
    assert_mismatch(&new, &old.sign(&grant(Method::PUT), HOUR));
}

#[test]
fn a_key_under_anothers_id_does_not_verify() {
    let (_, clock) = setup();
    let signer = |byte: u8| {
        let key = PresignKey::new("k", &[byte; 32]).unwrap();
        Presigner::new(PresignKeys::new(key), Arc::clone(&clock) as _)
    };
    let query = signer(1).sign(&grant(Method::PUT), HOUR);
    assert!(put_chunk(&signer(1), &query).is_ok());
    assert_mismatch(&signer(2), &query);
}

#[test]
fn keys_are_long_enough_and_stay_hidden() {
    assert!(PresignKey::new("k", &[0; 31]).is_err());
    assert!(PresignKey::new("", &[0; 32]).is_err());
    assert!(PresignKey::new("a b", &[0; 32]).is_err());
    assert_ne!(key("a").id(), key("b").id());
    assert_eq!(key("a").id(), key("a").id());
    let shown = format!("{:?}", PresignKey::new("k", &[7; 32]).unwrap());
    assert_eq!(shown, "PresignKey { id: \"k\", .. }");
}

#[test]
fn an_empty_signature_is_none() {
    for (query, expected) in [
        ("", false),
        ("X-ID-SIGNATURE", false),
        ("X-ID-SIGNATURE=", false),
        ("x-id-signature=a", false),
        ("X-ID-SIGNATURE=a", true),
        ("X-ID-SIGNATURE=&X-ID-SIGNATURE=a", true),
        ("a=b&X%2DID%2DSIGNATURE=a", true),
    ] {
        assert_eq!(is_presigned(query), expected, "{query}");
    }
}

proptest! {
    #[test]
    fn no_text_is_let_in_or_does_harm(path in ".*", query in ".*") {
        let (presigner, _) = setup();
        prop_assert!(presigner.verify(&Method::GET, &path, &query).is_err());
    }

    #[test]
    fn no_values_are_let_in_or_do_harm(values in prop::array::uniform4("[ -~]{0,80}|.*")) {
        let (presigner, _) = setup();
        let [credential, date, expires, signature] = values;
        let query = format!(
            "X-ID-CREDENTIAL={credential}&X-ID-DATE={date}&X-ID-EXPIRES={expires}&X-ID-SIGNATURE={signature}"
        );
        prop_assert!(put_chunk(&presigner, &query).is_err());
    }

    #[test]
    fn a_grant_comes_back_as_it_was(
        tenant in "[^\\p{Cc}]{1,40}",
        subject in "[^\\p{Cc}]{1,40}",
        categories in prop::collection::vec(any::<i64>(), 0..4),
        seconds in 1_u64..604_800,
    ) {
        let (presigner, _) = setup();
        let principal = Principal {
            tenant: Tenant::new(&tenant).unwrap(),
            subject: Subject::new(&subject).unwrap(),
            rights: Rights::READ,
            security_categories: categories,
        };
        let grant = Grant::new(Method::PUT, PREFIX, principal.clone()).unwrap();
        let query = presigner.sign(&grant, Duration::from_secs(seconds));
        prop_assert_eq!(put_chunk(&presigner, &query).unwrap(), principal);
    }
}
