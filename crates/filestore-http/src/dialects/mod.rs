//! The documented APIs, one folder each, with the same five files: `mod.rs` (the dialect),
//! `route.rs` (requests become routes), `wire.rs` (its formats), `handler.rs` (a short function for
//! each route), `error.rs` (one table from faults to answers). No dialect names another.

mod cdf;
mod idempiere;
mod jea;
mod jmix;
mod molgenis;

pub use cdf::Cdf;
pub use idempiere::Idempiere;
pub use jea::Jea;
pub use jmix::{AttributeType, Entity, Jmix};
pub use molgenis::Molgenis;
