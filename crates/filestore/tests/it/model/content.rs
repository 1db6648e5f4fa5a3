//! Bytes that are sent, of lengths around everything that makes a difference.

use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use filestore::{ByteStream, Digest, Expect};

use crate::store::rig::{broken, frames, noise};

/// The largest segment that backends take inline, but for PostgreSQL, which takes half of it.
pub(crate) const INLINE: usize = 16 << 10;
/// The limit of a file and of a part.
pub(crate) const MAX_FILE: usize = 40_000;
/// The limit of a session.
pub(crate) const MAX_SESSION: usize = 45_000;

const SEEDS: usize = 100;

static NOISE: LazyLock<Bytes> = LazyLock::new(|| noise(MAX_FILE + 1 + SEEDS));

/// Content on its way in.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) len: usize,
    /// Contents of other seeds are others.
    pub(crate) seed: usize,
    pub(crate) how: How,
    pub(crate) declared: Declared,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Whole,
    Frames,
    BrokenOff,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Declared {
    Nothing,
    Truth,
    Fewer,
    More,
    OtherDigest,
    TooMuch,
}

impl Sent {
    pub(crate) fn bytes(&self) -> Bytes {
        let start = self.seed % SEEDS;
        NOISE.slice(start..start + self.len)
    }

    pub(crate) fn stream(&self) -> ByteStream<'static> {
        match self.how {
            How::Whole => self.bytes().into(),
            How::Frames => frames(&self.bytes(), 7_000),
            How::BrokenOff => broken(&self.bytes(), 7_000),
        }
    }

    pub(crate) fn expect(&self) -> Expect {
        let size = self.len as u64;
        match self.declared {
            Declared::Nothing => Expect::default(),
            Declared::Truth => Expect { size: Some(size), sha256: Some(Digest::of(&self.bytes())) },
            Declared::Fewer => Expect { size: Some(size.saturating_sub(1)), sha256: None },
            Declared::More => Expect { size: Some(size + 1), sha256: None },
            Declared::OtherDigest => Expect { size: None, sha256: Some(Digest::of(b"other")) },
            Declared::TooMuch => Expect { size: Some(MAX_FILE as u64 + 1), sha256: None },
        }
    }
}

/// What part `number` holds when all goes as planned.
pub(crate) fn planned(number: u32) -> Sent {
    const LENS: [usize; 4] = [INLINE, INLINE + 1, 300, 7_000];
    let number = number as usize;
    Sent {
        len: LENS[number % LENS.len()],
        seed: number,
        how: How::Frames,
        declared: Declared::Nothing,
    }
}

/// The first so many planned parts.
pub(crate) fn planned_whole(parts: u32) -> Vec<u8> {
    (1..=parts).flat_map(|number| planned(number).bytes()).collect()
}

/// Content that came out; fails print what tells it apart.
#[derive(Clone, PartialEq)]
pub(crate) struct Received(pub(crate) Bytes);

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes, {}", self.0.len(), Digest::of(&self.0))
    }
}
