//! http
mod adapter;
pub mod auth;
mod body;
mod cors;
mod dialect;
pub mod dialects;
mod origin;
pub mod presign;
pub mod protocol;
mod serve;

pub use adapter::{Adapter, AdapterBuilder, Host, X_REQUEST_ID};
pub use body::{RequestBody, ResponseBody};
pub use cors::Cors;
pub use dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
pub use origin::{Origins, Peer};
pub use serve::{ServeOptions, serve};
