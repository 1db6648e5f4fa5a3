//! Clients made from a URL and settings.

use std::sync::Arc;
use std::time::Duration;

use filestore::{Error, Result};
use object_store::signer::{Signer, Url};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};

use crate::blobs::{ObjectBlobs, ObjectOptions};

/// A connection that is not made within this time is not made.
const CONNECTING: Duration = Duration::from_secs(5);
/// A request, its bytes included, is answered within this time, and the bytes of an answer never
/// pause for longer.
const READING: Duration = Duration::from_secs(30);
/// A request that fails in a way that may pass is repeated for this long, …
const RETRYING: Duration = Duration::from_secs(30);
/// … with pauses that become longer and longer. Each is drawn between the first of them and `base`
/// times the one before; with the client's own base of 2 they become no longer on the average.
const PAUSES: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(100),
    max_backoff: Duration::from_secs(5),
    base: 4.0,
};

impl ObjectBlobs {
    /// Blobs where `url` says: `s3://bucket/prefix`, `gs://bucket/prefix`, or
    /// `az://container/prefix`, each with the feature of its service.
    ///
    /// `settings` are those of [`object_store`], by its names for them, in any case, that begin with
    /// the service's: credentials, regions, endpoints, deadlines, proxies (`aws_access_key_id`,
    /// `aws_endpoint` or `aws_endpoint_url`, `azure_timeout`, `google_service_account`, …). They are
    /// also the names of environment variables, so that `std::env::vars()` will do; everything else
    /// is passed over, and nothing else looked at.
    ///
    /// Unless `settings` say otherwise, requests have deadlines and are repeated for half a minute,
    /// and S3 verifies the SHA-256 of what it is sent, which signing the request needs anyway.
    /// Nothing is asked of the service yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) for what is no such URL, a service
    /// whose feature is not there, or settings that are missing or mean nothing.
    pub fn connect(
        url: &str,
        settings: impl IntoIterator<Item = (String, String)>,
        options: ObjectOptions,
    ) -> Result<Self> {
        let url: Url = url.parse().map_err(invalid)?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&url).map_err(invalid)?;
        let (store, signer) = client(&scheme, &url, settings)?;
        let blobs = Self::new(store, prefix.as_ref(), options)?;
        Ok(Self { signer: Some(signer), ..blobs })
    }
}

/// Makes the client of one service: its own defaults, then ours, then the settings.
macro_rules! client {
    ($builder:expr, $prefix:literal, $url:expr, $settings:expr) => {{
        let begun =
            $builder.with_url($url.as_str()).with_client_options(deadlines()).with_retry(retries());
        let built = $settings
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            // There are short names, too: a variable `TOKEN` is anybody's.
            .filter(|(name, _)| name.starts_with($prefix))
            .fold(begun, |builder, (name, value)| match name.parse() {
                Ok(key) => builder.with_config(key, value),
                Err(_) => builder,
            })
            .build();
        let client = Arc::new(built.map_err(invalid)?);
        Ok((Arc::clone(&client) as Arc<dyn ObjectStore>, client as Arc<dyn Signer>))
    }};
}

fn client(
    scheme: &ObjectStoreScheme,
    url: &Url,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, Arc<dyn Signer>)> {
    match scheme {
        #[cfg(feature = "aws")]
        ObjectStoreScheme::AmazonS3 => {
            use object_store::aws::{AmazonS3Builder, Checksum};
            let builder = AmazonS3Builder::new()
                .with_checksum_algorithm(Checksum::SHA256)
                .with_disable_bulk_delete(true);
            client!(builder, "aws_", url, settings)
        }
        #[cfg(feature = "azure")]
        ObjectStoreScheme::MicrosoftAzure => {
            let builder = object_store::azure::MicrosoftAzureBuilder::new();
            client!(builder, "azure_", url, settings)
        }
        #[cfg(feature = "gcp")]
        ObjectStoreScheme::GoogleCloudStorage => {
            let builder = object_store::gcp::GoogleCloudStorageBuilder::new();
            client!(builder, "google_", url, settings)
        }
        _ => Err(Error::invalid(format!("blobs cannot be kept at {}://", url.scheme()))),
    }
}

/// Without a deadline for a whole answer, which the client has by default: a large one that is read
/// slowly is no failure.
fn deadlines() -> ClientOptions {
    ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECTING)
        .with_read_timeout(READING)
}

fn retries() -> RetryConfig {
    // Time is the limit: a service that refuses at once is asked as long as one that takes its time.
    RetryConfig { backoff: PAUSES, max_retries: usize::MAX, retry_timeout: RETRYING }
}

fn invalid(error: impl Into<filestore::BoxError>) -> Error {
    let error = error.into();
    Error::invalid(format!("no connection to an object store: {error}")).with_source(error)
}
