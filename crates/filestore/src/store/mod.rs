//! The store itself: every rule lives here, once.
