//! The key set of an OpenID Connect issuer ("OpenID Connect Discovery 1.0", section 4).

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use filestore::{BoxError, Error, Result};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use super::{KeySet, KeySource, MAX_DOCUMENT};

/// Longest time for the discovery document and the key set together.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An issuer, asked over the network. Redirects are not followed.
pub(in super::super) struct Issuer {
    name: String,
    discovery: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuer {
    /// `name` is the issuer's URL exactly as its tokens say it in `iss`. Asks nobody yet.
    ///
    /// # Errors
    /// [`InvalidArgument`](filestore::ErrorKind::InvalidArgument) unless it is an `https` URL, or
    /// a loopback one with `http`, without query and fragment; also when the system has no trusted
    /// certificates to know an `https` issuer by.
    pub(in super::super) fn new(name: &str) -> Result<Self> {
        if name.contains(['?', '#']) {
            return Err(Error::invalid("an issuer's URL has no query or fragment"));
        }
        let base = name.strip_suffix('/').unwrap_or(name);
        let discovery = trusted_uri(&format!("{base}/.well-known/openid-configuration"))?;
        Ok(Self { name: name.to_owned(), client: client(&discovery)?, discovery })
    }

    async fn fetch_keys(&self) -> Result<KeySet> {
        let document = self.fetch(self.discovery.clone()).await?;
        let found: Discovery = serde_json::from_slice(&document).map_err(|error| {
            Error::unavailable("the discovery document is malformed").with_source(error)
        })?;
        if found.issuer != self.name {
            return Err(Error::unavailable("the discovery document is another issuer's"));
        }
        KeySet::parse(&self.fetch(trusted_uri(&found.jwks_uri)?).await?)
    }

    async fn fetch(&self, uri: Uri) -> Result<Bytes> {
        let unreachable =
            |error: BoxError| Error::unavailable("the issuer cannot be reached").with_source(error);
        let request = Request::get(uri)
            .header(header::ACCEPT, "application/json")
            .body(Empty::new())
            .map_err(|error| unreachable(error.into()))?;
        let response = self.client.request(request).await;
        let response = response.map_err(|error| unreachable(error.into()))?;
        if response.status() != StatusCode::OK {
            return Err(Error::unavailable("the issuer did not answer 200"));
        }
        let body = Limited::new(response.into_body(), MAX_DOCUMENT);
        Ok(body.collect().await.map_err(unreachable)?.to_bytes())
    }
}

#[async_trait]
impl KeySource for Issuer {
    async fn load(&self) -> Result<KeySet> {
        tokio::time::timeout(TIMEOUT, self.fetch_keys())
            .await
            .map_err(|error| Error::unavailable("the issuer is too slow").with_source(error))?
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Issuer").field(&self.name).finish()
    }
}

/// A URL that nobody on the way can answer in the issuer's place.
fn trusted_uri(text: &str) -> Result<Uri> {
    let refused = || Error::invalid("an issuer's URLs are https, or http on a loopback address");
    let uri: Uri = text.parse().map_err(|_| refused())?;
    let authority = uri.authority().ok_or_else(refused)?;
    let trusted = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => is_loopback(authority.host()),
        _ => false,
    };
    if !trusted || authority.as_str().contains('@') {
        return Err(refused());
    }
    Ok(uri)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let address = address.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn client(discovery: &Uri) -> Result<Client<HttpsConnector<HttpConnector>, Empty<Bytes>>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS cannot be set up").with_source(error))?;
    let tls = match tls.clone().with_native_roots() {
        Ok(tls) => tls,
        Err(error) if discovery.scheme_str() == Some("https") => {
            return Err(Error::invalid("the system trusts no certificate").with_source(error));
        }
        Err(_) => tls.with_root_certificates(RootCertStore::empty()),
    };
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls.with_no_client_auth())
        .https_or_http()
        .enable_http1()
        .build();
    // Keys are asked for every few minutes; a connection kept for the next time would be dead.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

#[cfg(test)]
mod tests;
