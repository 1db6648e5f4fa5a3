//! Places on a map: as files have them, and as filters ask for them.
//!
//! The repository keeps the smallest box around a place and answers by that; [`PlaceTest`] looks
//! at the place itself, on what the boxes leave over.

use filestore::{Cond, Error, Extent, FileRecord, Result};
use geo::{BoundingRect, Geometry, Intersects, Relate, Validation};
use geojson::{GeometryValue, Position};
use serde::Deserialize;
use serde_json::Value;

use super::GEO_LOCATION;
use super::limits::MAX_GEO_LOCATION;

/// No coordinate on any map in use is greater; with greater ones, sums of products would overflow.
const MAX_COORDINATE: f64 = 1e12;
const TYPES: [&str; 6] =
    ["Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"];

/// A file's place, checked.
#[derive(Debug)]
pub(super) struct GeoLocation {
    /// The JSON as it came, without spaces.
    pub(super) text: String,
    /// The box around it.
    pub(super) extent: Extent,
}

impl GeoLocation {
    /// A GeoJSON feature (RFC 7946, section 3.2) with one of six kinds of geometry.
    pub(super) fn parse(value: &Value) -> Result<Self> {
        if value.get("type").and_then(Value::as_str) != Some("Feature") {
            return Err(wrong("type must be Feature"));
        }
        if value.get("properties").is_some_and(|it| !it.is_object() && !it.is_null()) {
            return Err(wrong("properties must be an object"));
        }
        let geometry = value.get("geometry").ok_or_else(|| wrong("geometry is required"))?;
        let extent = extent(&parse_geometry(geometry)?)?;
        let text = value.to_string();
        if text.len() > MAX_GEO_LOCATION {
            return Err(wrong(&format!("it is limited to {MAX_GEO_LOCATION} bytes")));
        }
        Ok(Self { text, extent })
    }
}

fn wrong(what: &str) -> Error {
    Error::invalid(format!("geoLocation: {what}"))
}

fn parse_geometry(value: &Value) -> Result<Geometry> {
    let kind = value.get("type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| TYPES.contains(&kind)) {
        return Err(wrong(&format!("a geometry's type is one of {}", TYPES.join(", "))));
    }
    let geometry = serde_json::from_value::<geojson::Geometry>(value.clone())
        .map_err(|_| wrong("coordinates do not fit the geometry's type"))?;
    check(&geometry.value)?;
    Geometry::try_from(&geometry.value)
        .map_err(|_| wrong("coordinates do not fit the geometry's type"))
}

/// RFC 7946, section 3.1; nothing is empty.
fn check(geometry: &GeometryValue) -> Result<()> {
    match geometry {
        GeometryValue::Point { coordinates } => check_position(coordinates),
        GeometryValue::MultiPoint { coordinates } => line(coordinates, 1),
        GeometryValue::LineString { coordinates } => line(coordinates, 2),
        GeometryValue::MultiLineString { coordinates } => each(coordinates, |it| line(it, 2)),
        GeometryValue::Polygon { coordinates } => each(coordinates, |it| ring(it)),
        GeometryValue::MultiPolygon { coordinates } => {
            each(coordinates, |polygon| each(polygon, |it| ring(it)))
        }
        GeometryValue::GeometryCollection { .. } => Err(wrong("collections are not supported")),
    }
}

fn each<T>(parts: &[T], check: impl Fn(&T) -> Result<()>) -> Result<()> {
    if parts.is_empty() {
        return Err(wrong("coordinates must not be empty"));
    }
    parts.iter().try_for_each(check)
}

fn ring(positions: &[Position]) -> Result<()> {
    line(positions, 4)?;
    if positions.first() != positions.last() {
        return Err(wrong("a ring of a polygon ends where it begins"));
    }
    Ok(())
}

fn line(positions: &[Position], least: usize) -> Result<()> {
    if positions.len() < least {
        return Err(wrong(&format!("{least} or more positions are required")));
    }
    positions.iter().try_for_each(check_position)
}

fn check_position(position: &Position) -> Result<()> {
    let numbers = position.as_slice();
    if !(2..=3).contains(&numbers.len()) || numbers.iter().any(|n| n.abs() > MAX_COORDINATE) {
        return Err(wrong("a position is two or three numbers"));
    }
    Ok(())
}

fn extent(geometry: &Geometry) -> Result<Extent> {
    let around = geometry.bounding_rect().ok_or_else(|| wrong("coordinates must not be empty"))?;
    let (min, max) = (around.min(), around.max());
    Ok(Extent { min_x: min.x, max_x: max.x, min_y: min.y, max_y: max.y })
}

/// `{"relation": …, "shape": {…}}`
#[derive(Clone, Debug, Deserialize)]
pub(super) struct GeoFilter {
    relation: String,
    shape: Value,
}

/// How a file's place lies to a shape. On the edge is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Intersects,
    Disjoint,
    Within,
}

/// A condition on a file's place.
#[derive(Debug)]
pub(in crate::dialects::cdf) struct PlaceTest {
    relation: Relation,
    shape: Geometry,
    extent: Extent,
    /// Whether the library can tell what is inside the shape: not when it crosses itself.
    is_valid: bool,
}

impl PlaceTest {
    pub(super) fn parse(filter: &GeoFilter) -> Result<Self> {
        let relation = match filter.relation.to_ascii_lowercase().as_str() {
            "intersects" => Relation::Intersects,
            "disjoint" => Relation::Disjoint,
            "within" => Relation::Within,
            _ => return Err(wrong("relation is one of intersects, disjoint, within")),
        };
        let shape = parse_geometry(&filter.shape)?;
        let is_valid = shape.is_valid();
        if relation == Relation::Within && !is_valid {
            return Err(wrong("nothing is within a shape that crosses itself"));
        }
        Ok(Self { relation, extent: extent(&shape)?, shape, is_valid })
    }

    /// What the repository can say beforehand: it finds every file that fits, and some that do not.
    pub(super) fn condition(&self) -> Cond {
        match self.relation {
            Relation::Intersects | Relation::Within => Cond::Overlaps(self.extent),
            Relation::Disjoint => Cond::Overlaps(EVERYWHERE),
        }
    }

    /// Whether the file's place fits. A file without one never does.
    pub(in crate::dialects::cdf) fn holds(&self, record: &FileRecord) -> bool {
        let Some(place) = place(record) else { return false };
        match self.relation {
            Relation::Intersects => self.shape.intersects(&place),
            Relation::Disjoint => !self.shape.intersects(&place),
            Relation::Within => {
                self.is_valid && place.is_valid() && place.relate(&self.shape).is_coveredby()
            }
        }
    }
}

/// A box that overlaps all others.
const EVERYWHERE: Extent = Extent {
    min_x: -MAX_COORDINATE,
    max_x: MAX_COORDINATE,
    min_y: -MAX_COORDINATE,
    max_y: MAX_COORDINATE,
};

fn place(record: &FileRecord) -> Option<Geometry> {
    let text = record.attributes.extras.get(GEO_LOCATION)?;
    let feature: Value = serde_json::from_str(text).ok()?;
    parse_geometry(feature.get("geometry")?).ok()
}
