//! `server migrate`: copies a store into another, over other backends.

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use filestore::{FileId, Migrate, MigrateProgress, MigrateReport, Tenant};
use tokio::time::{Instant, interval};

use super::args::MigrateOptions;
use super::backends::{Blobs, Metadata, with_causes};
use super::config::Config;
use super::{Failure, data};

/// How often the progress is shown to somebody who looks, and to a log.
const LOOKED_AT: Duration = Duration::from_millis(200);
const LOGGED: Duration = Duration::from_secs(10);
/// Characters of the bar.
const WIDTH: u64 = 30;

/// Copies it, or what is missing of it.
pub(crate) async fn run(config: &Config, options: &MigrateOptions) -> Result<(), Failure> {
    let MigrateOptions { from_metadata, from_blobs, to_metadata, to_blobs } = options;
    let from_metadata: Metadata =
        from_metadata.as_ref().map_or_else(|| Ok(config.metadata.clone()), |url| url.parse())?;
    let from_blobs: Blobs =
        from_blobs.as_ref().map_or_else(|| Ok(config.blobs.clone()), |url| url.parse())?;
    let (to_metadata, to_blobs): (Metadata, Blobs) = (to_metadata.parse()?, to_blobs.parse()?);

    let folders =
        [from_metadata.folder(), from_blobs.folder(), to_metadata.folder(), to_blobs.folder()];
    // Else the lock would make it.
    for folder in [from_metadata.folder(), from_blobs.folder()].into_iter().flatten() {
        if !folder.exists() {
            return Err(format!("there is no store in {}", folder.display()).into());
        }
    }
    let _locks = data::lock(folders.into_iter().flatten())?;
    let source = data::open_at(config, &from_metadata, &from_blobs, false).await?;
    let target = data::open_at(config, &to_metadata, &to_blobs, true).await?;

    let progress = MigrateProgress::default();
    let (options, started) = (Migrate::default(), Instant::now());
    let report = tokio::select! {
        report = source.migrate_to(&target, &options, &progress) => report,
        () = keep_showing(&progress, started) => return Ok(()),
    };
    if report.is_ok() {
        show(&progress, started);
    }
    if stderr().is_terminal() {
        eprintln!();
    }
    let report = report.map_err(|error| with_causes(&error))?;
    tell(&report);
    if report.is_whole() { Ok(()) } else { Err(Failure::Findings) }
}

async fn keep_showing(progress: &MigrateProgress, started: Instant) {
    let mut ticks = interval(if stderr().is_terminal() { LOOKED_AT } else { LOGGED });
    ticks.tick().await;
    loop {
        ticks.tick().await;
        show(progress, started);
    }
}

/// One line, which the next one replaces on a terminal.
fn show(progress: &MigrateProgress, started: Instant) {
    let (files, total, bytes) = (progress.files(), progress.total(), progress.bytes());
    let mib = bytes >> 20;
    let rate = mib as f64 / started.elapsed().as_secs_f64().max(0.001);
    let line = format!("{files} of {total} files, {mib} MiB, {rate:.0} MiB/s");
    let mut out = stderr();
    // That nobody can read it is no reason to stop.
    let _ = if out.is_terminal() {
        let done = (files * WIDTH).checked_div(total).unwrap_or(0).min(WIDTH) as usize;
        let bar = format!("{}{}", "#".repeat(done), " ".repeat(WIDTH as usize - done));
        write!(out, "\r[{bar}] {line}\x1b[K").and_then(|()| out.flush())
    } else {
        writeln!(out, "{line}")
    };
}

fn tell(report: &MigrateReport) {
    println!("files copied        {}", report.copied);
    println!("files found there   {}", report.found);
    println!("bytes copied        {}", report.bytes);
    println!("upload sessions     {}", report.sessions);
    println!("sessions dropped    {}", report.dropped);
    println!("records             {}", report.records);
    let name = |what, all: &[(Tenant, FileId)]| {
        all.iter().for_each(|(tenant, id)| println!("{what} {id} of tenant {tenant}"));
    };
    name("damaged, and not copied:", &report.damaged);
    name("different there, and left so:", &report.different);
    if report.surplus > 0 {
        println!("{} files are there and not here", report.surplus);
    }
    println!("{}", if report.is_whole() { "all is there" } else { "something is not the same" });
}
