//! The four query parameters, in the order and with the names that are documented.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

const CREDENTIAL: &str = "X-ID-CREDENTIAL";
const DATE: &str = "X-ID-DATE";
const EXPIRES: &str = "X-ID-EXPIRES";
const SIGNATURE: &str = "X-ID-SIGNATURE";

/// Longest query that is looked at, in bytes; ours are below 3 KiB.
const MAX_LEN: usize = 8 << 10;

/// The parameters' values, decoded.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    pub(super) credential: Cow<'a, str>,
    pub(super) date: Cow<'a, str>,
    pub(super) expires: Cow<'a, str>,
    pub(super) signature: Cow<'a, str>,
}

/// Whether a request with this query asks to be let in by it. Then its other credentials do not
/// count. An empty signature counts as none.
pub fn is_presigned(query: &str) -> bool {
    values(query, SIGNATURE).any(|value| !value.is_empty())
}

/// Every value consists of characters that a query may have as they are (RFC 3986 section 3.4).
pub(super) fn write(parameters: &Parameters<'_>) -> String {
    let Parameters { credential, date, expires, signature } = parameters;
    format!("{CREDENTIAL}={credential}&{DATE}={date}&{EXPIRES}={expires}&{SIGNATURE}={signature}")
}

/// `None` unless each of them is there once.
pub(super) fn read(query: &str) -> Option<Parameters<'_>> {
    if query.len() > MAX_LEN {
        return None;
    }
    Some(Parameters {
        credential: only_value(query, CREDENTIAL)?,
        date: only_value(query, DATE)?,
        expires: only_value(query, EXPIRES)?,
        signature: only_value(query, SIGNATURE)?,
    })
}

fn only_value<'a>(query: &'a str, name: &'a str) -> Option<Cow<'a, str>> {
    let mut all = values(query, name);
    let value = all.next()?;
    if all.next().is_some() {
        return None;
    }
    // Clients that build URLs from parts encode the colons of the date.
    percent_decode_str(value).decode_utf8().ok()
}

/// The values of `name`, still encoded. A name that is itself encoded counts as well, so that a
/// second value cannot hide.
fn values<'a>(query: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        percent_decode_str(key).eq(name.bytes()).then_some(value)
    })
}
