//! Listing: the objects that are blobs, by ascending keys.

use filestore::backend::BlobInfo;
use filestore::{BlobKey, Result, Timestamp};
use futures::future;
use futures::stream::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::blobs::ObjectBlobs;
use crate::error::ObjectError;

/// The hexadecimal digits of a key are in the order of its bytes, so a list by name is one by key.
/// Whoever compares it with another list relies on that: one that is in no order is an error.
pub(crate) fn list(
    blobs: &ObjectBlobs,
    after: Option<BlobKey>,
) -> impl Stream<Item = Result<BlobInfo>> + Send + '_ {
    let below = (!blobs.prefix.is_root()).then_some(&blobs.prefix);
    let objects = match after {
        Some(after) => blobs.store.list_with_offset(below, &blobs.path(after)),
        None => blobs.store.list(below),
    };
    let mut last = after;
    objects
        .map_err(ObjectError::from)
        .try_filter_map(|object| future::ok(blob(&blobs.prefix, &object)))
        .map(move |blob| {
            let blob = blob?;
            if last.replace(blob.key) >= Some(blob.key) {
                return Err(ObjectError::Unordered.into());
            }
            Ok(blob)
        })
}

/// `None` for what is no blob of this store.
fn blob(prefix: &Path, object: &ObjectMeta) -> Option<BlobInfo> {
    let mut names = object.location.prefix_match(prefix)?;
    let (name, None) = (names.next()?, names.next()) else { return None };
    let mut bytes = [0; 16];
    hex::decode_to_slice(name.as_ref(), &mut bytes).ok()?;
    let key = BlobKey::from_bytes(bytes);
    let stored = u64::try_from(object.last_modified.timestamp_millis()).unwrap_or_default();
    (key.to_string() == name.as_ref()).then_some(BlobInfo {
        key,
        size: object.size,
        stored: Timestamp::from_millis(stored),
    })
}
