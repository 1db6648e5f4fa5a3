//! HTTP/1.1 over one connection, no more of it than the servers under comparison send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::plan::Request;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) received: u64,
}

pub(crate) struct Connection<'b> {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    block: &'b [u8],
    buffer: Vec<u8>,
    closed: bool,
}

impl<'b> Connection<'b> {
    const BUFFER: usize = 256 * 1024;

    pub(crate) fn open(address: SocketAddr, block: &'b [u8]) -> io::Result<Self> {
        let stream = connect(address)?;
        Ok(Self { address, stream, block, buffer: vec![0; Self::BUFFER], closed: false })
    }

    pub(crate) fn exchange(&mut self, request: &Request, turn: usize) -> io::Result<Answer> {
        if self.closed {
            self.stream = connect(self.address)?;
            self.closed = false;
        }
        // A refusal may come, and the connection end, before the body is sent.
        let sent = self.send(request, turn);
        self.closed = sent.is_err();
        self.receive(request.head.starts_with("HEAD "))
    }

    fn send(&mut self, request: &Request, turn: usize) -> io::Result<()> {
        let stream = self.stream.get_mut();
        let mut start = request.start(turn);
        let mut rest = request.content;
        // What fits is one write with the head.
        if rest <= 16 * 1024 {
            start.extend(self.block.iter().cycle().take(rest as usize));
            start.extend_from_slice(request.suffix.as_bytes());
            return stream.write_all(&start);
        }
        stream.write_all(&start)?;
        while rest > 0 {
            let len = self.block.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            stream.write_all(self.block.get(..len).unwrap_or_default())?;
            rest -= len as u64;
        }
        stream.write_all(request.suffix.as_bytes())
    }

    fn receive(&mut self, bodiless: bool) -> io::Result<Answer> {
        let mut status = self.line()?;
        while status.starts_with("HTTP/1.1 100") {
            while !self.line()?.is_empty() {}
            status = self.line()?;
        }
        let status: u16 = status
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| broken("no status line"))?;
        let (mut length, mut chunked) = (None, false);
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or_else(|| broken("no header field"))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse::<u64>().ok(),
                "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
                "connection" => self.closed |= value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        let received = if bodiless || matches!(status, 204 | 304) {
            0
        } else if chunked {
            self.chunks()?
        } else if let Some(length) = length {
            self.skip(length)?
        } else {
            self.closed = true;
            self.skip(u64::MAX)?
        };
        Ok(Answer { status, received })
    }

    fn chunks(&mut self) -> io::Result<u64> {
        let mut received = 0;
        loop {
            let line = self.line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| broken("no chunk size"))?;
            received += self.skip(size)?;
            let end = self.line()?;
            if size == 0 {
                return Ok(received);
            }
            if !end.is_empty() {
                return Err(broken("a chunk without its end"));
            }
        }
    }

    /// Reads that much, or to the end of an answer whose length nobody told.
    fn skip(&mut self, size: u64) -> io::Result<u64> {
        let mut rest = size;
        while rest > 0 {
            let len = usize::try_from(rest).unwrap_or(usize::MAX).min(self.buffer.len());
            let buffer = self.buffer.get_mut(..len).unwrap_or_default();
            match self.stream.read(buffer)? {
                0 if size == u64::MAX => break,
                0 => return Err(broken("the answer broke off")),
                count => rest -= count as u64,
            }
        }
        Ok(size - rest)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if (&mut self.stream).take(64 * 1024).read_line(&mut line)? == 0 {
            return Err(broken("the connection was closed"));
        }
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        Ok(line)
    }
}

fn connect(address: SocketAddr) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    // Nothing here is to hang for ever, and 10 GiB are to be written and synced in one answer.
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    Ok(BufReader::with_capacity(16 * 1024, stream))
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
