//! Header fields as lines of text.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The fields of these lines, `name: value` each. What hyper would not let through is left out.
pub fn headers<'l>(lines: impl IntoIterator<Item = &'l [u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            // A map of more than 32,768 would panic, and hyper takes 100.
            if headers.len() < 100 {
                headers.append(name, value);
            }
        }
    }
    headers
}

/// The first line, without its end, and what follows it.
pub fn first(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    (&text[..end], text.get(end + 1..).unwrap_or_default())
}
