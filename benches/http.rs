//! Uploads and downloads over a connection that is kept open, on the loopback interface.

use std::cell::LazyCell;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput};
use filestore::SystemClock;
use filestore_benches::access::{secret, token};
use filestore_benches::content::noise;
use filestore_benches::forms;
use filestore_benches::{Backend, Stage};
use filestore_http::auth::JwtAuthenticator;
use filestore_http::dialects::{Jea, Molgenis};
use filestore_http::presign::{PresignKey, PresignKeys, Presigner};
use filestore_http::{Adapter, ServeOptions, serve};
use futures::lock::Mutex;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const SIZES: [(&str, usize); 2] = [("4KiB", 4 << 10), ("64MiB", 64 << 20)];

pub(crate) fn bench(criterion: &mut Criterion) {
    http(criterion, Backend::Memory);
    http(criterion, Backend::Durable);
}

fn http(criterion: &mut Criterion, backend: Backend) {
    let service = LazyCell::new(|| Service::start(backend));
    let mut group = criterion.benchmark_group(format!("http/{}", backend.name()));
    group.sampling_mode(SamplingMode::Flat);
    for (name, size) in SIZES {
        group.throughput(Throughput::Bytes(size as u64));
        let raw = LazyCell::new(|| raw(noise(size)));
        group.bench_function(format!("upload-raw/{name}"), |bencher| {
            bencher.iter_custom(|iterations| service.upload(iterations, size, &raw));
        });
        let form = LazyCell::new(|| form(&noise(size)));
        group.bench_function(format!("upload-form/{name}"), |bencher| {
            bencher.iter_custom(|iterations| service.upload(iterations, size, &form));
        });
        let path = LazyCell::new(|| service.store(&raw));
        group.bench_function(format!("download/{name}"), |bencher| {
            bencher.iter_custom(|iterations| service.download(iterations, size, &path));
        });
    }
}

type Sent = Request<Full<Bytes>>;

/// The upload of the page "MOLGENIS Files api".
fn raw(content: Bytes) -> Sent {
    let request = Request::post(Molgenis::MOUNT)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header("x-molgenis-filename", "bench");
    request.body(content.into()).unwrap()
}

/// The upload of the page "Upload a File to JEA".
fn form(content: &Bytes) -> Sent {
    Request::post(format!("{}/upload", Jea::MOUNT))
        .header(header::CONTENT_TYPE, forms::content_type())
        .body(forms::form(content).into())
        .unwrap()
}

/// A server, and a client on a thread of its own: the one that measures.
struct Service {
    client: Runtime,
    connection: Mutex<SendRequest<Full<Bytes>>>,
    token: String,
    stage: Stage,
}

impl Service {
    fn start(backend: Backend) -> Self {
        let stage = Stage::open(backend);
        let keys = PresignKeys::new(PresignKey::derive(&secret()).unwrap());
        let adapter = Adapter::builder(
            stage.files.store().clone(),
            JwtAuthenticator::builder().secret(secret()).build().unwrap(),
            Presigner::new(keys, Arc::new(SystemClock)),
        );
        let adapter = adapter.mount(Jea::MOUNT, Jea).mount(Molgenis::MOUNT, Molgenis).build();
        let listener = stage.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        stage.runtime.spawn(serve(listener, adapter, ServeOptions::default(), pending()));

        let client = Builder::new_current_thread().enable_all().build().unwrap();
        let connection = client.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (requests, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            Mutex::new(requests)
        });
        Self { client, connection, token: format!("Bearer {}", token()), stage }
    }

    fn upload(&self, iterations: u64, size: usize, request: &Sent) -> Duration {
        self.client.block_on(self.stage.timed(iterations, 1, size, async |n| {
            for _ in 0..n {
                let answer = self.send(request.clone()).await;
                assert!(answer.status().is_success(), "{}", answer.status());
                answer.into_body().collect().await.unwrap();
            }
        }))
    }

    /// Uploads a file and answers where it is.
    fn store(&self, request: &Sent) -> Uri {
        let answer = self.client.block_on(self.send(request.clone()));
        assert_eq!(answer.status(), StatusCode::CREATED);
        let location = answer.headers()[header::LOCATION].to_str().unwrap();
        let location: Uri = location.parse().unwrap();
        location.path_and_query().unwrap().as_str().parse().unwrap()
    }

    fn download(&self, iterations: u64, size: usize, path: &Uri) -> Duration {
        let start = Instant::now();
        self.client.block_on(async {
            for _ in 0..iterations {
                let request = Request::get(path).body(Full::default()).unwrap();
                let answer = self.send(request).await;
                assert_eq!(answer.status(), StatusCode::OK);
                assert_eq!(length(answer.into_body()).await, size);
            }
        });
        start.elapsed()
    }

    async fn send(&self, mut request: Sent) -> Response<Incoming> {
        let headers = request.headers_mut();
        headers.insert(header::HOST, "localhost".parse().unwrap());
        headers.insert(header::AUTHORIZATION, self.token.parse().unwrap());
        let mut connection = self.connection.lock().await;
        connection.ready().await.unwrap();
        connection.send_request(request).await.unwrap()
    }
}

async fn length(mut body: Incoming) -> usize {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    length
}
