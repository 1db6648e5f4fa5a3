//! What every dialect may ask of the server it runs in.

use filestore::FileStore;
use http::request::Parts;

use crate::origin::Origins;
use crate::presign::Presigner;
use crate::protocol::media::InlinePolicy;

/// The server that a dialect runs in.
#[derive(Debug)]
pub struct Host {
    /// The files.
    pub store: FileStore,
    /// Signs URLs and checks them.
    pub presigner: Presigner,
    /// What browsers may show in place.
    pub inline: InlinePolicy,
    pub(crate) origins: Origins,
}

impl Host {
    pub(crate) fn new(store: FileStore, presigner: Presigner) -> Self {
        Self { store, presigner, inline: InlinePolicy::default(), origins: Origins::default() }
    }

    /// Scheme and authority that the client of this request reaches the server by.
    pub fn base_url(&self, head: &Parts) -> String {
        self.origins.base_url(head)
    }

    /// Whether a browser sent this on behalf of a page that is not this server's.
    pub(crate) fn is_foreign(&self, head: &Parts) -> bool {
        self.origins.is_foreign(head)
    }
}
