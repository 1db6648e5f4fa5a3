//! The example server: all documented APIs over SQLite and a local disk, or over PostgreSQL and an
//! object store that nodes share.
//!
//! ```text
//! cargo run --release --example server
//! ```

mod args;
mod auth;
mod backends;
mod banner;
mod config;
mod data;
mod maintain;
mod migrate;
mod serve;
mod token;

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;

use args::{Args, Command};
use config::Config;

/// Uploads take and give back buffers of some hundred KiB, which the system's allocator maps anew.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// What a command ends with when it did not do what was asked.
enum Failure {
    /// The configuration is at fault, or the server cannot start with it.
    Configuration(String),
    /// It was asked to look, and found something.
    Findings,
}

impl<E: std::fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Configuration(error.to_string())
    }
}

fn main() -> ExitCode {
    match Args::try_parse().map_err(usage).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Findings) => ExitCode::from(1),
        Err(Failure::Configuration(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

/// What was asked for (`--help`) is shown as it is; of a mistake, the line that names it.
fn usage(error: clap::Error) -> Failure {
    if !error.use_stderr() {
        error.exit();
    }
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
    let message = lines.collect::<Vec<_>>().join(" ");
    Failure::Configuration(message.trim_start_matches("error: ").to_owned())
}

fn run(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.options)?;
    let runtime = tokio::runtime::Runtime::new()?;
    match args.command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(serve::run(&config)),
        Command::Token(options) => token::run(&config, &options),
        Command::Sweep => runtime.block_on(maintain::sweep(&config)),
        Command::Fsck(options) => runtime.block_on(maintain::fsck(&config, &options)),
        Command::Migrate(options) => runtime.block_on(migrate::run(&config, &options)),
    }
}
