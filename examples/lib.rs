//! Holds the examples together; there is nothing here to use.

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
