//! What is asked, how often and by how many.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    pub(crate) connections: usize,
    /// No request begins after this long.
    pub(crate) seconds: f64,
    /// Requests are asked in turn, and over again, …
    requests: Vec<Request>,
    /// … so many in all.
    count: usize,
    /// The file whose bytes, over and over, are the bodies.
    #[serde(default)]
    block: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Request line and header fields, with the empty line. `{turn}` stands for the request's
    /// number, in eight digits, so that each can name a file of its own.
    pub(crate) head: String,
    /// What stands before the content in the body. `{turn}` is as in the head.
    #[serde(default)]
    pub(crate) prefix: String,
    /// Bytes of content.
    #[serde(default)]
    pub(crate) content: u64,
    /// What stands behind the content in the body.
    #[serde(default)]
    pub(crate) suffix: String,
}

impl Plan {
    /// The block, or why the plan cannot be driven. Load goes to this machine only.
    pub(crate) fn check(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        if !self.address.ip().is_loopback() {
            return Err("load goes to loopback addresses only".into());
        }
        if self.requests.is_empty()
            || self.connections == 0
            || !(0.0..=600.0).contains(&self.seconds)
        {
            return Err("a plan has requests, connections, and 600 seconds at most".into());
        }
        let block = self.block.as_ref().map(fs::read).transpose()?.unwrap_or_default();
        if block.is_empty() && self.requests.iter().any(|request| request.content > 0) {
            return Err("content needs a block".into());
        }
        Ok(block)
    }

    pub(crate) fn request(&self, turn: usize) -> Option<&Request> {
        let position = turn.checked_rem(self.requests.len())?;
        self.requests.get(position).filter(|_| turn < self.count)
    }
}

/// Stands for a request's number. Whoever announces a length counts eight digits.
const TURN: &str = "{turn}";

impl Request {
    /// What is sent before the content.
    pub(crate) fn start(&self, turn: usize) -> Vec<u8> {
        let start = [self.head.as_str(), self.prefix.as_str()].concat();
        if start.contains(TURN) {
            return start.replace(TURN, &format!("{turn:08}")).into();
        }
        start.into()
    }

    /// Bytes of its body.
    pub(crate) fn size(&self) -> u64 {
        (self.prefix.len() + self.suffix.len()) as u64 + self.content
    }
}
