//! `server serve`: mounts the dialects and serves until told to stop.

use std::io::Write;
use std::time::Duration;

use filestore::{FileStore, Sweep};
use filestore_http::auth::Secret;
use filestore_http::dialects::{Cdf, Idempiere, Jea, Jmix, Molgenis};
use filestore_http::protocol::media::InlinePolicy;
use filestore_http::{Adapter, Cors, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::config::Config;
use super::{Failure, auth, banner, data};

/// Serves until SIGTERM or SIGINT, then drains.
pub(crate) async fn run(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_env("FILESTORE_LOG").unwrap_or_else(|_| "warn".into());
    // A log that cannot be written, on a full disk for one, is no reason to drop a request: the
    // report of it would panic on the same standard error.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();

    let secret = auth::secret(config)?;
    let _locks = data::lock(config.folders())?;
    let store = data::open(config).await?;
    let adapter = adapter(config, secret, store.clone())?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };

    // Nobody need be listening to what is printed.
    let banner = banner::of(config, listener.local_addr()?);
    let _ = std::io::stdout().write_all(banner.as_bytes());

    let sweeping = tokio::spawn(keep_sweeping(store, config.sweep_interval));
    serve(listener, adapter, config.serving.clone(), shutdown).await;
    sweeping.abort();
    Ok(())
}

fn adapter(config: &Config, secret: Secret, store: FileStore) -> Result<Adapter, Failure> {
    let presigner = auth::presigner(&secret)?;
    let authenticator = auth::authenticator(secret, &config.tokens)?;
    let mut builder = Adapter::builder(store, authenticator, presigner)
        .origins(config.origins.clone())
        .cors(Cors::new(config.cors.clone()));
    if let Some(extensions) = &config.inline_extensions {
        builder =
            builder.inline(InlinePolicy::of_extensions(extensions.iter().map(String::as_str))?);
    }
    builder = builder.redirect_downloads(config.redirect_downloads.clone());
    if config.enforce_security_categories {
        builder = builder.enforce_security_categories(Cdf::SECURITY_CATEGORIES);
    }
    for dialect in &config.dialects {
        builder = match dialect.as_str() {
            "jea" => builder.mount(Jea::MOUNT, Jea),
            "cdf" => {
                Cdf::mounts().into_iter().fold(builder, |builder, (at, cdf)| builder.mount(at, cdf))
            }
            "molgenis" => builder.mount(Molgenis::MOUNT, Molgenis),
            "idempiere" => builder
                .mount(Idempiere::UPLOADS, Idempiere::uploads())
                .mount(Idempiere::MODELS, Idempiere::models()),
            "jmix" => builder.mount(Jmix::MOUNT, Jmix::new(config.entities.clone())),
            other => return Err(format!("unknown dialect {other}").into()),
        };
    }
    Ok(builder.build())
}

async fn keep_sweeping(store: FileStore, every: Duration) {
    let mut ticks = tokio::time::interval(every);
    loop {
        ticks.tick().await;
        match store.sweep(&Sweep::default()).await {
            Ok(report) => tracing::info!(?report, "swept"),
            Err(error) => tracing::error!(?error, "could not sweep"),
        }
    }
}
