//! Nothing but examples; see `Cargo.toml`.

/// Compiles the code in the documents.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/adding-a-backend.md")]
    struct AddingABackend;
    #[doc = include_str!("../docs/adding-a-dialect.md")]
    struct AddingADialect;
}
