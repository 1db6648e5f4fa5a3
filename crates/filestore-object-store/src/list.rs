//! Listing: the objects that are blobs, by ascending keys.

use filestore::backend::BlobInfo;
use filestore::{BlobKey, Result, Timestamp};
use futures::future;
use futures::stream::{Stream, StreamExt, TryStreamExt};
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::blobs::{ObjectBlobs, below};
use crate::error::ObjectError;

/// The hexadecimal digits of a key are in the order of its bytes, so a list by name is one by key.
pub(crate) fn list(
    blobs: &ObjectBlobs,
    after: Option<BlobKey>,
) -> impl Stream<Item = Result<BlobInfo>> + Send + '_ {
    let objects = match after {
        Some(after) => blobs.store.list_with_offset(below(&blobs.prefix), &blobs.path(after)),
        None => blobs.store.list(below(&blobs.prefix)),
    };
    let found = objects
        .map_err(ObjectError::from)
        .try_filter_map(|object| future::ok(blob(&blobs.prefix, &object)));
    ascending(found, after).err_into()
}

/// Whoever compares a list with another relies on its order: one that is in none is an error.
fn ascending(
    blobs: impl Stream<Item = Result<BlobInfo, ObjectError>>,
    after: Option<BlobKey>,
) -> impl Stream<Item = Result<BlobInfo, ObjectError>> {
    let mut last = after;
    blobs.map(move |blob| {
        let blob = blob?;
        if last.replace(blob.key) >= Some(blob.key) {
            return Err(ObjectError::Unordered);
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

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn a_list_in_no_order_is_refused() {
        let key = |n| BlobKey::from_bytes([n; 16]);
        let info = |n| BlobInfo { key: key(n), size: 1, stored: Timestamp::default() };
        let listed = async |keys: &[u8], after: Option<u8>| {
            let blobs = stream::iter(keys.to_vec()).map(|n| Ok(info(n)));
            let listed = ascending(blobs, after.map(key));
            listed.map_ok(|blob| blob.key.as_bytes()[0]).try_collect::<Vec<_>>().await.ok()
        };
        assert_eq!(listed(&[1, 2, 5], None).await, Some(vec![1, 2, 5]));
        assert_eq!(listed(&[2, 5], Some(1)).await, Some(vec![2, 5]));
        for (keys, after) in [(&[1, 3, 2][..], None), (&[1, 1], None), (&[2, 3], Some(2))] {
            assert_eq!(listed(keys, after).await, None, "{keys:?} after {after:?}");
        }
    }
}
