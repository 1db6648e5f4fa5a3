//! A store that is being made when the power is cut, or a call fails.

use filestore::backend::BlobStore;
use filestore::simulation::{Choices, Fault, Faults, SimDisk};
use filestore::{BlobKey, Durability};

use super::bench::run;

#[test]
fn a_store_that_was_being_made_when_the_power_was_cut_is_made_again() {
    run(async {
        for n in (1..).step_by(13) {
            for seed in 0..3 {
                let (disk, faults) = (SimDisk::new(), Faults::default());
                faults.strike(n, Fault::PowerCut);
                let made = disk.open(Durability::Full, &faults);
                let mut choices = match seed {
                    0 => Choices::default(),
                    seed => Choices::seeded(seed),
                };
                let disk = disk.after_power_failure(&mut choices);
                assert_works(&disk).await;
                if made.is_ok() {
                    return;
                }
            }
        }
    });
}

#[test]
fn a_store_that_could_not_be_made_is_made_the_next_time() {
    run(async {
        for fault in [Fault::Io, Fault::NoSpace, Fault::Interrupted] {
            for n in (1..).step_by(7) {
                let (disk, faults) = (SimDisk::new(), Faults::default());
                faults.strike(n, fault);
                let made = disk.open(Durability::Full, &faults);
                assert_eq!(faults.violations(), [""; 0]);
                assert!(made.is_ok() || fault != Fault::Interrupted);
                drop(made);
                assert_works(&disk).await;
                if faults.struck().is_none() {
                    break;
                }
            }
        }
    });
}

async fn assert_works(disk: &SimDisk) {
    let blobs = disk.open(Durability::Full, &Faults::default()).unwrap();
    let key = BlobKey::mint().unwrap();
    blobs.put(key, "kept".into()).await.unwrap();
    let disk = disk.after_power_failure(&mut Choices::default());
    let blobs = disk.open(Durability::Full, &Faults::default()).unwrap();
    let kept = blobs.get(key, 0..4).await.unwrap().collect().await.unwrap();
    assert_eq!(kept, "kept");
    assert_eq!(disk.files().len(), 1, "{:?}", disk.files());
}
