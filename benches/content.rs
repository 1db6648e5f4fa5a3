//! Bytes to store.

use std::sync::LazyLock;

use bytes::Bytes;
use filestore::ByteStream;
use futures::stream;

/// Bytes in a frame of a stream: about what a server reads from a connection at once.
pub const FRAME: usize = 64 << 10;

const MOST: usize = 64 << 20;

static NOISE: LazyLock<Bytes> = LazyLock::new(|| {
    // Xorshift: any bytes will do that have no pattern in them.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(MOST / 8).flatten().collect::<Vec<u8>>().into()
});

/// `size` bytes of noise, 64 MiB at most; always the same. They are shared and never copied.
pub fn noise(size: usize) -> Bytes {
    NOISE.slice(..size)
}

/// `bytes` as they come over a network: frame by frame.
pub fn framed(bytes: Bytes) -> ByteStream<'static> {
    if bytes.len() <= FRAME {
        return bytes.into();
    }
    ByteStream::from_results(stream::iter(frames(bytes).map(Ok)))
}

/// Slices of `bytes`, each of [`FRAME`] bytes but for the last.
pub fn frames(bytes: Bytes) -> impl Iterator<Item = Bytes> + Send {
    (0..bytes.len())
        .step_by(FRAME)
        .map(move |start| bytes.slice(start..bytes.len().min(start + FRAME)))
}
