//! Tokens, good and bad.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use filestore::{Clock, ManualClock, Subject, SystemClock, Tenant};
use filestore_http::auth::{JwtAuthenticator, NewToken, Rights, Secret, mint};

/// Whose files the tests are about.
pub(crate) const TENANT: &str = "acme";
const SECRET: &str = "a secret of the tests, longer than 32 bytes";
const AUDIENCE: &str = "files.test";
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn authenticator() -> JwtAuthenticator {
    let secret = Secret::new(SECRET).unwrap();
    JwtAuthenticator::builder().secret(secret).audience(AUDIENCE).build().unwrap()
}

/// What a token shall be.
pub(crate) struct Token {
    secret: &'static str,
    new: NewToken,
}

impl Token {
    /// A good token for all that the tenant's files allow.
    pub(crate) fn full() -> String {
        Self::base().minted()
    }

    /// A good token that allows only this.
    pub(crate) fn scoped(scope: &str) -> String {
        let mut token = Self::base();
        token.new.rights = Rights::from_scope(scope);
        token.minted()
    }

    /// A good token of somebody else in the same tenant.
    pub(crate) fn of_a_colleague() -> String {
        let mut token = Self::base();
        token.new.subject = Subject::new("john").unwrap();
        token.minted()
    }

    /// A good token of somebody in these security categories.
    pub(crate) fn in_categories(categories: &[i64]) -> String {
        let mut token = Self::base();
        token.new.security_categories = categories.to_vec();
        token.minted()
    }

    /// A good token of another tenant.
    pub(crate) fn of_another_tenant() -> String {
        let mut token = Self::base();
        token.new.tenant = Tenant::new("other").unwrap();
        token.minted()
    }

    /// What is no good token, each with its reason.
    pub(crate) fn bad() -> Vec<(&'static str, String)> {
        let mut stolen = Self::base();
        stolen.secret = "somebody else's secret of more than 32 bytes";
        let mut misdirected = Self::base();
        misdirected.new.audience = Some("mail.test".into());
        let full = Self::full();
        let (unsigned, signature) = full.rsplit_once('.').unwrap();
        let (_, claims) = unsigned.split_once('.').unwrap();
        let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
        vec![
            ("garbage", "garbage".into()),
            ("dots", "..".into()),
            ("10 kB", "x".repeat(10_000)),
            ("expired", Self::base().minted_at(&long_ago())),
            ("alg none", format!("{none}.{claims}.")),
            ("alg none, signed", format!("{none}.{claims}.{signature}")),
            ("unsigned", format!("{unsigned}.")),
            ("another secret", stolen.minted()),
            ("another audience", misdirected.minted()),
        ]
    }

    fn base() -> Self {
        let new = NewToken {
            subject: Subject::new("jane").unwrap(),
            tenant: Tenant::new(TENANT).unwrap(),
            rights: Rights::ALL,
            lifetime: DAY,
            security_categories: Vec::new(),
            audience: Some(AUDIENCE.into()),
        };
        Self { secret: SECRET, new }
    }

    fn minted(&self) -> String {
        self.minted_at(&SystemClock)
    }

    fn minted_at(&self, clock: &dyn Clock) -> String {
        mint(&Secret::new(self.secret).unwrap(), &self.new, clock).unwrap()
    }
}

fn long_ago() -> ManualClock {
    ManualClock::new(SystemClock.now().before(3 * DAY))
}
