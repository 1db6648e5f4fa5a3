//! Who asks: tokens, and the principal they stand for.
