//! The boundary between the parts of a form (RFC 2046, section 5.1.1).

use filestore::{Error, Result};

use crate::protocol::parameters::Parameters;

/// What stands between the parts of a form: 1 to 70 characters that RFC 2046 allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(Vec<u8>);

impl Boundary {
    const MAX_LEN: usize = 70;

    /// The boundary that a `Content-Type` of `multipart/form-data` names, in quotes or without.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for another media type, and for
    /// a boundary that is missing or not allowed.
    pub fn of(content_type: &[u8]) -> Result<Self> {
        let parameters = Parameters::parse(content_type)?;
        if !parameters.word.eq_ignore_ascii_case(b"multipart/form-data") {
            return Err(Error::invalid("the content type is not multipart/form-data"));
        }
        let boundary = parameters
            .get("boundary")
            .ok_or_else(|| Error::invalid("the content type names no boundary"))?;
        Self::new(&boundary.unquoted())
    }

    /// This boundary.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for one that is not allowed.
    pub fn new(boundary: &[u8]) -> Result<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(byte);
        if boundary.is_empty()
            || boundary.len() > Self::MAX_LEN
            || boundary.ends_with(b" ")
            || !boundary.iter().all(allowed)
        {
            return Err(Error::invalid("the form's boundary is not allowed (RFC 2046)"));
        }
        Ok(Self(boundary.to_vec()))
    }

    /// Line end, two hyphens, boundary.
    pub(super) fn delimiter(&self) -> Vec<u8> {
        [b"\r\n--", &*self.0].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_are_read_from_the_content_types_of_clients() {
        for (content_type, expected) in [
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            ),
            ("Multipart/Form-Data;Boundary=\"a b\\c\"", "a bc"),
            ("multipart/form-data; charset=utf-8; boundary=x; y=z", "x"),
            ("multipart/form-data; boundary=----=_Part_0_17.42", "----=_Part_0_17.42"),
            ("multipart/form-data; boundary=\"'()+_,-./:=?\"", "'()+_,-./:=?"),
        ] {
            let boundary = Boundary::of(content_type.as_bytes()).unwrap();
            assert_eq!(boundary.0, expected.as_bytes(), "{content_type}");
        }
        assert!(Boundary::new(&[b'x'; 70]).is_ok());
    }

    #[test]
    fn what_names_no_allowed_boundary_is_refused() {
        for content_type in [
            "",
            "application/octet-stream",
            "multipart/mixed; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\"a \"",
            "multipart/form-data; boundary=a\tb",
            "multipart/form-data; boundary=ä",
            "multipart/form-data; boundary=\"a",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary=a\"b",
        ] {
            assert!(Boundary::of(content_type.as_bytes()).is_err(), "{content_type}");
        }
        assert!(Boundary::new(&[b'x'; 71]).is_err());
    }
}
