//! URLs that the service itself answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::SignBlobs;
use filestore::{BlobKey, Error, Result};
use object_store::path::Path;
use object_store::signer::{Method, Signer};

use crate::blobs::{blob_path, parse_prefix};
use crate::error::ObjectError;

/// Signs URLs of the blobs of an [`ObjectBlobs`](crate::ObjectBlobs). Objects have no type of their
/// own, so that services answer with one that browsers store and do not show.
pub struct ObjectSigner {
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) prefix: Path,
}

impl ObjectSigner {
    /// The longest life of a URL, a limit of S3 and Google.
    pub const MAX_LIFETIME: Duration = Duration::from_secs(7 * 86_400);

    /// Signs for the blobs below `prefix`, with a client that was made elsewhere.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for a prefix that is no path.
    pub fn new(signer: Arc<dyn Signer>, prefix: &str) -> Result<Self> {
        Ok(Self { signer, prefix: parse_prefix(prefix)? })
    }
}

#[async_trait]
impl SignBlobs for ObjectSigner {
    async fn sign(&self, key: BlobKey, lifetime: Duration) -> Result<String> {
        if lifetime.as_secs() == 0 || lifetime > Self::MAX_LIFETIME {
            return Err(Error::invalid("a URL lives from a second to 7 days"));
        }
        let path = blob_path(&self.prefix, key);
        let signed = self.signer.signed_url(Method::GET, &path, lifetime).await;
        Ok(signed.map_err(ObjectError::from)?.into())
    }
}

impl fmt::Debug for ObjectSigner {
    /// What the client prints of itself may hold its credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectSigner")
            .field("prefix", &self.prefix.as_ref())
            .finish_non_exhaustive()
    }
}
