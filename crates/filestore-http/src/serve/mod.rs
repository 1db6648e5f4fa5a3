//! Serves an adapter on a listener: HTTP/1.1 and HTTP/2 (prior knowledge) with deadlines on every
//! wait, a cap on connections, and an orderly end.

mod activity;
mod deadline;
mod door;
mod slots;
mod taken;
mod transport;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::adapter::{Adapter, bare};
use crate::body::ResponseBody;
use crate::origin::Peer;
use activity::{Activity, Patience};
use deadline::Deadlined;
use door::{Client, Door};
use slots::Slots;
use taken::Taken;
use transport::Transport;

/// How long to wait for what, and for how many.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// From the end of one request on a connection to the end of the next one's head; an idle
    /// connection lives so long, and clients keep theirs for shorter. One of HTTP/2 is asked this
    /// often whether it lives, and has this long to answer.
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
    /// Connections at a time. When there are so many, the one that has waited longest for a
    /// request gives way to a new one; when requests run on all, new ones wait.
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
    let patience = Patience { head: options.head_within, write: options.write_idle };
    let slots = Slots::new(options.max_connections, patience);
    let server = Server { options: Arc::new(options), adapter };
    let mut door = Door { listener, slots: Arc::clone(&slots), waiting: None };
    // Each connection holds a receiver; that all of these are gone says that none runs any more.
    let (draining, drained) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            client = door.next() => {
                let connection = server.connection(client, KeepAlive::Until(drained.clone()));
                tokio::spawn(connection);
            }
            () = &mut shutdown => break,
        }
    }
    server.adapter.drain();
    drop(drained);
    draining.send_replace(());
    let late = async {
        loop {
            let client = door.next().await;
            tokio::spawn(server.connection(client, KeepAlive::No));
        }
    };
    tokio::select! {
        () = late => {}
        () = draining.closed() => {}
        () = tokio::time::sleep(server.options.drain_within) => {}
    }
}

struct Server {
    adapter: Adapter,
    options: Arc<ServeOptions>,
}

/// Whether a connection is for more than one request.
enum KeepAlive {
    /// As long as the sender has not sent.
    Until(watch::Receiver<()>),
    No,
}

impl KeepAlive {
    async fn is_over(&mut self) {
        match self {
            // A sender that is gone is none that waits.
            Self::Until(drained) => drained.changed().await.unwrap_or(()),
            Self::No => std::future::pending().await,
        }
    }
}

impl Server {
    /// Serves a client until it leaves, or has to.
    fn connection(
        &self,
        client: Client,
        mut keep_alive: KeepAlive,
    ) -> impl Future<Output = ()> + Send + 'static {
        let Client { stream, address, slot } = client;
        // Head and first bytes leave in one write; nothing is gained by waiting for more.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
        let activity = Arc::clone(&slot.activity);
        let transport = TokioIo::new(Transport::new(stream, Arc::clone(&activity)));
        let (adapter, options) = (self.adapter.clone(), Arc::clone(&self.options));
        let service = Entrance { adapter, options, peer: Peer(address), activity };
        let protocols = self.protocols(&keep_alive);
        let connection = protocols.serve_connection(transport, service).into_owned();
        async move {
            tokio::pin!(connection);
            let mut is_leaving = false;
            let ended = loop {
                tokio::select! {
                    ended = &mut connection => break ended,
                    () = keep_alive.is_over(), if !is_leaving => {
                        connection.as_mut().graceful_shutdown();
                        is_leaving = true;
                    }
                    () = slot.activity.over() => {
                        // One of HTTP/2 is told that it ends; nothing more is waited for.
                        connection.as_mut().graceful_shutdown();
                        break connection.now_or_never().unwrap_or(Ok(()));
                    }
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            }
        }
    }

    fn protocols(&self, keep_alive: &KeepAlive) -> auto::Builder<TokioExecutor> {
        let options = &self.options;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .keep_alive(!matches!(keep_alive, KeepAlive::No))
            // Whoever has sent a whole request and closed its side still waits for the answer.
            .half_close(true)
            .header_read_timeout(None)
            .max_headers(options.max_headers);
        builder
            .http2()
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .max_concurrent_streams(options.max_streams)
            .max_header_list_size(u32::try_from(options.max_head).unwrap_or(u32::MAX))
            .keep_alive_interval(options.head_within)
            .keep_alive_timeout(options.head_within);
        builder
    }
}

/// What stands between a connection and the adapter: the size and sense of heads, the pace of
/// bodies.
struct Entrance {
    adapter: Adapter,
    options: Arc<ServeOptions>,
    peer: Peer,
    activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Entrance {
    type Response = Response<Taken<ResponseBody>>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let running = self.activity.begin();
        if let Some(status) = refusal(&request, &self.options) {
            let mut answer = bare(status);
            if request.version() <= Version::HTTP_11 {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            return Box::pin(async { Ok(answer.map(|body| Taken::new(body, running))) });
        }
        request.extensions_mut().insert(self.peer);
        let request = request.map(|body| Deadlined::new(body, Arc::clone(&self.options)));
        let adapter = self.adapter.clone();
        Box::pin(async move {
            let answer = adapter.respond(request).await;
            Ok(answer.map(|body| Taken::new(body, running)))
        })
    }
}

/// What is wrong with a head, whoever it is for.
fn refusal<B>(request: &Request<B>, options: &ServeOptions) -> Option<StatusCode> {
    if head_size(request) > options.max_head {
        return Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    // RFC 9112, section 3.2: whoever stands in front of this server may go by the other one.
    let hosts = request.headers().get_all(header::HOST).iter().count();
    (request.version() == Version::HTTP_11 && hosts != 1).then_some(StatusCode::BAD_REQUEST)
}

fn head_size<B>(request: &Request<B>) -> usize {
    let fields = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    target + request.headers().iter().map(fields).sum::<usize>()
}
