//! Joins the suite that every backend must pass.

use std::sync::Arc;

use filestore::conformance::Fixture;
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use object_store::memory::InMemory;

mod in_memory {
    use super::*;

    fn blobs() -> Fixture<ObjectBlobs> {
        ObjectBlobs::new(Arc::new(InMemory::new()), "", ObjectOptions::default()).unwrap().into()
    }

    filestore::blob_store_conformance!(blobs);
}

/// Nearly everything that the suite stores is longer than a part here.
mod in_parts {
    use super::*;

    fn blobs() -> Fixture<ObjectBlobs> {
        let mut options = ObjectOptions::default();
        options.part_size = 64 << 10;
        ObjectBlobs::new(Arc::new(InMemory::new()), "pre/fix", options).unwrap().into()
    }

    filestore::blob_store_conformance!(blobs);
}

#[cfg(feature = "aws")]
mod s3 {
    use super::*;
    use crate::s3::S3;

    fn blobs() -> Fixture<ObjectBlobs> {
        let server = S3::start();
        let options = ObjectOptions::default();
        let blobs = ObjectBlobs::connect("s3://bucket/blobs", server.settings(), options).unwrap();
        Fixture::new(blobs).with_guard(server)
    }

    filestore::blob_store_conformance!(blobs);
}

/// A service that runs already. `FILESTORE_BUCKET` is its URL; its settings are variables as well.
/// `.ci/run objects` starts some.
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod service {
    use std::ops::Range;

    use filestore::backend::BlobStore;
    use filestore::{BlobKey, ByteStream, Error, ErrorKind};
    use futures::stream::{self, TryStreamExt};

    use super::*;
    use crate::noise;

    /// Each store has a folder of its own in the bucket.
    fn open() -> ObjectBlobs {
        let url = std::env::var("FILESTORE_BUCKET").expect("FILESTORE_BUCKET");
        let url = format!("{url}/{}", BlobKey::mint().unwrap());
        let mut options = ObjectOptions::default();
        if let Ok(part_size) = std::env::var("FILESTORE_PART_SIZE") {
            options.part_size = part_size.parse().unwrap();
        }
        ObjectBlobs::connect(&url, std::env::vars(), options).unwrap()
    }

    filestore::blob_store_conformance!(
        #[ignore = "needs FILESTORE_BUCKET"]
        || open().into()
    );

    #[cfg(feature = "aws")]
    #[tokio::test]
    #[ignore = "needs FILESTORE_BUCKET"]
    async fn a_url_reads_one_blob_and_does_nothing_else() {
        crate::signing::assert_signed(&open()).await;
    }

    #[cfg(feature = "aws")]
    #[tokio::test]
    #[ignore = "needs FILESTORE_BUCKET"]
    async fn a_url_says_what_its_bytes_are() {
        crate::signing::assert_said(&open(), true).await;
    }

    /// The suite has nothing that is longer than a part of S3.
    #[tokio::test]
    #[ignore = "needs FILESTORE_BUCKET"]
    async fn a_long_blob_is_sent_in_parts() {
        let blobs = open();
        let (key, dropped) = (BlobKey::mint().unwrap(), BlobKey::mint().unwrap());
        let bytes = noise((20 << 20) + 1);
        let size = bytes.len() as u64;
        let frames = bytes.chunks(100_003).map(|it| Ok(bytes.slice_ref(it))).collect::<Vec<_>>();
        let stored = blobs.put(key, ByteStream::from_results(stream::iter(frames))).await.unwrap();
        assert_eq!(stored, size);
        let broken = [Ok(bytes.clone()), Err(Error::interrupted("broken off"))];
        let broken = ByteStream::from_results(stream::iter(broken));
        assert_eq!(blobs.put(dropped, broken).await.unwrap_err().kind(), ErrorKind::Interrupted);

        let read = async |range: Range<u64>| {
            let content = blobs.get(key, range).await.unwrap();
            content.collect().await.unwrap()
        };
        assert!(read(0..size).await == bytes);
        assert!(read((8 << 20) - 5..(16 << 20) + 5).await == bytes[(8 << 20) - 5..(16 << 20) + 5]);
        let listed: Vec<_> = blobs.list(None).try_collect().await.unwrap();
        assert_eq!(listed.iter().map(|it| (it.key, it.size)).collect::<Vec<_>>(), [(key, size)]);
        blobs.delete(key).await.unwrap();
    }
}
