//! One call of the disk fails, each in its turn. The operation fails cleanly or succeeds, and the
//! store goes on, is opened again, or the power is cut as well.

use filestore::ErrorKind;
use filestore::simulation::{Choices, Fault, SimDisk, Struck};

use super::bench::Bench;

mod with_nameless_files {
    crate::crash::stories::stories!(super::fail_everywhere);
}

mod with_named_files {
    crate::crash::stories::stories!(super::fail_everywhere_with_named_files);
}

mod with_sqlite {
    crate::crash::stories::stories! {
        super::fail_everywhere_with_sqlite:
        files_are_made content_is_replaced parts_come_in_any_order
    }
}

async fn fail_everywhere(story: impl AsyncFn(&Bench)) {
    let disk = SimDisk::new();
    for fault in FAULTS {
        for after in [After::Nothing, After::Chance] {
            fail_at_each_call(&story, fault, after, || Bench::over_memory(disk.copy())).await;
        }
    }
}

async fn fail_everywhere_with_named_files(story: impl AsyncFn(&Bench)) {
    let disk = SimDisk::new().without_nameless_files();
    for fault in FAULTS {
        for after in [After::Nothing, After::PowerFailure] {
            fail_at_each_call(&story, fault, after, || Bench::over_memory(disk.copy())).await;
        }
    }
}

async fn fail_everywhere_with_sqlite(story: impl AsyncFn(&Bench)) {
    let disk = SimDisk::new();
    let bench = || Bench::over_sqlite(disk.copy());
    fail_at_each_call(&story, Fault::Io, After::PowerFailure, bench).await;
}

const FAULTS: [Fault; 5] =
    [Fault::Io, Fault::NoSpace, Fault::NoQuota, Fault::Interrupted, Fault::ShortWrite];

/// What happens before the store is opened again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum After {
    Nothing,
    /// All is lost that can be lost.
    PowerFailure,
    Chance,
}

async fn fail_at_each_call(
    story: &impl AsyncFn(&Bench),
    fault: Fault,
    after: After,
    bench: impl AsyncFn() -> Bench,
) {
    for n in 1.. {
        let bench = bench().await;
        bench.faults.strike(n, fault);
        bench.tell(story).await;
        let struck = bench.faults.struck();
        bench.faults.cease();
        assert_errors(&bench, fault, struck);
        assert_eq!(bench.faults.violations(), [""; 0]);
        let is_ready = bench.ready().await.is_ok();
        assert_eq!(is_ready, !stops(fault, struck), "{fault:?} at {struck:?}");
        // Reading goes on, whatever was struck.
        bench.assert_as_told().await;
        let left = match after {
            After::Nothing => bench.disk.copy(),
            After::PowerFailure => bench.disk.after_power_failure(&mut Choices::default()),
            After::Chance => bench.disk.after_power_failure(&mut Choices::seeded(n)),
        };
        // A file that could not be removed goes when it is a day old.
        let stays = struck.is_some_and(|it| it.call == "unlink") && after == After::Nothing;
        if !stays {
            bench.reopened(left).await.assert_recovers().await;
        }
        if struck.is_none() {
            assert!(n > 1, "the story has calls");
            println!("{fault:?}, {after:?}: {} calls", n - 1);
            return;
        }
    }
}

/// After a sync that failed nothing is stored any more; but a file that has no room is only lost.
fn stops(fault: Fault, struck: Option<Struck>) -> bool {
    match struck.map(|struck| struck.call) {
        Some("sync_folder") => fault != Fault::Interrupted,
        Some("sync") => fault == Fault::Io,
        _ => false,
    }
}

fn assert_errors(bench: &Bench, fault: Fault, struck: Option<Struck>) {
    let errors = bench.errors.lock().unwrap();
    for error in errors.iter() {
        let fits = match error.kind() {
            ErrorKind::Unavailable => fault == Fault::Io || stops(fault, struck),
            ErrorKind::StorageFull => matches!(fault, Fault::NoSpace | Fault::NoQuota),
            // What was to be changed was not made.
            ErrorKind::NotFound => struck.is_some() && errors.len() > 1,
            _ => false,
        };
        assert!(fits, "{error:?} for {fault:?} at {struck:?}");
    }
}
