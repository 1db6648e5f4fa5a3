//! What every dialect promises alike, over every backend.

/// One test for each case, dialect and backend.
macro_rules! contract {
    ($($case:ident)*) => {
        crate::harness::on_every_backend!(cases: $($case)*);
    };
}
macro_rules! cases {
    ($backend:ident: $($case:ident)*) => {
        mod $backend {
            cases!(jea over $backend: $($case)*);
            cases!(molgenis over $backend: $($case)*);
            cases!(jmix over $backend: $($case)*);
            cases!(idempiere over $backend: $($case)*);
            cases!(cdf over $backend: $($case)*);
        }
    };
    ($dialect:ident over $backend:ident: $($case:ident)*) => {
        mod $dialect {
            $(
                #[tokio::test]
                async fn $case() {
                    let world = crate::harness::World::$backend().await;
                    super::super::$case(&world, &crate::$dialect::Api).await;
                }
            )*
        }
    };
}

mod access;
mod bodies;
mod downloads;
mod urls;
