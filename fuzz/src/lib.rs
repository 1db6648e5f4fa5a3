//! What the fuzz targets share.

pub mod form;
pub mod frames;
pub mod lines;
pub mod server;
pub mod session;
pub mod shape;

/// The future's outcome. Nothing here waits for anything, so that one poll must be enough.
pub fn now<F: Future>(future: F) -> F::Output {
    futures::FutureExt::now_or_never(future).expect("nothing here waits")
}
