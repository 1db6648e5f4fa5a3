//! What the store takes, at most.

use std::time::Duration;

/// Bounds on what one caller can make the store do. They hold under every API alike.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a file that is uploaded in one piece, and of one part of a session.
    pub max_file: u64,
    /// Bytes of a file that is uploaded in parts.
    pub max_session: u64,
    /// Parts of a session.
    pub max_segments: u32,
    /// Bytes of all text in one file's attributes.
    pub max_attributes: usize,
    /// Bytes of one record of another system.
    pub max_record: usize,
    /// Longest life of an upload session.
    pub max_lifetime: Duration,
    /// How long deleted bytes stay, so that downloads that run can end.
    pub keep_deleted: Duration,
    /// How long a session that ended stays readable, at least.
    pub keep_sessions: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file: 5 << 30,
            max_session: 1 << 40,
            max_segments: 10_000,
            max_attributes: 64 << 10,
            max_record: 64 << 10,
            max_lifetime: Duration::from_secs(7 * 86_400),
            keep_deleted: Duration::from_secs(3_600),
            keep_sessions: Duration::from_secs(7 * 86_400),
        }
    }
}
