//! Answers that have no body of their own, and where what was made is.

use filestore::{Error, Result};
use http::{HeaderValue, Response, StatusCode, header};

use crate::body::ResponseBody;
use crate::dialect::Answer;

/// A status, and nothing else.
pub fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(ResponseBody::Empty);
    *answer.status_mut() = status;
    answer
}

/// The answer, and the URL of what it tells of.
///
/// # Errors
/// [`Internal`](filestore::ErrorKind::Internal) for text that is no header, which no URL is.
pub fn located(mut answer: Answer, location: String) -> Result<Answer> {
    let location = HeaderValue::try_from(location).map_err(|_| Error::internal("no location"))?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}
