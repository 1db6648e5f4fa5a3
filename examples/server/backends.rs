//! The two halves of a store by their URLs: which backend each names, and opening it. No other part
//! of the configuration is needed for that.

use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use filestore::backend::{BlobStore, Repository};
use filestore::{Durability, Error, ErrorKind, FsBlobs};
use filestore_object_store::{ObjectBlobs, ObjectOptions, ObjectSigner};
use filestore_postgres::{PostgresOptions, PostgresRepository};
use filestore_sqlite::{DATABASE, SqliteOptions, SqliteRepository};
use tokio::time::{Instant, sleep};
use tokio_postgres::config::Host;

/// How long a database that does not answer is waited for: it may be starting, too.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

/// Where metadata are kept. It is shown without passwords.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Metadata {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server, with all that connecting to it takes, and how it is shown.
    Postgres { url: String, shown: String },
}

/// Where bytes are kept. Its URL has no credentials in it: those are in the environment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Blobs {
    /// A folder.
    Disk(PathBuf),
    /// A bucket of a service, and a prefix in it.
    Bucket(String),
}

/// How they are opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening {
    pub durability: Durability,
    /// Whether what is not there is made. A mistyped address is no empty store that is well.
    pub create: bool,
    /// Bytes of the disk that SQLite keeps for removals, if not as many as it does by itself.
    pub reserve: Option<u64>,
}

/// Blobs that are open.
pub(crate) struct OpenedBlobs {
    pub store: Arc<dyn BlobStore>,
    /// Signs URLs of them, where there are any.
    pub signer: Option<ObjectSigner>,
}

impl Metadata {
    /// In a folder of their own machine, under the name that they have in every store.
    pub(crate) fn within(folder: &Path) -> Self {
        Self::Sqlite(folder.join(DATABASE))
    }

    /// Whether other nodes may have them open.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// The folder that they take up on this machine.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => path.parent().map(or_here),
            Self::Postgres { .. } => None,
        }
    }

    /// Opens them. A server that does not answer yet is waited for.
    pub(crate) async fn open(&self, opening: Opening) -> Result<Arc<dyn Repository>, String> {
        let Opening { durability, create, reserve } = opening;
        let opened = match self {
            Self::Sqlite(path) if create || path.exists() => {
                make_folder(self.folder().unwrap_or(path))?;
                let mut options = SqliteOptions { durability, ..SqliteOptions::default() };
                if let Some(reserve) = reserve {
                    options.reserve = reserve;
                }
                SqliteRepository::open(path, options).map(|it| Arc::new(it) as _)
            }
            Self::Sqlite(_) => return Err(format!("there is no store at {self}")),
            Self::Postgres { url, .. } => {
                let options = PostgresOptions { durability, create, ..PostgresOptions::default() };
                self.connect(url, options).await.map(|it| Arc::new(it) as _)
            }
        };
        opened.map_err(|error| explain(self, &error))
    }

    async fn connect(
        &self,
        url: &str,
        options: PostgresOptions,
    ) -> filestore::Result<PostgresRepository> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match PostgresRepository::connect(url, options.clone()).await {
                Err(error)
                    if error.kind() == ErrorKind::Unavailable && Instant::now() < deadline =>
                {
                    tracing::warn!("waiting: {}", explain(self, &error));
                    sleep(PAUSE).await;
                }
                connected => return connected,
            }
        }
    }
}

impl Blobs {
    /// In a folder of their own machine, where they are in every store.
    pub(crate) fn within(folder: &Path) -> Self {
        Self::Disk(folder.to_owned())
    }

    /// The folder that they take up on this machine.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Disk(folder) => Some(or_here(folder)),
            Self::Bucket(_) => None,
        }
    }

    /// Opens them. Of a bucket nothing is asked yet.
    pub(crate) fn open(&self, opening: Opening) -> Result<OpenedBlobs, String> {
        let opened = match self {
            Self::Disk(folder) if opening.create || folder.join("blobs").exists() => {
                make_folder(folder)?;
                FsBlobs::open(folder, opening.durability)
                    .map(|blobs| OpenedBlobs { store: Arc::new(blobs), signer: None })
            }
            Self::Disk(_) => return Err(format!("there are no blobs in {self}")),
            Self::Bucket(url) => ObjectBlobs::connect(url, environment(), ObjectOptions::default())
                .map(|blobs| OpenedBlobs { signer: blobs.signer(), store: Arc::new(blobs) }),
        };
        opened.map_err(|error| explain(self, &error))
    }
}

/// The variables, among which the services' credentials and settings are. What is no text is none.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl FromStr for Metadata {
    type Err = String;

    /// What is wrong with it is not repeated: it may be part of a password.
    fn from_str(url: &str) -> Result<Self, String> {
        let wrong = "--metadata is sqlite:PATH or like postgres://user:password@host/database";
        if let Some(path) = url.strip_prefix("sqlite:") {
            return local(path).map(Self::Sqlite).ok_or_else(|| wrong.to_owned());
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong.to_owned());
        }
        let parsed: tokio_postgres::Config = url.parse().map_err(|_| wrong.to_owned())?;
        let (Some(host), Some(database)) = (parsed.get_hosts().first(), parsed.get_dbname()) else {
            return Err(wrong.to_owned());
        };
        let shown = match (host, parsed.get_ports().first()) {
            (Host::Tcp(host), None | Some(5432)) => format!("postgres://{host}/{database}"),
            (Host::Tcp(host), Some(port)) => format!("postgres://{host}:{port}/{database}"),
            (Host::Unix(folder), _) => {
                format!("postgres:///{database}?host={}", folder.display())
            }
        };
        Ok(Self::Postgres { url: url.to_owned(), shown })
    }
}

impl FromStr for Blobs {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let wrong = "--blobs is file:PATH or like s3://bucket/prefix, gs://… or az://…, and has no \
             credentials in it";
        if let Some(path) = url.strip_prefix("file:") {
            return local(path).map(Self::Disk).ok_or_else(|| wrong.to_owned());
        }
        let place = ["s3://", "gs://", "az://"].iter().find_map(|it| url.strip_prefix(it));
        match place {
            Some(place)
                if !place.is_empty()
                    && !place.starts_with('/')
                    && !place.contains(|c: char| "@?#".contains(c) || c.is_whitespace()) =>
            {
                Ok(Self::Bucket(url.to_owned()))
            }
            _ => Err(wrong.to_owned()),
        }
    }
}

/// A path as it is, also behind the two slashes of a URL without a host.
fn local(path: &str) -> Option<PathBuf> {
    let path =
        path.strip_prefix("//").map_or(Some(path), |rest| rest.starts_with('/').then_some(rest));
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The parent of a bare name is a path without anything in it.
fn or_here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres { shown, .. } => f.write_str(shown),
        }
    }
}

impl fmt::Display for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(folder) => write!(f, "file:{}", folder.display()),
            Self::Bucket(url) => f.write_str(url),
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Makes a folder for its owner only, where there is none.
pub(crate) fn make_folder(dir: &Path) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| format!("cannot create {}: {error}", dir.display()))
}

/// One line: what could not be opened, the error and its causes.
pub(crate) fn explain(what: &dyn fmt::Display, error: &Error) -> String {
    format!("cannot open {what}: {}", with_causes(error))
}

/// An error and its causes, in one line.
pub(crate) fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string().replace('\n', " ");
        // Some say what their causes say.
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
