//! One service for all mounted dialects: route, authenticate, handle, render.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use filestore::{BoxError, Error, ErrorKind, FileStore};
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use uuid::Uuid;

use crate::auth::{Authenticator, Principal, Right};
use crate::body::{RequestBody, ResponseBody};
use crate::cors::Cors;
use crate::dialect::{Answer, Call, Credentials, Dialect, Fault, Head};
use crate::origin::Origins;
use crate::presign::Presigner;
use crate::protocol::media::InlinePolicy;

/// Names the request in answers and logs.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// After a refusal, so much of the body is still read, for so long.
const DRAIN_BYTES: usize = 1 << 20;
const DRAIN_FOR: Duration = Duration::from_secs(5);

/// What every dialect may ask of the server it runs in.
#[derive(Debug)]
pub struct Host {
    /// The files.
    pub store: FileStore,
    /// Signs URLs and checks them.
    pub presigner: Presigner,
    /// What browsers may show in place.
    pub inline: InlinePolicy,
    authenticator: Arc<dyn Authenticator>,
    origins: Origins,
    cors: Cors,
    draining: AtomicBool,
}

impl Host {
    /// Scheme and authority that the client of this request reaches the server by.
    pub fn base_url(&self, head: &Parts) -> String {
        self.origins.base_url(head)
    }
}

/// A hyper service, and with feature `tower` a tower service, for any body of bytes. It never
/// fails: whatever goes wrong becomes an answer in the shape of the dialect asked.
#[derive(Clone)]
pub struct Adapter {
    host: Arc<Host>,
    mounts: Arc<[Mount]>,
}

struct Mount {
    prefix: String,
    dialect: Arc<dyn Mounted>,
}

/// Puts an [`Adapter`] together.
pub struct AdapterBuilder {
    host: Host,
    mounts: Vec<Mount>,
}

impl Adapter {
    /// An adapter over `store` that lets in whom `authenticator` knows.
    pub fn builder(
        store: FileStore,
        authenticator: impl Authenticator,
        presigner: Presigner,
    ) -> AdapterBuilder {
        let host = Host {
            store,
            presigner,
            inline: InlinePolicy::default(),
            authenticator: Arc::new(authenticator),
            origins: Origins::default(),
            cors: Cors::default(),
            draining: AtomicBool::new(false),
        };
        AdapterBuilder { host, mounts: Vec::new() }
    }

    /// From now on `/readyz` says that the server is going away.
    pub fn drain(&self) {
        self.host.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.host.draining.load(Ordering::Relaxed)
    }

    /// Answers one request.
    pub async fn respond<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = request.into_parts();
        self.answer(head, RequestBody::new(body)).await
    }

    async fn answer(&self, head: Parts, mut body: RequestBody) -> Answer {
        let id = Uuid::new_v4();
        let mut answer = match self.host.cors.preflight(&head) {
            Some(answer) => answer,
            None => self.dispatch(&head, &mut body).await,
        };
        if answer.status().is_client_error() || answer.status().is_server_error() {
            linger(&head, body);
        }
        if head.method == Method::HEAD {
            *answer.body_mut() = keep_length(&mut answer);
        }
        self.host.cors.expose(&head, answer.headers_mut());
        let mut text = Uuid::encode_buffer();
        let id: &str = id.hyphenated().encode_lower(&mut text);
        if let Ok(id) = HeaderValue::from_str(id) {
            answer.headers_mut().insert(X_REQUEST_ID, id);
        }
        tracing::debug!(
            method = %head.method,
            path = ?head.uri.path(),
            status = answer.status().as_u16(),
            request = id,
            "answered"
        );
        answer
    }

    async fn dispatch(&self, head: &Parts, body: &mut RequestBody) -> Answer {
        let path = head.uri.path();
        match path {
            "/healthz" => return plain(StatusCode::OK, "ok\n"),
            "/readyz" => return self.readiness().await,
            _ => {}
        }
        for mount in self.mounts.iter() {
            if let Some((prefix, below)) = split_mount(path, &mount.prefix) {
                let head = Head { parts: head, path: below, mount: prefix };
                return mount.dialect.serve(&self.host, head, body).await;
            }
        }
        plain(StatusCode::NOT_FOUND, "there is nothing at this path\n")
    }

    async fn readiness(&self) -> Answer {
        if self.is_draining() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.host.store.ready().await {
            Ok(()) => plain(StatusCode::OK, "ready\n"),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                plain(StatusCode::SERVICE_UNAVAILABLE, "the storage is unavailable\n")
            }
        }
    }
}

impl AdapterBuilder {
    /// Serves `dialect` at `prefix`, which begins with a slash and does not end with one. Where
    /// prefixes contain each other, the longer one wins.
    #[must_use]
    pub fn mount(mut self, prefix: impl Into<String>, dialect: impl Dialect) -> Self {
        self.mounts.push(Mount { prefix: prefix.into(), dialect: Arc::new(dialect) });
        self
    }

    /// How absolute URLs begin, and whose forwarding headers count.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.host.origins = origins;
        self
    }

    /// What browsers may show in place: JPEG, PNG and PDF unless told otherwise.
    #[must_use]
    pub fn inline(mut self, policy: InlinePolicy) -> Self {
        self.host.inline = policy;
        self
    }

    /// Which pages of other origins may call.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.host.cors = cors;
        self
    }

    /// The adapter.
    pub fn build(mut self) -> Adapter {
        self.mounts.sort_by_key(|mount| std::cmp::Reverse(mount.prefix.len()));
        Adapter { host: Arc::new(self.host), mounts: self.mounts.into() }
    }
}

/// Reads on after a refusal, for a while and beside the answer, so that a sender who is still
/// sending gets to see the answer and not a reset connection. One that waits for `100 Continue` is
/// not told to go on.
fn linger(head: &Parts, body: RequestBody) {
    let is_coming = body.is_polled() || !head.headers.contains_key(header::EXPECT);
    if is_coming && let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(body.drain(DRAIN_BYTES, DRAIN_FOR));
    }
}

/// A dialect whatever its routes: only the whole pipeline crosses the pointer.
#[async_trait]
trait Mounted: Send + Sync {
    async fn serve(&self, host: &Host, head: Head<'_>, body: &mut RequestBody) -> Answer;
}

#[async_trait]
impl<D: Dialect> Mounted for D {
    async fn serve(&self, host: &Host, head: Head<'_>, body: &mut RequestBody) -> Answer {
        match run(self, host, head, body).await {
            Ok(answer) => answer,
            Err(fault) => {
                log(self.name(), &fault);
                let mut answer = self.render(&fault, head, host);
                if let Fault::Method(allowed) = fault {
                    answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                }
                answer
            }
        }
    }
}

async fn run<D: Dialect>(
    dialect: &D,
    host: &Host,
    head: Head<'_>,
    body: &mut RequestBody,
) -> Result<Answer, Fault> {
    // Whoever is nobody learns nothing, not even which paths there are.
    let credentials = dialect.credentials(head)?;
    let principal = authenticate(credentials, host, head).await?;
    let route = dialect.route(head)?;
    authorize(&principal, dialect.access(&route), credentials, host, head)?;
    let files = host.store.files(&principal.tenant, &principal.subject);
    dialect.handle(route, Call { files, principal, head, body, host }).await
}

async fn authenticate(
    credentials: Credentials<'_>,
    host: &Host,
    head: Head<'_>,
) -> filestore::Result<Principal> {
    match credentials {
        Credentials::None => Err(Error::new(ErrorKind::Unauthenticated, "a token is required")),
        Credentials::Token(token) | Credentials::Cookie(token) => {
            host.authenticator.authenticate(token).await
        }
        Credentials::Presigned => {
            let path = head.parts.uri.path();
            host.presigner.verify(head.method(), path, head.query())
        }
    }
}

fn authorize(
    principal: &Principal,
    right: Right,
    credentials: Credentials<'_>,
    host: &Host,
    head: Head<'_>,
) -> filestore::Result<()> {
    let forbidden = |why| Err(Error::new(ErrorKind::Forbidden, why));
    let is_cookie = matches!(credentials, Credentials::Cookie(_));
    if is_cookie && right == Right::Write && host.origins.is_foreign(head.parts) {
        return forbidden("a page of another origin may not write with a cookie");
    }
    if !principal.rights.allows(right) {
        return forbidden("the token does not carry this right");
    }
    Ok(())
}

fn log(dialect: &str, fault: &Fault) {
    match fault {
        Fault::Store(error)
            if matches!(
                error.kind(),
                ErrorKind::Internal | ErrorKind::Unavailable | ErrorKind::StorageFull
            ) =>
        {
            tracing::error!(dialect, ?error, "failed");
        }
        fault => tracing::debug!(dialect, status = fault.status().as_u16(), "refused"),
    }
}

/// Splits a path at a mount point, on the boundary of a segment only.
fn split_mount<'p>(path: &'p str, prefix: &str) -> Option<(&'p str, &'p str)> {
    let below = path.strip_prefix(prefix)?;
    let mount = path.get(..prefix.len())?;
    (below.is_empty() || below.starts_with('/')).then_some((mount, below))
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(ResponseBody::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// For HEAD: no body, and the length that GET would have announced.
fn keep_length(answer: &mut Answer) -> ResponseBody {
    let size = answer.body().size_hint().exact().unwrap_or_default();
    answer.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| size.into());
    ResponseBody::Empty
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mounts: Vec<_> = self.mounts.iter().map(|mount| &mount.prefix).collect();
        f.debug_struct("Adapter").field("mounts", &mounts).finish_non_exhaustive()
    }
}

impl fmt::Debug for AdapterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdapterBuilder").field("host", &self.host).finish_non_exhaustive()
    }
}

impl<B> hyper::service::Service<Request<B>> for Adapter
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn call(&self, request: Request<B>) -> Self::Future {
        let adapter = self.clone();
        Box::pin(async move { Ok(adapter.respond(request).await) })
    }
}

#[cfg(feature = "tower")]
impl<B> tower_service::Service<Request<B>> for Adapter
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Answer;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Answer, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        hyper::service::Service::call(self, request)
    }
}
