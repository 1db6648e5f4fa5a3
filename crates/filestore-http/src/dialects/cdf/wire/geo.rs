//! Places on a map: as files have them, and as filters ask for them.
//!
//! The repository keeps the smallest box around a place and answers by that; [`PlaceTest`] looks
//! at the place itself, on what the boxes leave over.

use filestore::{Cond, Error, Extent, FileRecord, Result};
use geo::{Area, BoundingRect, Geometry, Intersects, LineString, Polygon, Relate, Validation};
use geojson::{GeometryValue, Position};
use serde::Deserialize;
use serde_json::{Value, json};

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
    // Members of other names may hold anything, numbers of any length among it.
    let bare = json!({"type": kind, "coordinates": value.get("coordinates").map(as_floats)});
    let geometry = serde_json::from_value::<geojson::Geometry>(bare)
        .map_err(|_| wrong("coordinates do not fit the geometry's type"))?;
    check(&geometry.value)?;
    Geometry::try_from(&geometry.value)
        .map_err(|_| wrong("coordinates do not fit the geometry's type"))
}

/// The value with each number as the float it stands for: a [`Value`] keeps the digits as they came,
/// and `10.50` or `1e-05` would be no float to the library.
fn as_floats(value: &Value) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(as_floats).collect(),
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        other => other.clone(),
    }
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
        let is_valid = is_sound(&shape);
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

    /// The box around the shape.
    pub(in crate::dialects::cdf) fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether it is what lies outside of the shape that fits.
    pub(in crate::dialects::cdf) fn is_outside(&self) -> bool {
        self.relation == Relation::Disjoint
    }

    /// The sides of the shape, if it is a rectangle along the axes. Whatever has a box that meets
    /// none of them is inside or outside as its box is.
    pub(in crate::dialects::cdf) fn edges(&self) -> Option<[Extent; 4]> {
        let Geometry::Polygon(polygon) = &self.shape else { return None };
        let all @ Extent { min_x, max_x, min_y, max_y } = self.extent;
        let is_corner = |x: f64, y: f64| (x == min_x || x == max_x) && (y == min_y || y == max_y);
        let ring = polygon.exterior();
        let is_rectangle = polygon.interiors().is_empty()
            && ring.0.len() == 5
            && ring.coords().all(|at| is_corner(at.x, at.y))
            && ring.lines().all(|line| (line.dx() == 0.0) != (line.dy() == 0.0));
        let is_rectangle = is_rectangle && ring.lines().map(|line| line.dx()).any(|dx| dx > 0.0);
        (is_rectangle && self.is_valid).then_some([
            Extent { max_x: min_x, ..all },
            Extent { min_x: max_x, ..all },
            Extent { max_y: min_y, ..all },
            Extent { min_y: max_y, ..all },
        ])
    }

    /// Whether the file's place fits. A file without one never does.
    pub(in crate::dialects::cdf) fn holds(&self, record: &FileRecord) -> bool {
        place(record).is_some_and(|place| self.fits(&place))
    }

    fn fits(&self, place: &Geometry) -> bool {
        match self.relation {
            Relation::Intersects => self.shape.intersects(place),
            Relation::Disjoint => !self.shape.intersects(place),
            Relation::Within => {
                let is_inside = |place: &Geometry| place.relate(&self.shape).is_coveredby();
                self.is_valid
                    && if is_sound(place) {
                        is_inside(place)
                    } else {
                        around(place).is_some_and(|it| is_inside(&it))
                    }
            }
        }
    }
}

/// The box around a shape, as a shape.
fn around(geometry: &Geometry) -> Option<Geometry> {
    let around = geometry.bounding_rect()?;
    Some(match (around.width() > 0.0, around.height() > 0.0) {
        (true, true) => around.to_polygon().into(),
        (false, false) => geo::Point(around.min()).into(),
        _ => geo::Line::new(around.min(), around.max()).into(),
    })
}

/// Whether the library can tell inside from outside: rings have an area, and do not cross.
fn is_sound(geometry: &Geometry) -> bool {
    let has_area = |ring: &LineString| Polygon::new(ring.clone(), Vec::new()).unsigned_area() > 0.0;
    let is_solid = |polygon: &Polygon| {
        has_area(polygon.exterior()) && polygon.interiors().iter().all(has_area)
    };
    let is_solid = match geometry {
        Geometry::Polygon(polygon) => is_solid(polygon),
        Geometry::MultiPolygon(polygons) => polygons.iter().all(is_solid),
        _ => true,
    };
    is_solid && geometry.is_valid()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Positions on a small grid: most shapes made of them touch, overlap or cross themselves.
    fn positions(least: usize, most: usize) -> impl Strategy<Value = Vec<Value>> {
        let position = (0..5_i32, 0..5_i32, 0..4_i32);
        let position =
            position.prop_map(|(x, y, part)| json!([x, f64::from(y) + f64::from(part) / 3.0]));
        vec(position, least..most)
    }

    fn ring() -> impl Strategy<Value = Vec<Value>> {
        positions(3, 7).prop_map(|mut ring| {
            ring.extend(ring.first().cloned());
            ring
        })
    }

    fn geometry() -> impl Strategy<Value = Value> {
        let of = |kind: &'static str| move |coordinates: Value| json!({"type": kind, "coordinates": coordinates});
        prop_oneof![
            positions(1, 2).prop_map(|it| it[0].clone()).prop_map(of("Point")),
            positions(1, 5).prop_map(Value::from).prop_map(of("MultiPoint")),
            positions(2, 6).prop_map(Value::from).prop_map(of("LineString")),
            vec(positions(2, 5), 1..3).prop_map(|it| json!(it)).prop_map(of("MultiLineString")),
            vec(ring(), 1..3).prop_map(|it| json!(it)).prop_map(of("Polygon")),
            vec(vec(ring(), 1..3), 1..3).prop_map(|it| json!(it)).prop_map(of("MultiPolygon")),
        ]
    }

    #[test]
    fn numbers_are_read_however_they_are_written() {
        for number in ["10.5", "10.50", "1.05e1", "105e-01", "10.500000000000000000000001"] {
            let text = format!(r#"{{"type":"Point","coordinates":[{number},-1e-05]}}"#);
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(parse_geometry(&value).unwrap(), geo::Point::new(10.5, -1e-5).into());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn relations_of_any_shapes_agree(place in geometry(), shape in geometry()) {
            let shape = parse_geometry(&shape).unwrap();
            let place = parse_geometry(&place).unwrap();
            let extent = extent(&shape).unwrap();
            let is_valid = is_sound(&shape);
            let test = |relation| PlaceTest { relation, shape: shape.clone(), extent, is_valid };
            let intersects = test(Relation::Intersects).fits(&place);
            prop_assert_ne!(intersects, test(Relation::Disjoint).fits(&place));
            // What the repository's box leaves out is no loss.
            prop_assert!(!intersects || super::extent(&place).unwrap().overlaps(&extent));
            prop_assert!(intersects || !test(Relation::Within).fits(&place));
        }

        #[test]
        fn boxes_that_meet_no_edge_tell(place in geometry(), a in (0..5_i32, 0..5_i32), b in (1..5_i32, 1..5_i32)) {
            let place = parse_geometry(&place).unwrap();
            let (x, y) = (f64::from(a.0) - 0.1, f64::from(a.1));
            let (to_x, to_y) = (x + f64::from(b.0), y + f64::from(b.1) + 0.1);
            let ring = json!([[[x, y], [to_x, y], [to_x, to_y], [x, to_y], [x, y]]]);
            let shape = json!({"type": "Polygon", "coordinates": ring});
            let test = |relation: &str| {
                let filter = GeoFilter { relation: relation.into(), shape: shape.clone() };
                PlaceTest::parse(&filter).unwrap()
            };
            let own = extent(&place).unwrap();
            let intersects = test("intersects");
            let edges = intersects.edges().unwrap();
            if edges.iter().all(|edge| !own.overlaps(edge)) {
                let is_inside = own.overlaps(&intersects.extent());
                prop_assert_eq!(intersects.fits(&place), is_inside);
                prop_assert_eq!(test("within").fits(&place), is_inside);
                prop_assert_eq!(test("disjoint").fits(&place), !is_inside);
            }
        }
    }
}
