//! What the page allows, at most.

use filestore::{Error, Result, Timestamp};

/// The largest id.
pub(super) const MAX_ID: i64 = (1 << 53) - 1;
pub(super) const MAX_ASSET_IDS: usize = 1000;
pub(super) const MAX_SECURITY_CATEGORIES: usize = 100;
pub(super) const MAX_LABELS: usize = 10;
/// Bytes of a metadata key.
pub(super) const MAX_KEY: usize = 128;
pub(super) const MAX_PAIRS: usize = 256;
/// Bytes of one metadata value, and of all keys and values together.
pub(super) const MAX_METADATA: usize = 10_240;
/// Bytes of a geoLocation. The page names no limit; every file's attributes have one.
pub(super) const MAX_GEO_LOCATION: usize = 32 << 10;

pub(super) const NAME: Text = Text { field: "name", min: 1, max: 256 };
pub(super) const EXTERNAL_ID: Text = Text { field: "externalId", min: 1, max: 255 };
pub(super) const DIRECTORY: Text = Text { field: "directory", min: 1, max: 512 };
pub(super) const SOURCE: Text = Text { field: "source", min: 0, max: 128 };
pub(super) const MIME_TYPE: Text = Text { field: "mimeType", min: 0, max: 256 };
pub(super) const LABEL: Text = Text { field: "a label's externalId", min: 1, max: 255 };

/// How long a text may be, in characters.
#[derive(Debug)]
pub(super) struct Text {
    field: &'static str,
    min: usize,
    max: usize,
}

impl Text {
    pub(super) fn check(&self, text: &str) -> Result<()> {
        let Self { field, min, max } = self;
        if !(*min..=*max).contains(&text.chars().count()) {
            return Err(Error::invalid(format!("{field} must have {min} to {max} characters")));
        }
        Ok(())
    }
}

/// Of an asset, a data set, a security category.
pub(super) fn check_id(field: &str, id: i64) -> Result<()> {
    if !(1..=MAX_ID).contains(&id) {
        return Err(Error::invalid(format!("{field} must be between 1 and {MAX_ID}")));
    }
    Ok(())
}

pub(super) fn check_count(field: &str, count: usize, most: usize) -> Result<()> {
    if count > most {
        return Err(Error::invalid(format!("{field} must have {most} elements at most")));
    }
    Ok(())
}

/// Milliseconds since 1970.
pub(super) fn time(field: &str, millis: i64) -> Result<Timestamp> {
    u64::try_from(millis)
        .map(Timestamp::from_millis)
        .map_err(|_| Error::invalid(format!("{field} must be 0 or more")))
}
