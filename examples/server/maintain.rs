//! `server sweep` and `server fsck`; both may run beside the server.

use filestore::{BlobKey, ContentId, Fsck, FsckReport, Orphans, Sweep};

use super::args::FsckOptions;
use super::config::Config;
use super::{Failure, data};

/// Cleans up once.
pub(crate) async fn sweep(config: &Config) -> Result<(), Failure> {
    let report = data::open_existing(config).await?.sweep(&Sweep::default()).await?;
    println!("blobs deleted        {}", report.blobs_deleted);
    println!("sessions expired     {}", report.sessions_expired);
    println!("completions resumed  {}", report.sessions_resumed);
    println!("sessions forgotten   {}", report.sessions_forgotten);
    println!("contents merged      {}", report.merged);
    Ok(())
}

/// Checks blobs against metadata.
pub(crate) async fn fsck(config: &Config, options: &FsckOptions) -> Result<(), Failure> {
    let mut fsck = Fsck::default();
    fsck.read_data = options.read_data || options.quarantine;
    fsck.quarantine = options.quarantine;
    if options.collect_orphans {
        fsck.orphans = Orphans::Collect;
    }
    let report = data::open_existing(config).await?.fsck(&fsck).await?;
    show(&report);
    if report.is_clean() { Ok(()) } else { Err(Failure::Findings) }
}

fn show(report: &FsckReport) {
    let FsckReport { missing, wrong_size, orphans, damaged, unreadable, .. } = report;
    println!("blobs          {}", report.blobs);
    println!("contents read  {}", report.contents_read);
    let blobs = |what, keys: &[BlobKey]| keys.iter().for_each(|key| println!("{what} blob {key}"));
    blobs("missing", missing);
    blobs("wrong size of", wrong_size);
    blobs("orphaned", orphans);
    damaged.iter().for_each(|id: &ContentId| println!("damaged content {id}"));
    unreadable.iter().for_each(|id: &ContentId| println!("unreadable content {id}"));
    println!("{}", if report.is_clean() { "all is well" } else { "something is wrong" });
}
