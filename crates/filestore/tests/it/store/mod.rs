//! The promises of the store itself. Each case runs over memory, over a disk with metadata in
//! memory, and over a disk with SQLite.

mod content;
mod copies;
mod files;
mod fsck;
mod interrupted;
mod late;
mod migrating;
mod opening;
mod ranges;
mod records;
mod restored;
pub(crate) mod rig;
mod search;
mod signing;
pub(crate) mod spy;
mod sweep;
mod tenancy;
mod uploads;
mod verification;

/// One test for each case and kind of backend.
macro_rules! cases {
    ($($case:ident)*) => {
        crate::store::cases! { @over memory: $($case)* }
        crate::store::cases! { @over disk: $($case)* }
        crate::store::cases! { @over sqlite: $($case)* }
    };
    (@over $backend:ident: $($case:ident)*) => {
        mod $backend {
            $(#[test]
            fn $case() {
                filestore::conformance::run(|| async {
                    super::$case(crate::store::rig::Rig::$backend().await).await;
                });
            })*
        }
    };
}
use cases;
