//! Content as base64 within JSON, encoded while it streams.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use filestore::ByteStream;
use futures::{StreamExt, stream};

const HEAD: &str = "{\"data\":\"";
const TAIL: &str = "\"}";

/// The body `{"data":"…"}` of content of `size` bytes, and the body's own size. The text is
/// standard base64 with padding, on one line.
pub fn base64_json(content: ByteStream<'static>, size: u64) -> (ByteStream<'static>, u64) {
    let encoded = size.div_ceil(3).saturating_mul(4);
    let length = encoded.saturating_add((HEAD.len() + TAIL.len()) as u64);
    let mut pending = BytesMut::new();
    let ends = content.map(Some).chain(stream::iter([None]));
    let text = ends.filter_map(move |frame| {
        let text = match frame {
            None => Some(Ok(Bytes::from(STANDARD.encode(pending.split())))),
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(frame)) => {
                // Three bytes make four characters; what is left over waits for the next frame.
                pending.extend_from_slice(&frame);
                let whole = pending.split_to(pending.len() / 3 * 3);
                Some(Ok(Bytes::from(STANDARD.encode(whole))))
            }
        };
        futures::future::ready(text.filter(|text| text.as_ref().map_or(true, |it| !it.is_empty())))
    });
    let body = ByteStream::from(HEAD).chain(text).chain(ByteStream::from(TAIL));
    (ByteStream::from_results(body), length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use filestore::Result;

    #[tokio::test]
    async fn frames_of_any_size_make_one_text() {
        for size in 0..20_usize {
            let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n * 13).unwrap()).collect();
            for step in 1..=7 {
                let frames: Vec<Result<Bytes>> =
                    bytes.chunks(step).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
                let content = ByteStream::from_results(stream::iter(frames));
                let (body, length) = base64_json(content, size as u64);
                let body = body.collect().await.unwrap();
                assert_eq!(body.len() as u64, length);
                let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(STANDARD.decode(parsed["data"].as_str().unwrap()).unwrap(), bytes);
            }
        }
    }
}
