//! Flags, environment variables and subcommands.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand};
use ipnet::IpNet;

/// A file server that speaks the documented Files APIs of several platforms.
#[derive(Debug, Parser)]
#[command(name = "server", version)]
pub(crate) struct Args {
    #[command(flatten)]
    pub options: Options,
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags win over the environment, the environment over the file, the file over the defaults.
#[derive(Debug, Default, Group)]
pub(crate) struct Options {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, global = true, env = "FILESTORE_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Folder of what is kept on this machine [default: ./filestore-data]
    #[arg(long, global = true, env = "FILESTORE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where metadata are kept: sqlite:PATH, or postgres://USER:PASSWORD@HOST/DATABASE, which nodes
    /// share [default: in the data folder]
    #[arg(
        long,
        global = true,
        env = "FILESTORE_METADATA",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub metadata: Option<String>,
    /// Where bytes are kept: file:PATH, or s3://BUCKET/PREFIX, gs:// or az://, which nodes share
    /// [default: in the data folder]
    #[arg(
        long,
        global = true,
        env = "FILESTORE_BLOBS",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub blobs: Option<String>,
    /// How clients reach the server; begins every absolute URL
    #[arg(long, global = true, env = "FILESTORE_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Dialects to serve, separated by commas [default: all]
    #[arg(
        long,
        global = true,
        env = "FILESTORE_DIALECTS",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    pub dialects: Option<Vec<String>>,
    /// Dialects that send their clients to the bucket for large files, separated by commas [default:
    /// none]
    #[arg(
        long,
        global = true,
        env = "FILESTORE_REDIRECT_DOWNLOADS",
        value_delimiter = ',',
        value_name = "NAMES"
    )]
    pub redirect_downloads: Option<Vec<String>>,
    /// What an acknowledgement means: `full` survives the loss of power, `relaxed` a killed process
    #[arg(long, global = true, env = "FILESTORE_DURABILITY", value_name = "full|relaxed")]
    pub durability: Option<String>,
    /// Origin whose pages may call (repeatable); `*` for all [default: none]
    #[arg(long, global = true, value_name = "ORIGIN")]
    pub cors_origin: Vec<String>,
    /// Peers whose X-Forwarded-Proto and X-Forwarded-Host count (repeatable) [default: none]
    #[arg(long, global = true, value_name = "CIDR")]
    pub trusted_proxy: Vec<IpNet>,
    /// Seconds between sweeps [default: 600]
    #[arg(long, global = true, value_name = "SECONDS")]
    pub sweep_interval: Option<u64>,
    /// Let only tokens with the right claim see files that have security categories
    #[arg(long, global = true)]
    pub enforce_security_categories: bool,
    /// Hash what is downloaded, and break off before the end of what was damaged on the disk
    #[arg(long, global = true)]
    pub verify_reads: bool,
    /// File that holds the secret which tokens are signed with; the variable
    /// FILESTORE_JWT_SECRET holds the secret itself
    #[arg(long, global = true, env = "FILESTORE_JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,
    /// File with a JWK set whose keys sign tokens too; needs --token-issuer and --audience
    #[arg(long, global = true, env = "FILESTORE_JWKS_FILE", value_name = "FILE")]
    pub jwks_file: Option<PathBuf>,
    /// The `iss` of tokens signed with a key of the JWK set
    #[arg(long, global = true, env = "FILESTORE_TOKEN_ISSUER", value_name = "TEXT")]
    pub token_issuer: Option<String>,
    /// OpenID Connect issuer whose tokens are accepted too; needs --audience
    #[arg(long, global = true, env = "FILESTORE_OIDC_ISSUER", value_name = "URL")]
    pub oidc_issuer: Option<String>,
    /// The `aud` of tokens that are not signed with our own secret
    #[arg(long, global = true, env = "FILESTORE_AUDIENCE", value_name = "TEXT")]
    pub audience: Option<String>,
    /// TOML file with the same settings and more; docs/configuration.md lists them
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to do; serving is the default.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until SIGTERM or SIGINT
    Serve,
    /// Print a token
    Token(TokenOptions),
    /// Clean up once; may run beside the server
    Sweep,
    /// Check blobs against metadata; may run beside the server. Exit code 1 when something is wrong
    Fsck(FsckOptions),
    /// Copy the store into another, while neither is served; go on where that broke off. Exit code 1
    /// when the other is not the same then
    Migrate(MigrateOptions),
}

/// What the token says.
#[derive(Debug, Group)]
pub(crate) struct TokenOptions {
    /// Who acts with it
    #[arg(long, value_name = "NAME")]
    pub subject: String,
    /// In whose files
    #[arg(long, default_value = "default", value_name = "TENANT")]
    pub tenant: String,
    /// What it allows
    #[arg(long, default_value = "files:read files:write", value_name = "SCOPE")]
    pub scope: String,
    /// How long it holds, in seconds
    #[arg(long, default_value_t = 43_200, value_name = "SECONDS")]
    pub ttl: u64,
}

/// How thorough, and what then.
#[derive(Debug, Group)]
pub(crate) struct FsckOptions {
    /// Read every byte and compare its hash
    #[arg(long)]
    pub read_data: bool,
    /// Refuse damaged files to readers from now on, and give sound ones back; implies --read-data
    #[arg(long)]
    pub quarantine: bool,
    /// Have the next sweep delete blobs that nothing knows of
    #[arg(long)]
    pub collect_orphans: bool,
}

/// From where to where.
#[derive(Debug, Group)]
pub(crate) struct MigrateOptions {
    /// Where metadata are now, as in --metadata [default: what that says]
    #[arg(long, env = "FILESTORE_FROM_METADATA", hide_env_values = true, value_name = "URL")]
    pub from_metadata: Option<String>,
    /// Where bytes are now, as in --blobs [default: what that says]
    #[arg(long, value_name = "URL")]
    pub from_blobs: Option<String>,
    /// Where metadata are to be
    #[arg(long, env = "FILESTORE_TO_METADATA", hide_env_values = true, value_name = "URL")]
    pub to_metadata: String,
    /// Where bytes are to be
    #[arg(long, value_name = "URL")]
    pub to_blobs: String,
}
