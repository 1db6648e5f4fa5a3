//! The least that a receiver which hashes can do: hyper takes the body in, SHA-256 is computed, and
//! nothing is kept. It stands for what a network and a hash cost whoever verifies uploads.

use std::error::Error;

use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Serves on the port of this machine that is the only argument, until it is killed.
fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("a port is needed")?.parse()?;
    Runtime::new()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let service = service_fn(receive);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    })
}

async fn receive(request: Request<Incoming>) -> hyper::Result<Response<String>> {
    let mut body = request.into_body();
    let mut hash = Sha256::new();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        if let Ok(data) = frame?.into_data() {
            hash.update(&data);
        }
    }
    let digest = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Response::new(digest))
}
