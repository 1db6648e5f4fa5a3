//! Forms with one file, as browsers send them, and how they are taken apart.

use bytes::Bytes;
use filestore::ByteStream;
use filestore_http::protocol::multipart::{Boundary, Limits, Multipart};
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::content::frames;

/// What stands between the parts.
pub const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// The media type of [`form`].
pub fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// The form of the page "Upload a File to JEA" with this file.
pub fn form(content: &[u8]) -> Bytes {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"bench\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), content, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat().into()
}

/// A file of so many beginnings of a delimiter, 14 bytes each, none of which becomes one.
pub fn nearly_delimiters(count: usize) -> Bytes {
    "\r\n------WebKit".repeat(count).into()
}

/// How many bytes the file in the form has, by our own parser.
pub fn parse(form: &Bytes) -> usize {
    let body = ByteStream::from_results(stream::iter(frames(form.clone()).map(Ok)));
    let boundary = Boundary::new(BOUNDARY.as_bytes()).unwrap();
    let form = Multipart::new(&boundary, body, Limits::default());
    block_on(async {
        let part = form.into_sole_part("file").await.unwrap().unwrap();
        part.content.fold(0, async |sum, frame| sum + frame.unwrap().len()).await
    })
}
