//! The disk of the metadata fails at a commit: nobody knows what became of it until the database is
//! opened again.

use filestore::simulation::{Choices, SimDisk};

use super::bench::{Bench, run};
use crate::store::rig::{BIG, noise};

/// As after `EIO` at the commit's own sync and `kill -9`: the row is there or not. Where it is, its
/// blob must be.
#[test]
fn the_row_of_a_commit_whose_sync_failed_has_its_blob_after_a_kill() {
    run(async {
        for (place, is_committed) in [("apply", false), ("apply done", true)] {
            let bench = Bench::over_sqlite(SimDisk::new()).await;
            bench.fail_metadata_at(place);
            bench.create("file", &noise(BIG)).await;
            assert!(bench.has_errors(), "nothing was acknowledged");
            // Neither this process nor another may take the blob for garbage.
            bench.sweep().await;
            let left = bench.disk.after_power_failure(&mut Choices::default());
            let bench = bench.reopened_after_a_kill(left).await;
            assert_eq!(bench.found("file").await.unwrap().is_some(), is_committed);
            bench.assert_recovers().await;
        }
    });
}

#[test]
fn the_part_of_a_commit_whose_sync_failed_has_its_blob_after_a_kill() {
    run(async {
        for place in ["put_part", "put_part done", "seal done", "finish", "finish done"] {
            let bench = Bench::over_sqlite(SimDisk::new()).await;
            bench.fail_metadata_at(place);
            bench.upload("file", &[(1, noise(BIG)), (2, noise(BIG + 1))]).await;
            assert!(bench.has_errors(), "not all was acknowledged");
            let left = bench.disk.after_power_failure(&mut Choices::default());
            bench.reopened_after_a_kill(left).await.assert_recovers().await;
        }
    });
}
