//! One service for all mounted dialects.

use std::convert::Infallible;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use filestore::{BoxError, FileStore};
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use uuid::Uuid;

use crate::auth::Authenticator;
use crate::body::{RequestBody, ResponseBody};
use crate::cors::Cors;
use crate::dialect::{Answer, Dialect, Head};
use crate::host::Host;
use crate::origin::Origins;
use crate::pipeline::Mounted;
use crate::presign::Presigner;
use crate::protocol::empty;
use crate::protocol::media::InlinePolicy;

/// Names the request in answers and logs.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// After a refusal, so much of the body is still read, for so long.
const DRAIN_BYTES: usize = 1 << 20;
const DRAIN_FOR: Duration = Duration::from_secs(5);

/// A hyper service, and with feature `tower` a tower service, for any body of bytes. It never
/// fails: whatever goes wrong becomes an answer in the shape of the dialect asked.
#[derive(Clone)]
pub struct Adapter(Arc<Inner>);

struct Inner {
    host: Host,
    authenticator: Arc<dyn Authenticator>,
    cors: Cors,
    mounts: Vec<Mount>,
    draining: AtomicBool,
}

struct Mount {
    prefix: String,
    dialect: Arc<dyn Mounted>,
}

/// Puts an [`Adapter`] together.
pub struct AdapterBuilder {
    host: Host,
    authenticator: Arc<dyn Authenticator>,
    cors: Cors,
    mounts: Vec<Mount>,
}

impl Adapter {
    /// An adapter over `store` that lets in whom `authenticator` knows.
    pub fn builder(
        store: FileStore,
        authenticator: impl Authenticator,
        presigner: Presigner,
    ) -> AdapterBuilder {
        AdapterBuilder {
            host: Host::new(store, presigner),
            authenticator: Arc::new(authenticator),
            cors: Cors::default(),
            mounts: Vec::new(),
        }
    }

    /// From now on `/readyz` says that the server is going away.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
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
        let mut answer = match self.0.cors.preflight(&head) {
            Some(answer) => answer,
            None => self.dispatch(&head, &mut body).await,
        };
        if answer.status().is_client_error() || answer.status().is_server_error() {
            linger(&head, body);
        }
        if head.method == Method::HEAD {
            *answer.body_mut() = keep_length(&mut answer);
        }
        self.0.cors.expose(&head, answer.headers_mut());
        let request = named(&mut answer);
        tracing::debug!(
            method = %head.method,
            path = ?head.uri.path(),
            status = answer.status().as_u16(),
            %request,
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
        let authenticator = self.0.authenticator.as_ref();
        for mount in &self.0.mounts {
            if let Some((prefix, below)) = split_mount(path, &mount.prefix) {
                let head = Head { parts: head, path: below, mount: prefix };
                return mount.dialect.serve(&self.0.host, authenticator, head, body).await;
            }
        }
        plain(StatusCode::NOT_FOUND, "there is nothing at this path\n")
    }

    async fn readiness(&self) -> Answer {
        if self.is_draining() {
            return plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.0.host.store.ready().await {
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

    /// From now on a file whose terms of this name are numbers of security categories is there only
    /// for callers who have all of them ([`Principal::security_categories`]), in every dialect.
    /// "Cognite CDF Files" keeps them as [`Cdf::SECURITY_CATEGORIES`].
    ///
    /// [`Principal::security_categories`]: crate::auth::Principal::security_categories
    /// [`Cdf::SECURITY_CATEGORIES`]: crate::dialects::Cdf::SECURITY_CATEGORIES
    #[must_use]
    pub fn enforce_security_categories(mut self, terms: impl Into<String>) -> Self {
        self.host.categories = Some(terms.into());
        self
    }

    /// From now on the dialects of these names answer a download with a redirect to where the bytes
    /// are kept, as far as the store has [URLs](filestore::FileStoreBuilder::sign_blobs) of them: for
    /// clients that can reach the blob store, and that follow redirects without taking their
    /// credentials along. `docs/dialects/` says which do.
    ///
    /// The answer has the type and the name, and not the other headers that this server would send.
    /// So what a browser may show in place is not redirected, nor are requests with conditions, which
    /// the blob store would judge by tags of its own.
    #[must_use]
    pub fn redirect_downloads(
        mut self,
        dialects: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.host.redirecting.extend(dialects.into_iter().map(Into::into));
        self
    }

    /// Which pages of other origins may call.
    #[must_use]
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = cors;
        self
    }

    /// The adapter.
    pub fn build(mut self) -> Adapter {
        self.mounts.sort_by_key(|mount| std::cmp::Reverse(mount.prefix.len()));
        let Self { host, authenticator, cors, mounts } = self;
        let draining = AtomicBool::new(false);
        Adapter(Arc::new(Inner { host, authenticator, cors, mounts, draining }))
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

/// A status, to a request that does not get as far as to a dialect.
pub(crate) fn bare(status: StatusCode) -> Answer {
    let mut answer = empty(status);
    named(&mut answer);
    answer
}

/// Gives the request of this answer its name.
fn named(answer: &mut Answer) -> Uuid {
    let id = request_id();
    let mut text = Uuid::encode_buffer();
    if let Ok(text) = HeaderValue::from_str(id.hyphenated().encode_lower(&mut text)) {
        answer.headers_mut().insert(X_REQUEST_ID, text);
    }
    id
}

/// Different from all others, and no secret: randomness from the system, for which there is a call
/// into it, is had once.
fn request_id() -> Uuid {
    static FIRST: LazyLock<Uuid> = LazyLock::new(Uuid::new_v4);
    static GIVEN: AtomicU64 = AtomicU64::new(0);
    Uuid::from_u128(FIRST.as_u128() ^ u128::from(GIVEN.fetch_add(1, Ordering::Relaxed)))
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
        let mounts: Vec<_> = self.0.mounts.iter().map(|mount| &mount.prefix).collect();
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
