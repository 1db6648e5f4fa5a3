//! One body, cut into frames in different ways.

use bytes::Bytes;
use filestore::ByteStream;
use futures::stream;

/// The whole in one frame.
pub fn whole(bytes: &[u8]) -> Vec<Bytes> {
    vec![Bytes::copy_from_slice(bytes)]
}

/// A frame for each byte.
pub fn single(bytes: &[u8]) -> Vec<Bytes> {
    bytes.iter().map(|byte| Bytes::copy_from_slice(&[*byte])).collect()
}

/// Frames of 0 to 31 bytes. The bytes themselves decide where, so that an input is cut the same
/// each time it runs.
pub fn uneven(bytes: &[u8]) -> Vec<Bytes> {
    let mut state = bytes
        .iter()
        .fold(0x9e37_79b9_u32, |state, byte| (state ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let mut rest = Bytes::copy_from_slice(bytes);
    let mut frames = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = usize::try_from(state >> 27).expect("five bits").min(rest.len());
        frames.push(rest.split_to(size));
    }
    frames
}

/// These frames as a body.
pub fn stream_of(frames: Vec<Bytes>) -> ByteStream<'static> {
    ByteStream::from_results(stream::iter(frames.into_iter().map(Ok)))
}
