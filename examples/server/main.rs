//! The example server: all documented APIs over SQLite and a local disk.
//!
//! ```text
//! cargo run --release --example server
//! ```

mod args;
mod auth;
mod banner;
mod config;
mod data;
mod maintain;
mod serve;
mod token;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use config::Config;

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
    match run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Findings) => ExitCode::from(1),
        Err(Failure::Configuration(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let config = Config::load(&args.options)?;
    let runtime = tokio::runtime::Runtime::new()?;
    match args.command.unwrap_or(Command::Serve) {
        Command::Serve => runtime.block_on(serve::run(&config)),
        Command::Token(options) => token::run(&config, &options),
        Command::Sweep => runtime.block_on(maintain::sweep(&config)),
        Command::Fsck(options) => runtime.block_on(maintain::fsck(&config, &options)),
    }
}
