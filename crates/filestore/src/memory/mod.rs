//! Backends that keep everything in memory: for tests, and the model that others are compared with.
