//! `server token`: prints one token and nothing else.

use std::time::Duration;

use filestore::{Subject, SystemClock, Tenant};
use filestore_http::auth::{NewToken, Rights, mint};

use super::Failure;
use super::args::TokenOptions;
use super::auth;
use super::config::Config;

/// Signs a token with the server's secret. Opens no store.
pub(crate) fn run(config: &Config, options: &TokenOptions) -> Result<(), Failure> {
    let token = NewToken {
        subject: Subject::new(&options.subject)?,
        tenant: Tenant::new(&options.tenant)?,
        rights: options.scope.parse::<Rights>()?,
        lifetime: Duration::from_secs(options.ttl),
        security_categories: Vec::new(),
        audience: config.tokens.audience.clone(),
    };
    println!("{}", mint(&auth::secret(config)?, &token, &SystemClock)?);
    Ok(())
}
