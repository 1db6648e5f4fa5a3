//! What was measured.

use std::fmt;
use std::time::{Duration, Instant};

use crate::connection::Answer;

/// Counts of one connection, or of all.
#[derive(Default)]
pub(crate) struct Tally {
    latencies: Vec<u32>,
    /// When the last answer ended, and what it took.
    last: Option<(Instant, u32)>,
    sent: u64,
    received: u64,
    /// Statuses that are not a success.
    bad: Vec<u16>,
}

impl Tally {
    pub(crate) fn count(&mut self, sent: u64, answer: &Answer, began: Instant) {
        let ended = Instant::now();
        let took = u32::try_from((ended - began).as_micros()).unwrap_or(u32::MAX);
        self.latencies.push(took);
        self.last = self.last.max(Some((ended, took)));
        self.sent += sent;
        self.received += answer.received;
        if !(200..300).contains(&answer.status) {
            self.bad.push(answer.status);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.last = self.last.max(other.last);
        self.sent += other.sent;
        self.received += other.received;
        self.bad.extend(other.bad);
    }
}

/// All of a run, printed as JSON.
pub(crate) struct Report {
    tally: Tally,
    took: Duration,
}

impl Report {
    pub(crate) fn new(mut tally: Tally, took: Duration) -> Self {
        tally.latencies.sort_unstable();
        Self { tally, took }
    }

    /// The latency in µs that this share of the requests does not exceed.
    fn quantile(&self, share: f64) -> u32 {
        let last = self.tally.latencies.len().saturating_sub(1);
        let position = (last as f64 * share).round() as usize;
        self.tally.latencies.get(position).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let figures = serde_json::json!({
            "requests": self.tally.latencies.len(),
            "bad": self.tally.bad,
            "seconds": self.took.as_secs_f64(),
            "sent": self.tally.sent,
            "received": self.tally.received,
            "p50_us": self.quantile(0.5),
            "p99_us": self.quantile(0.99),
            "max_us": self.quantile(1.0),
            "last_us": self.tally.last.map(|(_, took)| took),
        });
        write!(f, "{figures}")
    }
}
