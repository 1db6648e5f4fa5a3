//! What every dialect may ask of the server it runs in.

use filestore::{FileStore, Files, SetField, Term};
use http::request::Parts;

use crate::auth::Principal;
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
    /// The terms of a file that say which categories its readers need, where that is enforced.
    pub(crate) categories: Option<String>,
    /// The names of the dialects that may send their clients to the blob store.
    pub(crate) redirecting: Vec<String>,
}

impl Host {
    pub(crate) fn new(store: FileStore, presigner: Presigner) -> Self {
        Self {
            store,
            presigner,
            inline: InlinePolicy::default(),
            origins: Origins::default(),
            categories: None,
            redirecting: Vec::new(),
        }
    }

    /// The files that a caller may know of.
    pub(crate) fn files(&self, caller: &Principal) -> Files {
        let files = self.store.files(&caller.tenant, &caller.subject);
        let Some(categories) = &self.categories else { return files };
        let own = caller.security_categories.iter().copied().map(Term::Int).collect();
        files.limited(SetField::Terms(categories.clone()), own)
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
