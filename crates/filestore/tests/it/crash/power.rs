//! The power is cut at each call, of the disk and of the metadata, and whatever was not synced is
//! lost, in every combination. What was committed to the metadata survives.

use filestore::simulation::{Choices, Fault, SimDisk};

use super::bench::Bench;

/// Up to this many states of a disk are all looked at, of more as many by chance.
const STATES: usize = 8;

mod with_nameless_files {
    crate::crash::stories::stories!(super::cut_everywhere);
}

mod with_named_files {
    crate::crash::stories::stories!(super::cut_everywhere_with_named_files);
}

async fn cut_everywhere(story: impl AsyncFn(&Bench)) {
    cut_at_each_call(&story, &SimDisk::new()).await;
}

async fn cut_everywhere_with_named_files(story: impl AsyncFn(&Bench)) {
    cut_at_each_call(&story, &SimDisk::new().without_nameless_files()).await;
}

async fn cut_at_each_call(story: &impl AsyncFn(&Bench), disk: &SimDisk) {
    let mut states = 0;
    for n in 1.. {
        let mut choices = Choices::default();
        let mut struck = None;
        for turn in 1.. {
            let bench = Bench::over_memory(disk.copy()).await;
            bench.faults.strike(n, Fault::PowerCut);
            bench.tell(story).await;
            struck = bench.faults.struck();
            let left = bench.disk.after_power_failure(&mut choices);
            bench.reopened(left).await.assert_recovers().await;
            states += 1;
            if turn >= 2 * STATES || (turn < STATES && !choices.advance()) {
                break;
            }
            if turn >= STATES {
                choices = Choices::seeded(n ^ turn as u64);
            }
        }
        // This time it was cut after the end.
        if struck.is_none() {
            assert!(n > 10, "the story has calls");
            println!("{} cuts, {states} states", n - 1);
            return;
        }
    }
}
