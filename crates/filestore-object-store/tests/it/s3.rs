//! An S3 server in this process that tells what it was asked, and fails when it is told to.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use filestore_object_store::{ObjectBlobs, ObjectOptions};
use futures::stream::{self, StreamExt};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::{BackoffConfig, RetryConfig};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;

pub(crate) const MIB: usize = 1 << 20;
const BUCKET: &str = "bucket";

/// A server with one bucket, which ends with this.
pub(crate) struct S3 {
    address: SocketAddr,
    state: Arc<State>,
    pub(crate) folder: TempDir,
    serving: AbortHandle,
}

struct State {
    asked: Mutex<Vec<Asked>>,
    news: Notify,
    fault: Mutex<Faults>,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

/// What becomes of a request.
pub(crate) enum Fault {
    None,
    /// It is answered so, and nothing is done.
    Status(u16),
    /// It is done, and its answer breaks off behind so many bytes.
    Cut(usize),
    /// It waits for a permit.
    Hold(Arc<Semaphore>),
}

type Faults = Box<dyn FnMut(&Asked) -> Fault + Send>;
type Body = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

impl S3 {
    /// Runs on the runtime it is called on.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("id", "secret"));
        let service = service.build();

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let state = Arc::new(State {
            asked: Mutex::default(),
            news: Notify::new(),
            fault: Mutex::new(Box::new(|_| Fault::None)),
        });
        let serving = tokio::spawn(serve(listener, service, Arc::clone(&state))).abort_handle();
        Self { address, state, folder, serving }
    }

    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://{}", self.address);
        [
            ("aws_endpoint", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("aws_secret_access_key", "secret"),
            ("PATH", "no setting"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// A client that repeats what failed so many times, at once.
    pub(crate) fn client(&self, retries: usize) -> AmazonS3 {
        let backoff = BackoffConfig {
            init_backoff: Duration::from_millis(1),
            max_backoff: Duration::from_millis(2),
            base: 2.0,
        };
        AmazonS3Builder::new()
            .with_endpoint(format!("http://{}", self.address))
            .with_allow_http(true)
            .with_bucket_name(BUCKET)
            .with_access_key_id("id")
            .with_secret_access_key("secret")
            .with_checksum_algorithm(Checksum::SHA256)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff,
                max_retries: retries,
                retry_timeout: Duration::from_secs(60),
            })
            .build()
            .unwrap()
    }

    /// Blobs sent in parts of 5 MiB, the least that S3 takes, two at a time, each request once.
    pub(crate) fn blobs(&self) -> ObjectBlobs {
        self.blobs_of(self.client(0))
    }

    pub(crate) fn blobs_of(&self, client: AmazonS3) -> ObjectBlobs {
        let mut options = ObjectOptions::default();
        options.part_size = 5 * MIB;
        options.parts_at_once = 2;
        ObjectBlobs::new(Arc::new(client), "blobs", options).unwrap()
    }

    /// From now on `fault` decides over each request.
    pub(crate) fn fault(&self, fault: impl FnMut(&Asked) -> Fault + Send + 'static) {
        *lock(&self.state.fault) = Box::new(fault);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.state.asked).clone()
    }

    /// Waits until what was asked is as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&[Asked]) -> bool) {
        let waiting = async {
            loop {
                let news = self.state.news.notified();
                if wanted(&self.asked()) {
                    return;
                }
                news.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), waiting).await;
        assert!(waited.is_ok(), "{:#?}", self.asked());
    }

    /// Files of the server that belong to uploads which have not ended.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains("upload"))
            .collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Asked {
    /// The request in short: `PUT`, `PUT part`, `POST begin`, `POST complete`, `DELETE upload`, …
    pub(crate) fn what(&self) -> String {
        let of = match self.query.as_str() {
            "" => return self.method.to_string(),
            query if query.contains("partNumber") => "part",
            query if query.starts_with("uploads") => "begin",
            query if query.contains("list-type") => "list",
            query if query.contains("uploadId") && self.method == Method::POST => "complete",
            query if query.contains("uploadId") => "upload",
            query => query,
        };
        format!("{} {of}", self.method)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

async fn serve(listener: TcpListener, service: S3Service, state: Arc<State>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        connection.set_nodelay(true).unwrap();
        let (service, state) = (service.clone(), Arc::clone(&state));
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, state) = (service.clone(), Arc::clone(&state));
            async move { Ok::<_, Infallible>(answer(&service, &state, request).await) }
        });
        tokio::spawn(async move {
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(connection), answer)
                .await;
        });
    }
}

async fn answer(service: &S3Service, state: &State, request: Request<Incoming>) -> Response<Body> {
    let asked = Asked {
        method: request.method().clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        headers: request.headers().clone(),
    };
    let fault = (lock(&state.fault))(&asked);
    lock(&state.asked).push(asked);
    state.news.notify_waiters();
    match fault {
        Fault::Status(status) => {
            // A client that is answered before its body was read may see a reset instead.
            let _ = request.into_body().collect().await;
            let body = Full::from("<Error><Code>Told</Code></Error>").map_err(Into::into);
            let mut answer = Response::new(body.boxed_unsync());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer
        }
        Fault::Cut(after) => {
            let (head, body) = done(service, request).await.into_parts();
            let sent = body.collect().await.unwrap().to_bytes();
            let kept = sent.slice(..after.min(sent.len()));
            let cut = Err::<Frame<Bytes>, _>("cut".into());
            // The pause lets the server send what it has.
            let cut = stream::once(async {
                tokio::task::yield_now().await;
                cut
            });
            let frames = stream::iter([Ok(Frame::data(kept))]).chain(cut);
            Response::from_parts(head, StreamBody::new(frames).boxed_unsync())
        }
        Fault::Hold(gate) => {
            gate.acquire().await.unwrap().forget();
            done(service, request).await
        }
        Fault::None => done(service, request).await,
    }
}

async fn done(service: &S3Service, request: Request<Incoming>) -> Response<Body> {
    let answer = service.call(request.map(s3s::Body::from)).await.unwrap();
    answer.map(|body| body.map_err(Into::into).boxed_unsync())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
