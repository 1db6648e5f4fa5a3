//! The documented APIs beside an application's own routes: the adapter is a tower service.
//!
//! ```text
//! cargo run --example with_axum
//! ```

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use filestore::{FileStore, SystemClock};
use filestore_http::Adapter;
use filestore_http::auth::{JwtAuthenticator, Secret};
use filestore_http::dialects::{Jea, Molgenis};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let secret = Secret::new("a secret of at least thirty-two bytes")?;
    let keys = PresignKeys::new(PresignKey::derive(&secret)?);
    let adapter = Adapter::builder(
        FileStore::in_memory(),
        JwtAuthenticator::builder().secret(secret).build()?,
        Presigner::new(keys, Arc::new(SystemClock)),
    )
    .mount(Jea::MOUNT, Jea)
    .mount(Molgenis::MOUNT, Molgenis)
    .build();

    // The adapter routes by whole paths, so that it goes where no route of the application's own
    // matches. It limits bodies itself, route by route.
    let app: Router = Router::new()
        .route("/", get(|| async { "the application's own page" }))
        .fallback_service(tower_service_of(adapter));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8081").await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

/// axum wants its own body type back.
fn tower_service_of(
    adapter: Adapter,
) -> impl tower::Service<
    axum::extract::Request,
    Response = axum::response::Response,
    Error = Infallible,
    Future = impl Send,
> + Clone
+ Sync {
    tower::service_fn(move |request: axum::extract::Request| {
        let adapter = adapter.clone();
        async move { Ok(adapter.respond(request).await.map(Body::new)) }
    })
}
