//! Extents as numbers: least and greatest first coordinate, then those of the second.

use crate::error::{Error, Result};
use crate::record::Extent;

/// The edges of an extent, for columns that are all empty where there is none.
///
/// # Errors
/// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) when they are not in ascending order.
pub fn extent_edges(extent: Option<Extent>) -> Result<[Option<f64>; 4]> {
    let Some(extent) = extent else { return Ok([None; 4]) };
    if !extent.is_ascending() {
        return Err(Error::invalid("an extent needs edges in ascending order"));
    }
    Ok(extent.edges().map(Some))
}

/// The edges of an extent, none of them beyond what 32 bits hold: an index may have no more for a
/// coordinate, or multiply two of them.
pub fn clamped_edges(extent: &Extent) -> [f64; 4] {
    let most = f64::from(f32::MAX);
    extent.edges().map(|edge| edge.clamp(-most, most))
}
