//! Byte ranges: as asked for, and as resolved against a size.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};

/// A range as a client asks for it, before the size is known (RFC 9110, section 14.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeSpec {
    /// From this offset to the end.
    From(u64),
    /// From the first offset to the last, both included; an end past the content is cut.
    FromTo(u64, u64),
    /// The last so many bytes, or all when there are fewer.
    Last(u64),
}

impl RangeSpec {
    /// The half-open range of content of `size` bytes.
    ///
    /// # Errors
    /// [`RangeNotSatisfiable`](ErrorKind::RangeNotSatisfiable) when it holds no byte.
    pub fn resolve(self, size: u64) -> Result<Range<u64>> {
        let range = match self {
            Self::From(start) => start..size,
            Self::FromTo(start, last) => start..size.min(last.saturating_add(1)),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        if range.is_empty() {
            return Err(Error::new(
                ErrorKind::RangeNotSatisfiable,
                format!("the range holds no byte of {size}"),
            ));
        }
        Ok(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_content_and_refused_outside_of_it() {
        assert_eq!(RangeSpec::From(3).resolve(10).unwrap(), 3..10);
        assert_eq!(RangeSpec::FromTo(0, 4).resolve(10).unwrap(), 0..5);
        assert_eq!(RangeSpec::FromTo(8, u64::MAX).resolve(10).unwrap(), 8..10);
        assert_eq!(RangeSpec::Last(20).resolve(10).unwrap(), 0..10);
        for (range, size) in [
            (RangeSpec::From(10), 10),
            (RangeSpec::Last(0), 10),
            (RangeSpec::From(0), 0),
            (RangeSpec::FromTo(5, 4), 10),
        ] {
            assert_eq!(range.resolve(size).unwrap_err().kind(), ErrorKind::RangeNotSatisfiable);
        }
    }
}
