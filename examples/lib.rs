//! Holds the examples together; there is nothing here to use.
