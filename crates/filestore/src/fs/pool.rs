//! Buffers that are used again: making a new one costs more than reading into it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Free buffers, all of one size.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<Vec<u8>>>);

/// A buffer that returns to its pool when the last [`Bytes`] made of it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// Size of a pooled buffer: a read of this many cached bytes is short enough for a runtime
    /// thread, and more of them would not stay in a core's cache.
    pub(super) const BUFFER: usize = 256 * 1024;
    /// Up to this many bytes a new buffer is cheap, and a pooled one would be held for little.
    pub(super) const SMALL: usize = 64 * 1024;
    const MAX_FREE: usize = 32;

    /// A buffer of `len` bytes, at most [`Pool::BUFFER`]. What it holds is not defined.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer {
        let len = len.min(Self::BUFFER);
        let bytes = if len <= Self::SMALL {
            vec![0; len]
        } else {
            self.free(Vec::pop).unwrap_or_else(|| vec![0; Self::BUFFER])
        };
        Buffer { bytes, len, pool: Arc::clone(self) }
    }

    fn free<T>(&self, with: impl FnOnce(&mut Vec<Vec<u8>>) -> T) -> T {
        with(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Buffer {
    /// The bytes from `start` on, to be written.
    pub(super) fn rest_mut(&mut self, start: usize) -> &mut [u8] {
        self.bytes.get_mut(start..self.len).unwrap_or_default()
    }

    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if bytes.len() != Pool::BUFFER {
            return;
        }
        self.pool.free(|free| {
            if free.len() < Pool::MAX_FREE {
                free.push(bytes);
            }
        });
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = self.free(|free| free.len());
        f.debug_struct("Pool").field("free", &free).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_is_gone() {
        let pool = Arc::new(Pool::default());
        let mut buffer = pool.take(Pool::SMALL + 1);
        buffer.rest_mut(0).fill(7);
        let bytes = buffer.freeze();
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(pool.free(|free| free.len()), 0);
        assert_eq!(slice, [7; 10][..]);
        drop(slice);
        assert_eq!(pool.free(|free| free.len()), 1);
        assert_eq!(pool.take(Pool::BUFFER).freeze().len(), Pool::BUFFER);
    }

    #[test]
    fn small_and_surplus_buffers_are_not_kept() {
        let pool = Arc::new(Pool::default());
        drop(pool.take(Pool::SMALL));
        assert_eq!(pool.free(|free| free.len()), 0);
        drop((0..100).map(|_| pool.take(Pool::BUFFER)).collect::<Vec<_>>());
        assert_eq!(pool.free(|free| free.len()), Pool::MAX_FREE);
    }
}
