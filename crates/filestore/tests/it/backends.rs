//! Every backend of this crate joins the suite.

mod memory {
    use std::sync::Arc;

    use filestore::conformance::Fixture;
    use filestore::{ManualClock, MemoryBlobs, MemoryRepository, Timestamp};

    fn blobs() -> Fixture<MemoryBlobs> {
        MemoryBlobs::new().into()
    }

    fn repository() -> Fixture<MemoryRepository> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
        Fixture::new(MemoryRepository::with_clock(clock.clone())).with_clock(clock)
    }

    filestore::blob_store_conformance!(blobs);
    filestore::repository_conformance!(repository);
}

/// A repository may take nothing inline.
mod memory_without_inline {
    use std::sync::Arc;

    use filestore::conformance::Fixture;
    use filestore::{ManualClock, MemoryRepository, Timestamp};

    fn repository() -> Fixture<MemoryRepository> {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_790_000_000_000)));
        let repository = MemoryRepository::with_clock(clock.clone()).with_inline_limit(0);
        Fixture::new(repository).with_clock(clock)
    }

    filestore::repository_conformance!(repository);
}

mod fs {
    use filestore::conformance::Fixture;
    use filestore::{Durability, FsBlobs};

    fn open(durability: Durability) -> Fixture<FsBlobs> {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FsBlobs::open(folder.path(), durability).unwrap();
        Fixture::new(blobs).with_guard(folder)
    }

    mod full {
        filestore::blob_store_conformance!(|| super::open(super::Durability::Full));
    }

    mod relaxed {
        filestore::blob_store_conformance!(|| super::open(super::Durability::Relaxed));
    }
}
