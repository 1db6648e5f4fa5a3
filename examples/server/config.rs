//! The configuration, put together from flags, environment, file and defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use filestore::{Durability, Limits};
use filestore_http::auth::ClaimMapping;
use filestore_http::dialects::Entity;
use filestore_http::{Origins, ServeOptions};
use http::HeaderValue;
use ipnet::IpNet;
use serde::Deserialize;

use super::args::Options;
use super::backends::{Blobs, Metadata};

/// Every dialect there is, in the order they are shown.
pub(crate) const DIALECTS: [&str; 5] = ["jea", "cdf", "molgenis", "jmix", "idempiere"];

/// What the server is to do.
#[derive(Debug)]
pub(crate) struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub metadata: Metadata,
    pub blobs: Blobs,
    pub durability: Durability,
    pub dialects: Vec<String>,
    pub redirect_downloads: Vec<String>,
    pub origins: Origins,
    pub cors: Vec<HeaderValue>,
    pub sweep_interval: Duration,
    pub limits: Limits,
    pub reserve: Option<u64>,
    pub serving: ServeOptions,
    pub enforce_security_categories: bool,
    pub verify_reads: bool,
    pub inline_extensions: Option<Vec<String>>,
    pub entities: Vec<Entity>,
    pub tokens: Tokens,
}

/// Whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub secret_file: Option<PathBuf>,
    pub jwks_file: Option<PathBuf>,
    pub issuer: Option<String>,
    pub oidc_issuer: Option<String>,
    pub audience: Option<String>,
    pub claims: Option<ClaimMapping>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    data: Option<PathBuf>,
    metadata: Option<String>,
    blobs: Option<String>,
    public_url: Option<String>,
    dialects: Option<Vec<String>>,
    redirect_downloads: Option<Vec<String>>,
    durability: Option<String>,
    cors_origins: Vec<String>,
    trusted_proxies: Vec<IpNet>,
    sweep_interval: Option<u64>,
    jwt_secret_file: Option<PathBuf>,
    jwks_file: Option<PathBuf>,
    token_issuer: Option<String>,
    oidc_issuer: Option<String>,
    audience: Option<String>,
    enforce_security_categories: bool,
    verify_reads: bool,
    inline_extensions: Option<Vec<String>>,
    limits: FileLimits,
    claims: Option<Claims>,
    entity: Option<Vec<Entity>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLimits {
    max_file: Option<u64>,
    max_session: Option<u64>,
    max_segments: Option<u32>,
    max_connections: Option<usize>,
    keep_deleted: Option<u64>,
    drain_within: Option<u64>,
    reserve: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    tenant: Option<String>,
    scope: Option<String>,
    default_tenant: Option<String>,
    default_scope: Option<String>,
}

impl Config {
    /// Puts it together.
    pub(crate) fn load(options: &Options) -> Result<Self, String> {
        let file = options.config.as_deref().map_or_else(|| Ok(File::default()), File::read)?;
        let (limits, serving) = file.limits.apply();
        let durability = options.durability.clone().or(file.durability);
        let listen = options.listen.or(file.listen);
        let data = options.data.clone().or(file.data).unwrap_or_else(|| "filestore-data".into());
        let metadata = options.metadata.clone().or(file.metadata);
        let blobs = options.blobs.clone().or(file.blobs);
        let dialects = options.dialects.clone().or(file.dialects);
        let dialects = dialects.unwrap_or_else(|| vec!["all".to_owned()]);
        let redirects = options.redirect_downloads.clone().or(file.redirect_downloads);
        let public_url = options.public_url.clone().or(file.public_url);
        let config = Self {
            listen: listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            metadata: metadata.map_or_else(|| Ok(Metadata::within(&data)), |url| url.parse())?,
            blobs: blobs.map_or_else(|| Ok(Blobs::within(&data)), |url| url.parse())?,
            data,
            durability: parse_durability(durability.as_deref())?,
            dialects: known_dialects(dialects)?,
            redirect_downloads: redirects.map_or_else(|| Ok(Vec::new()), known_dialects)?,
            origins: Origins {
                public_url: public_url.map(|url| parse_url(&url)).transpose()?,
                trusted_proxies: either(&options.trusted_proxy, file.trusted_proxies),
            },
            enforce_security_categories: options.enforce_security_categories
                || file.enforce_security_categories,
            verify_reads: options.verify_reads || file.verify_reads,
            cors: parse_origins(&either(&options.cors_origin, file.cors_origins))?,
            sweep_interval: Duration::from_secs(
                options.sweep_interval.or(file.sweep_interval).unwrap_or(600).max(1),
            ),
            limits,
            reserve: file.limits.reserve,
            serving,
            inline_extensions: file.inline_extensions,
            entities: file.entity.unwrap_or_else(|| vec![Entity::product()]),
            tokens: Tokens {
                secret_file: options.jwt_secret_file.clone().or(file.jwt_secret_file),
                jwks_file: options.jwks_file.clone().or(file.jwks_file),
                issuer: options.token_issuer.clone().or(file.token_issuer),
                oidc_issuer: options.oidc_issuer.clone().or(file.oidc_issuer),
                audience: options.audience.clone().or(file.audience),
                claims: file.claims.map(Claims::mapping).transpose()?,
            },
        };
        config.checked()
    }
}

impl Config {
    /// The folders that the store takes up on this machine.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &Path> {
        [self.metadata.folder(), self.blobs.folder()].into_iter().flatten()
    }

    /// What makes sense by itself, and not together.
    fn checked(self) -> Result<Self, String> {
        if self.redirect_downloads.is_empty() {
            return Ok(self);
        }
        if self.blobs.folder().is_some() {
            return Err("--redirect-downloads needs --blobs in a bucket".to_owned());
        }
        if self.verify_reads {
            return Err("--verify-reads reads here what --redirect-downloads does not".to_owned());
        }
        Ok(self)
    }
}

impl File {
    fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        // The line itself is not shown: it may hold a password.
        toml::from_str(&text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            let message = error.message().replace('\n', " ");
            format!("{}, line {line}: {}", path.display(), message.trim())
        })
    }
}

impl FileLimits {
    fn apply(&self) -> (Limits, ServeOptions) {
        let mut limits = Limits::default();
        let mut serving = ServeOptions::default();
        set(&mut limits.max_file, self.max_file);
        set(&mut limits.max_session, self.max_session);
        set(&mut limits.max_segments, self.max_segments);
        set(&mut limits.keep_deleted, self.keep_deleted.map(Duration::from_secs));
        set(&mut serving.max_connections, self.max_connections);
        set(&mut serving.drain_within, self.drain_within.map(Duration::from_secs));
        (limits, serving)
    }
}

impl Claims {
    fn mapping(self) -> Result<ClaimMapping, String> {
        let mut mapping = ClaimMapping::default();
        set(&mut mapping.tenant, self.tenant);
        set(&mut mapping.scope, self.scope);
        if let Some(tenant) = self.default_tenant {
            let tenant = filestore::Tenant::new(&tenant).map_err(|error| error.to_string())?;
            mapping.default_tenant = Some(tenant);
        }
        if let Some(scope) = self.default_scope {
            mapping.default_rights = Some(filestore_http::auth::Rights::from_scope(&scope));
        }
        Ok(mapping)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn either<T: Clone>(flags: &[T], file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags.to_vec() }
}

fn parse_durability(text: Option<&str>) -> Result<Durability, String> {
    match text {
        None | Some("full") => Ok(Durability::Full),
        Some("relaxed") => Ok(Durability::Relaxed),
        Some(other) => Err(format!("durability is full or relaxed, not {other:?}")),
    }
}

fn known_dialects(names: Vec<String>) -> Result<Vec<String>, String> {
    if names.iter().any(|name| name == "all") {
        return Ok(DIALECTS.map(str::to_owned).to_vec());
    }
    match names.iter().find(|name| !DIALECTS.contains(&name.as_str())) {
        Some(unknown) => {
            Err(format!("unknown dialect {unknown:?}; there are {}", DIALECTS.join(", ")))
        }
        None => Ok(names),
    }
}

/// Scheme and authority only: what comes after would be taken for part of every path.
fn parse_url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let wrong = || format!("--public-url is like https://files.example, not {text:?}");
    let uri: http::Uri = text.parse().map_err(|_| wrong())?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_web || uri.authority().is_none() || uri.query().is_some() {
        return Err(wrong());
    }
    Ok(text.to_owned())
}

fn parse_origins(origins: &[String]) -> Result<Vec<HeaderValue>, String> {
    let parse = |origin: &String| {
        let wrong = || format!("--cors-origin is like https://app.example or *, not {origin:?}");
        if origin != "*" && (!origin.contains("://") || origin.ends_with('/')) {
            return Err(wrong());
        }
        HeaderValue::from_str(origin).map_err(|_| wrong())
    };
    origins.iter().map(parse).collect()
}
