//! The documented APIs, one folder each, with the same five files.
