//! Where clients come in.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::slots::{Slot, Slots};

pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) slots: Arc<Slots>,
    /// Accepted, and waiting for a slot: whoever drops [`Door::next`] does not turn it away.
    pub(super) waiting: Option<(TcpStream, SocketAddr)>,
}

pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
    pub(super) slot: Slot,
}

impl Door {
    /// The next client, once there is a slot for it.
    pub(super) async fn next(&mut self) -> Client {
        loop {
            if self.waiting.is_none() {
                self.waiting = Some(self.accepted().await);
            }
            let slot = self.slots.take().await;
            if let Some((stream, address)) = self.waiting.take() {
                return Client { stream, address, slot };
            }
        }
    }

    async fn accepted(&self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => return accepted,
                // Out of descriptors, or a client that left at once: neither is a reason to end.
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
