//! By how much work grew.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

/// The times of works at several scales.
#[derive(Debug, Default)]
pub struct Table(RefCell<BTreeMap<String, BTreeMap<u64, Vec<Duration>>>>);

impl Table {
    /// Notes that `times` repetitions took so long, at this scale.
    pub fn note(&self, work: &str, scale: u64, spent: Duration, times: u64) {
        let mut works = self.0.borrow_mut();
        let samples = works.entry(work.to_owned()).or_default().entry(scale).or_default();
        samples.push(Duration::from_secs_f64(spent.as_secs_f64() / times as f64));
    }

    /// Prints each work's medians, and from one scale to the next how many times as long it took,
    /// for every tenfold of the scale.
    pub fn print(&self) {
        for (work, scales) in self.0.borrow().iter() {
            let mut line = format!("growth: {work}:");
            let mut before = None;
            for (scale, samples) in scales {
                let spent = median(samples);
                if let Some((scale_before, spent_before)) = before {
                    let ratio = spent.as_secs_f64() / Duration::as_secs_f64(&spent_before);
                    let tenfolds = (*scale as f64 / scale_before as f64).log10();
                    line += &format!(" (× {:.2} per tenfold)", ratio.powf(1.0 / tenfolds));
                }
                line += &format!(" {scale}: {spent:.2?}");
                before = Some((*scale, spent));
            }
            eprintln!("{line}");
        }
    }
}

fn median(samples: &[Duration]) -> Duration {
    let mut samples = samples.to_vec();
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
