//! URLs that the service itself answers.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use filestore::backend::{SignBlobs, SignedGet};
use filestore::{BlobKey, Error, Result};
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer};

use crate::blobs::{blob_path, parse_prefix};
use crate::error::ObjectError;

/// Signs URLs of the blobs of an [`ObjectBlobs`](crate::ObjectBlobs). Objects have no type of their
/// own, so that services answer with one that browsers store and do not show, unless the URL says
/// otherwise. Those of S3 and Google can; with Azure's client no such URL can be made, and there is
/// none.
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
    async fn sign(&self, key: BlobKey, get: &SignedGet) -> Result<Option<String>> {
        let SignedGet { lifetime, content_type, content_disposition } = get;
        if lifetime.as_secs() == 0 || *lifetime > Self::MAX_LIFETIME {
            return Err(Error::invalid("a URL lives from a second to 7 days"));
        }
        // S3 and Google have the same names for these.
        let said = [
            ("response-content-type", content_type),
            ("response-content-disposition", content_disposition),
        ];
        let said = said.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        let options = SignedUrlOptions::new().with_query(said);
        let path = blob_path(&self.prefix, key);
        match self.signer.signed_url_opts(Method::GET, &path, *lifetime, &options).await {
            Ok(url) => Ok(Some(url.into())),
            Err(object_store::Error::NotSupported { .. }) => Ok(None),
            Err(error) => Err(ObjectError::from(error).into()),
        }
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
