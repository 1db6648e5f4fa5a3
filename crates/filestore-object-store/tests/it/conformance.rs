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

/// A service that runs already. `FILESTORE_BUCKET` is its URL; the service's settings are variables
/// as well. `.ci/run objects` starts some.
#[cfg(any(feature = "aws", feature = "azure", feature = "gcp"))]
mod service {
    use super::*;

    /// Each store is in a folder of its own.
    fn bucket(part_size: usize) -> Fixture<ObjectBlobs> {
        let url = std::env::var("FILESTORE_BUCKET").expect("FILESTORE_BUCKET");
        let url = format!("{url}/{}", filestore::BlobKey::mint().unwrap());
        let mut options = ObjectOptions::default();
        options.part_size = part_size;
        ObjectBlobs::connect(&url, std::env::vars(), options).unwrap().into()
    }

    mod whole {
        filestore::blob_store_conformance!(
            #[ignore = "needs FILESTORE_BUCKET"]
            || super::bucket(8 << 20)
        );
    }

    /// Services that take small parts: Azure does, S3 does not, though SeaweedFS is not strict.
    mod in_parts {
        filestore::blob_store_conformance!(
            #[ignore = "needs FILESTORE_BUCKET"]
            || super::bucket(256 << 10)
        );
    }
}
