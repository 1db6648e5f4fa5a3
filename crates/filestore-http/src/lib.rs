//! Documented Files APIs in front of a [`FileStore`](filestore::FileStore).
//!
//! Programs written against JEA, MOLGENIS, Jmix or iDempiere work unmodified against a server that
//! mounts the dialect of that name:
//!
//! ```
//! use std::sync::Arc;
//!
//! use filestore::{FileStore, SystemClock};
//! use filestore_http::Adapter;
//! use filestore_http::auth::{JwtAuthenticator, Secret};
//! use filestore_http::dialects::{Jea, Molgenis};
//! use filestore_http::presign::{PresignKey, PresignKeys, Presigner};
//!
//! # async fn run() -> filestore::Result<()> {
//! let secret = Secret::new("a secret of at least thirty-two bytes")?;
//! let keys = PresignKeys::new(PresignKey::derive(&secret)?);
//! let adapter = Adapter::builder(
//!     FileStore::in_memory(),
//!     JwtAuthenticator::builder().secret(secret).build()?,
//!     Presigner::new(keys, Arc::new(SystemClock)),
//! )
//! .mount(Jea::MOUNT, Jea)
//! .mount(Molgenis::MOUNT, Molgenis)
//! .build();
//!
//! // A hyper service, a tower service with feature `tower`, or just a function:
//! let answer = adapter.respond(http::Request::new(String::new())).await;
//! assert_eq!(answer.status(), 404);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```
//!
//! # How a request goes through
//!
//! ```text
//! serve ──> Adapter ──> pipeline: authenticate → route → authorize → handle ──> answer
//!  deadlines  mounts,      │                                   │         └─ error → render
//!  and caps   CORS, id     v                                   v
//!                     Authenticator, Presigner         a Dialect calls the FileStore
//! ```
//!
//! A [`Dialect`] is a translation only; every rule of storage is the store's. What HTTP itself says
//! (ranges, conditions, forms, names in headers) is in [`protocol`] and no dialect's.
//!
//! # Features
//!
//! - `oidc` (default): signing keys from an OpenID Connect issuer.
//! - `tower`: `tower_service::Service` for [`Adapter`].

#![forbid(unsafe_code)]

mod adapter;
pub mod auth;
mod body;
mod cors;
mod dialect;
pub mod dialects;
mod host;
mod origin;
mod pipeline;
pub mod presign;
pub mod protocol;
mod serve;

pub use adapter::{Adapter, AdapterBuilder, X_REQUEST_ID};
pub use body::{RequestBody, ResponseBody};
pub use cors::Cors;
pub use dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
pub use host::Host;
pub use origin::{Origins, Peer};
pub use serve::{ServeOptions, serve};
