//! The server on a socket: what only connections can show.

mod client;
mod deadlines;
mod draining;
mod framing;
mod http2;
mod limits;
mod refusals;

use std::net::SocketAddr;
use std::time::Duration;

use filestore_http::{ServeOptions, serve};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::harness::World;
use client::Client;

/// A server on a port of its own.
struct Running {
    world: World,
    address: SocketAddr,
    shutdown: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(options: ServeOptions) -> Self {
        let world = World::memory().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel();
        let ended = async {
            let _ = asked.await;
        };
        let task = tokio::spawn(serve(listener, world.adapter.clone(), options, ended));
        Self { world, address, shutdown, task }
    }

    async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// Ends the server and waits for its end.
    async fn stop(self) -> World {
        let _ = self.shutdown.send(());
        soon(self.task).await.unwrap();
        self.world
    }
}

/// What must happen soon, and would hang for ever if it did not happen.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this hangs")
}

#[tokio::test]
async fn a_server_says_how_it_is() {
    let running = Running::start(ServeOptions::default()).await;
    let mut client = running.connect().await;
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/", 404), ("/nothing", 404)] {
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-request-id").len(), 36);
    }
    drop(client);
    running.stop().await;
}
