//! Disks that fail and lose power when they are told to, for tests (feature `simulation`).
//!
//! [`FsBlobs`] runs on them with the code it runs on a real disk with.
//!
//! - [`SimDisk`] is in memory and knows what of it is durable. What a power failure leaves of it is
//!   up to [`Choices`]: each name that was not synced may be there or not, whatever else is, and so
//!   may each block of each file.
//! - [`Faults`] come between the store and a disk, real or simulated, and let one call fail.
//!
//! ```
//! use filestore::simulation::{Choices, Fault, Faults, SimDisk};
//! use filestore::{BlobKey, Durability, backend::BlobStore};
//!
//! # async fn run() -> filestore::Result<()> {
//! let (disk, faults) = (SimDisk::new(), Faults::default());
//! let blobs = disk.open(Durability::Full, &faults)?;
//! faults.strike(3, Fault::PowerCut);
//! assert!(blobs.put(BlobKey::mint()?, "made, written, and not synced any more".into()).await.is_err());
//!
//! let disk = disk.after_power_failure(&mut Choices::default());
//! disk.open(Durability::Full, &Faults::default())?;
//! assert!(disk.files().is_empty());
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
//! ```
//!
//! It is as little covered by promises of compatibility as any test.

// Test code that happens to be compiled as a library.
#![allow(clippy::indexing_slicing)]

mod choices;
mod disk;
mod faults;
mod tree;

use std::path::Path;
use std::sync::Arc;

pub use choices::Choices;
pub use disk::SimDisk;
pub use faults::{Fault, Faults, Struck};

use super::FsBlobs;
use super::disk::local::LocalDisk;
use crate::durability::Durability;
use crate::error::Result;

/// Opens a store in the folder `root` of this machine, with `faults` before its disk.
///
/// # Errors
/// As [`FsBlobs::open`], and what the faults make fail.
pub fn open_local(
    root: impl AsRef<Path>,
    durability: Durability,
    faults: &Faults,
) -> Result<FsBlobs> {
    let disk = faults.before(Arc::new(LocalDisk::default()));
    FsBlobs::open_on(&disk, root.as_ref(), durability)
}
