//! http
pub mod auth;
pub mod dialects;
pub mod presign;
pub mod protocol;
