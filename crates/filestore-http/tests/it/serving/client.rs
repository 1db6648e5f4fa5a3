//! A client that writes and reads bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;
use crate::harness::{Ask, Token};

/// One connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// What was read past the last answer.
    ahead: Vec<u8>,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Received {
    #[track_caller]
    pub(super) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("no header {name} in {self:?}"))
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields
            .into_iter()
            .find_map(|(field, value)| field.eq_ignore_ascii_case(name).then_some(value))
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), ahead: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// The next answer, with its body.
    pub(super) async fn answer(&mut self) -> Received {
        let (status, head) = self.head().await;
        let mut received = Received { status, head, body: Vec::new() };
        let size = received.find("content-length").map_or(0, |size| size.parse().unwrap());
        while self.ahead.len() < size {
            assert!(self.more().await > 0, "the body broke off: {received:?}");
        }
        received.body = self.ahead.drain(..size).collect();
        received
    }

    /// The head of the next answer.
    pub(super) async fn head(&mut self) -> (u16, String) {
        loop {
            if let Some(end) = memchr::memmem::find(&self.ahead, b"\r\n\r\n") {
                let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
                let head = String::from_utf8(head).unwrap();
                return (head[9..12].parse().unwrap(), head);
            }
            assert!(self.more().await > 0, "no answer came");
        }
    }

    /// Everything until the server closes the connection, in whatever way.
    pub(super) async fn rest(mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        self.ahead
    }

    async fn more(&mut self) -> usize {
        soon(self.stream.read_buf(&mut self.ahead)).await.unwrap_or(0)
    }
}

/// The head of a request with a good token, and whatever `ask` has, as HTTP/1.1 writes it.
pub(super) fn head(ask: &Ask, fields: &str) -> String {
    let mut head = format!("{} {} HTTP/1.1\r\n", ask.method, ask.target);
    for (name, value) in &ask.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    format!("{head}Authorization: Bearer {}\r\n{fields}\r\n", Token::full())
}

/// A whole request with a good token.
pub(super) fn request(ask: &Ask) -> Vec<u8> {
    let length = format!("Content-Length: {}\r\n", ask.content.len());
    [head(ask, &length).as_bytes(), &ask.content].concat()
}
