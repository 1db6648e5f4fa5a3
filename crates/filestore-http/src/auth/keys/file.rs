//! A key set in a file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use filestore::{Error, Result};

use super::{KeySet, KeySource, MAX_DOCUMENT};

/// A JWK set in a file, put there and replaced by somebody else.
#[derive(Debug)]
pub(in super::super) struct JwksFile(PathBuf);

impl JwksFile {
    pub(in super::super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Reads it on this thread, for the check at start.
    pub(in super::super) fn read(&self) -> Result<KeySet> {
        let bytes = read_limited(&self.0)
            .map_err(|error| Error::unavailable("the key set cannot be read").with_source(error))?;
        KeySet::parse(&bytes)
    }
}

#[async_trait]
impl KeySource for JwksFile {
    async fn load(&self) -> Result<KeySet> {
        let file = Self(self.0.clone());
        tokio::task::spawn_blocking(move || file.read())
            .await
            .map_err(|error| Error::internal("reading the key set broke off").with_source(error))?
    }
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_DOCUMENT {
        return Err(io::Error::other("larger than 256 KiB"));
    }
    Ok(bytes)
}
