//! What every test here needs: a server without a socket, tokens, requests, answers.

mod ask;
mod reply;
mod tokens;
mod world;

pub(crate) use ask::Ask;
pub(crate) use reply::Reply;
pub(crate) use tokens::{TENANT, Token};
pub(crate) use world::{BUCKET, HOST, MAX_FILE, World};

/// Every backend there is: `then` is expanded once for each, which names a constructor of
/// [`World`].
macro_rules! on_every_backend {
    ($then:ident: $($rest:tt)*) => {
        $then!(memory: $($rest)*);
        $then!(sqlite: $($rest)*);
        $then!(postgres: $($rest)*);
    };
}
pub(crate) use on_every_backend;

/// Bytes in which every range differs from every other.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    })
    .take(size)
    .collect()
}
