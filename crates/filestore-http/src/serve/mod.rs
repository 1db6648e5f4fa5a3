//! Serves an adapter on a listener: HTTP/1.1 and HTTP/2 (prior knowledge) with deadlines on every
//! wait, a cap on connections, and an orderly end.

mod deadline;
mod transport;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use filestore::BoxError;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::adapter::Adapter;
use crate::dialect::Answer;
use crate::origin::Peer;
use deadline::Deadlined;
use transport::Transport;

/// How long to wait for what, and for how many.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// From the end of one request on a connection to the end of the next one's head. An idle
    /// connection lives this long too; clients keep theirs for shorter. One of HTTP/2 is asked this
    /// often whether it lives, has this long to answer, and may be idle.
    pub head_within: Duration,
    /// Bytes of a request's head, at most.
    pub max_head: usize,
    /// Headers of a request, at most.
    pub max_headers: usize,
    /// Between two frames of a request's body.
    pub body_idle: Duration,
    /// Bytes per second that a request's body must make on average …
    pub min_rate: u64,
    /// … once it has run for so long.
    pub min_rate_after: Duration,
    /// For all of a request's body.
    pub body_within: Duration,
    /// While the client takes nothing of an answer.
    pub write_idle: Duration,
    /// Connections at a time; more wait to be accepted.
    pub max_connections: usize,
    /// HTTP/2 streams of one connection at a time.
    pub max_streams: u32,
    /// At the end, for requests that run.
    pub drain_within: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            head_within: Duration::from_secs(30),
            max_head: 32 << 10,
            max_headers: 100,
            body_idle: Duration::from_secs(30),
            min_rate: 1 << 10,
            min_rate_after: Duration::from_secs(60),
            body_within: Duration::from_secs(86_400),
            write_idle: Duration::from_secs(60),
            max_connections: 1024,
            max_streams: 100,
            drain_within: Duration::from_secs(30),
        }
    }
}

/// Serves until `shutdown` is ready, then drains: `/readyz` says 503, connections end after the
/// request that runs on them, and new ones are still answered, once each, until none of the old
/// runs; whoever asks for readiness gets to know.
pub async fn serve(
    listener: TcpListener,
    adapter: Adapter,
    options: ServeOptions,
    shutdown: impl Future<Output = ()> + Send,
) {
    let server = Server {
        slots: Arc::new(Semaphore::new(options.max_connections)),
        options: Arc::new(options),
        adapter,
    };
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            (client, slot) = server.accept(&listener) => {
                let running = graceful.watch(server.connection(client, KeepAlive::Yes));
                tokio::spawn(until_end(running, slot));
            }
            () = &mut shutdown => break,
        }
    }
    server.adapter.drain();
    let late = async {
        loop {
            let (client, slot) = server.accept(&listener).await;
            tokio::spawn(until_end(server.connection(client, KeepAlive::No), slot));
        }
    };
    tokio::select! {
        () = late => {}
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(server.options.drain_within) => {}
    }
}

struct Server {
    adapter: Adapter,
    options: Arc<ServeOptions>,
    slots: Arc<Semaphore>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum KeepAlive {
    Yes,
    No,
}

struct Client {
    stream: TcpStream,
    address: SocketAddr,
}

impl Server {
    /// The next client, once there is a free slot for it.
    async fn accept(&self, listener: &TcpListener) -> (Client, OwnedSemaphorePermit) {
        loop {
            let Ok(slot) = Arc::clone(&self.slots).acquire_owned().await else {
                // The semaphore is never closed.
                return std::future::pending().await;
            };
            match listener.accept().await {
                Ok((stream, address)) => return (Client { stream, address }, slot),
                // Out of descriptors, or a client that left at once: neither is a reason to end.
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn connection(
        &self,
        client: Client,
        keep_alive: KeepAlive,
    ) -> impl GracefulConnection<Error = BoxError> + Send + 'static {
        // Head and first bytes leave in one write; nothing is gained by waiting for more.
        if let Err(error) = client.stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let options = &self.options;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .keep_alive(keep_alive == KeepAlive::Yes)
            .header_read_timeout(options.head_within)
            .max_headers(options.max_headers);
        builder
            .http2()
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .max_concurrent_streams(options.max_streams)
            .max_header_list_size(u32::try_from(options.max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(options.head_within)
            .keep_alive_timeout(options.head_within);
        let transport =
            TokioIo::new(Transport::new(client.stream, options.head_within, options.write_idle));
        let service = Entrance {
            adapter: self.adapter.clone(),
            options: Arc::clone(options),
            peer: Peer(client.address),
        };
        builder.serve_connection(transport, service).into_owned()
    }
}

async fn until_end(
    connection: impl Future<Output = Result<(), BoxError>>,
    slot: OwnedSemaphorePermit,
) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(slot);
}

/// What stands between a connection and the adapter: the size of heads, the pace of bodies.
struct Entrance {
    adapter: Adapter,
    options: Arc<ServeOptions>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Entrance {
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        if head_size(&request) > self.options.max_head {
            let mut answer = Answer::default();
            *answer.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Box::pin(async { Ok(answer) });
        }
        request.extensions_mut().insert(self.peer);
        let request = request.map(|body| Deadlined::new(body, Arc::clone(&self.options)));
        self.adapter.call(request)
    }
}

fn head_size<B>(request: &Request<B>) -> usize {
    let fields = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    target + request.headers().iter().map(fields).sum::<usize>()
}
