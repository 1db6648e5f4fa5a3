//! Who is let in: tokens, and URLs that carry their own permission.

use std::sync::Arc;
use std::time::Duration;

use filestore::{Subject, SystemClock, Tenant};
use filestore_http::auth::{
    Authenticator, JwtAuthenticator, NewToken, Principal, Rights, Secret, mint,
};
use filestore_http::presign::{Grant, PresignKey, PresignKeys, Presigner};
use futures::executor::block_on;
use http::Method;
use tokio::runtime::Runtime;

/// How a token is signed.
#[derive(Clone, Copy, Debug)]
pub enum Signing {
    /// With a secret of ours.
    Hs256,
    /// With a key of a JWK set, of 2048 bits.
    Rs256,
}

impl Signing {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hs256, Self::Rs256];

    /// Its name in the names of benches.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        }
    }
}

/// An authenticator that has its keys at hand, and a token that it has not seen yet.
#[derive(Debug)]
pub struct Guard {
    authenticator: JwtAuthenticator,
    token: String,
}

impl Guard {
    /// One for tokens signed in this way.
    pub fn new(signing: Signing) -> Self {
        match signing {
            Signing::Hs256 => Self::with_secret(),
            Signing::Rs256 => Self::with_key_set(),
        }
    }

    fn with_secret() -> Self {
        let authenticator = JwtAuthenticator::builder().secret(secret()).build().unwrap();
        Self { authenticator, token: token() }
    }

    /// The token in the file holds until 2100. Its private key was thrown away.
    fn with_key_set() -> Self {
        let authenticator = JwtAuthenticator::builder()
            .jwks_file(concat!(env!("CARGO_MANIFEST_DIR"), "/rs256/jwks.json"))
            .expect_issuer("https://login.example")
            .audience("filestore")
            .build()
            .unwrap();
        let token = include_str!("rs256/token.jwt").trim_end().to_owned();
        // A token that is refused for its signature has the keys fetched and is not remembered.
        let (signed, _) = token.rsplit_once('.').unwrap();
        let unsigned = format!("{signed}.AAAA");
        let refused = authenticator.authenticate(&unsigned);
        Runtime::new().unwrap().block_on(refused).unwrap_err();
        Self { authenticator, token }
    }

    /// Who the token stands for. The first time its signature is checked; from then on it is known.
    pub fn check(&self) -> Principal {
        block_on(self.authenticator.authenticate(&self.token)).unwrap()
    }
}

/// A presigner, and a request with a URL of its.
#[derive(Debug)]
pub struct Signed {
    presigner: Presigner,
    grant: Grant,
    query: String,
}

impl Signed {
    const CHUNKS: &str = "/api/v1/uploads/0192f0c1-2b3a-7c4d-8e5f-60718293a4b5/chunks";
    const CHUNK: &str = "/api/v1/uploads/0192f0c1-2b3a-7c4d-8e5f-60718293a4b5/chunks/1";

    /// A URL that the page "iDempiere Uploads API" sends chunks to.
    pub fn new() -> Self {
        let keys = PresignKeys::new(PresignKey::derive(&secret()).unwrap());
        let presigner = Presigner::new(keys, Arc::new(SystemClock));
        let principal = Principal {
            tenant: Tenant::new("bench").unwrap(),
            subject: Subject::new("bench").unwrap(),
            rights: Rights::ALL,
            security_categories: Vec::new(),
        };
        let grant = Grant::new(Method::PUT, Self::CHUNKS, principal).unwrap();
        let query = presigner.sign(&grant, Duration::from_secs(3_600));
        Self { presigner, grant, query }
    }

    /// Signs another like it.
    pub fn sign(&self) -> String {
        self.presigner.sign(&self.grant, Duration::from_secs(3_600))
    }

    /// Who the URL lets in.
    pub fn check(&self) -> Principal {
        self.presigner.verify(&Method::PUT, Self::CHUNK, &self.query).unwrap()
    }
}

impl Default for Signed {
    fn default() -> Self {
        Self::new()
    }
}

/// The secret of every server here.
pub fn secret() -> Secret {
    Secret::new("a secret of at least thirty-two bytes").unwrap()
}

/// A token for everything of the only tenant, signed with the secret.
pub fn token() -> String {
    let token = NewToken {
        subject: Subject::new("bench").unwrap(),
        tenant: Tenant::new("bench").unwrap(),
        rights: Rights::ALL,
        lifetime: Duration::from_secs(3_600),
        security_categories: Vec::new(),
        audience: None,
    };
    mint(&secret(), &token, &SystemClock).unwrap()
}
