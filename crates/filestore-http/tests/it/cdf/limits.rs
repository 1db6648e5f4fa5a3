//! What the page allows, and one past it.

use serde_json::{Map, Value, json};

use super::{create, error, post};
use crate::harness::World;

cdf! {
    texts_have_their_lengths
    a_name_is_required
    metadata_have_their_sizes
    lists_have_their_lengths
    ids_have_their_range
    times_are_not_negative
    labels_are_objects
    places_are_features
    what_is_no_object_is_refused
    nothing_is_as_good_as_absent
}

const MAX_ID: u64 = (1 << 53) - 1;

/// Creates and updates a file with this field.
async fn takes(world: &World, field: &str, value: &Value) {
    let mut body = json!({"name": "x"});
    body[field] = value.clone();
    let file = create(world, body).await;
    assert_eq!(&file[field], value, "{field}");
    if field == "name" {
        return;
    }
    let id = create(world, json!({"name": "x"})).await["id"].clone();
    // No two files have one external id.
    if field == "externalId" {
        post(world, "/delete", json!({"items": [{"id": file["id"]}]})).await.expect(200);
    }
    let update = json!({"items": [{"id": id, "update": {field: {"set": value}}}]});
    let updated = post(world, "/update", update).await.expect(200).json();
    assert_eq!(&updated["items"][0][field], value, "{field}");
}

async fn refuses(world: &World, field: &str, value: &Value) {
    let before = world.count().await;
    let mut body = json!({"name": "x"});
    body[field] = value.clone();
    for path in ["", "?overwrite=true", "/initmultipartupload?parts=1"] {
        error(post(world, path, body.clone()).await, 400);
    }
    assert_eq!(world.count().await, before, "{field}");
    if field == "name" {
        return;
    }
    let id = create(world, json!({"name": "x"})).await["id"].clone();
    let update = json!({"items": [{"id": id, "update": {field: {"set": value}}}]});
    error(post(world, "/update", update).await, 400);
}

async fn texts_have_their_lengths(world: &World) {
    for (field, start, most) in [
        ("name", "", 256),
        ("externalId", "", 255),
        ("directory", "/", 512),
        ("source", "", 128),
        ("mimeType", "", 256),
    ] {
        // Characters are counted and not bytes.
        for c in ["x", "文", "😀"] {
            let text = |size: usize| json!(format!("{start}{}", c.repeat(size - start.len())));
            takes(world, field, &text(most)).await;
            refuses(world, field, &text(most + 1)).await;
        }
        refuses(world, field, &json!(7)).await;
        refuses(world, field, &json!("a\0b")).await;
    }
    for relative in ["a/b", "", "./a", "\\a"] {
        refuses(world, "directory", &json!(relative)).await;
    }
    refuses(world, "externalId", &json!("")).await;
}

async fn a_name_is_required(world: &World) {
    for body in [json!({}), json!({"name": null}), json!({"name": ""}), json!({"Name": "x"})] {
        error(post(world, "", body).await, 400);
    }
}

async fn metadata_have_their_sizes(world: &World) {
    let long = |size: usize| json!({"": "x".repeat(size)});
    takes(world, "metadata", &long(10_240)).await;
    refuses(world, "metadata", &long(10_241)).await;
    takes(world, "metadata", &json!({"é".repeat(64): "v"})).await;
    refuses(world, "metadata", &json!({format!("{}x", "é".repeat(64)): "v"})).await;
    let pairs = |count: usize| -> Value {
        (0..count).map(|n| (n.to_string(), json!("v"))).collect::<Map<_, _>>().into()
    };
    takes(world, "metadata", &pairs(256)).await;
    refuses(world, "metadata", &pairs(257)).await;
    // Keys count, too.
    takes(world, "metadata", &json!({"abc": "x".repeat(10_237)})).await;
    refuses(world, "metadata", &json!({"abc": "x".repeat(10_238)})).await;
    for wrong in [json!({"k": 1}), json!({"k": null}), json!([]), json!("k")] {
        refuses(world, "metadata", &wrong).await;
    }
}

async fn lists_have_their_lengths(world: &World) {
    let ids = |count: usize| json!((1..=count).collect::<Vec<_>>());
    takes(world, "assetIds", &ids(1)).await;
    takes(world, "assetIds", &ids(1000)).await;
    refuses(world, "assetIds", &ids(1001)).await;
    error(post(world, "", json!({"name": "x", "assetIds": []})).await, 400);
    takes(world, "securityCategories", &ids(100)).await;
    refuses(world, "securityCategories", &ids(101)).await;
    let labels = |count: usize| -> Value {
        (0..count).map(|n| json!({"externalId": n.to_string()})).collect::<Vec<_>>().into()
    };
    takes(world, "labels", &labels(10)).await;
    refuses(world, "labels", &labels(11)).await;
}

async fn ids_have_their_range(world: &World) {
    takes(world, "dataSetId", &json!(1)).await;
    takes(world, "dataSetId", &json!(MAX_ID)).await;
    for wrong in [json!(0), json!(MAX_ID + 1), json!(-1), json!("1"), json!(1.5), json!(u64::MAX)] {
        refuses(world, "dataSetId", &wrong).await;
        refuses(world, "assetIds", &json!([wrong])).await;
        refuses(world, "securityCategories", &json!([wrong])).await;
    }
    takes(world, "assetIds", &json!([MAX_ID, 1])).await;
    takes(world, "securityCategories", &json!([MAX_ID, 1])).await;
}

async fn times_are_not_negative(world: &World) {
    for field in ["sourceCreatedTime", "sourceModifiedTime"] {
        takes(world, field, &json!(0)).await;
        takes(world, field, &json!(1_730_204_346_000_u64)).await;
        for wrong in [json!(-1), json!("2024"), json!(0.5)] {
            refuses(world, field, &wrong).await;
        }
    }
}

async fn labels_are_objects(world: &World) {
    takes(world, "labels", &json!([{"externalId": "x".repeat(255)}])).await;
    for wrong in [
        // Too many are not even compared with each other.
        json!(vec![json!({"externalId": "x"}); 11]),
        json!(["x"]),
        json!([{"externalId": "x".repeat(256)}]),
        json!([{"externalId": ""}]),
        json!([{}]),
        json!([["x"]]),
        json!({}),
    ] {
        refuses(world, "labels", &wrong).await;
    }
}

fn feature(kind: &str, coordinates: Value) -> Value {
    json!({"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}})
}

async fn places_are_features(world: &World) {
    let ring = json!([[0, 0], [4, 0], [4, 4.5], [0, 0]]);
    let good = [
        feature("Point", json!([1, 2])),
        feature("Point", json!([1.25, -2.5, 3])),
        feature("MultiPoint", json!([[1, 2]])),
        feature("LineString", json!([[1, 2], [3, 4]])),
        feature("MultiLineString", json!([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])),
        feature("Polygon", json!([ring])),
        feature("MultiPolygon", json!([[ring], [ring]])),
    ];
    for place in &good {
        takes(world, "geoLocation", place).await;
        let mut described = place.clone();
        described["properties"] = json!({"a": {"b": [1, null, "c"]}});
        takes(world, "geoLocation", &described).await;
        // What is no member of a geometry may be anything.
        described["geometry"]["scale"] =
            serde_json::from_str("[-329702704127287492608, 1e400]").unwrap();
        takes(world, "geoLocation", &described).await;
    }
    for (kind, coordinates) in [
        ("Point", json!([1])),
        ("Point", json!([])),
        ("Point", json!([[1, 2]])),
        ("Point", json!(["1", "2"])),
        ("Point", json!([1, 2, 3, 4])),
        ("Point", json!([1, 1e300])),
        ("MultiPoint", json!([])),
        ("MultiPoint", json!([1, 2])),
        ("LineString", json!([[1, 2]])),
        ("MultiLineString", json!([[[1, 2]]])),
        ("Polygon", json!([])),
        ("Polygon", json!([[[0, 0], [4, 0], [0, 0]]])),
        ("Polygon", json!([[[0, 0], [4, 0], [4, 4], [0, 1]]])),
        ("MultiPolygon", json!([ring])),
        ("GeometryCollection", json!([])),
        ("Circle", json!([1, 2])),
    ] {
        refuses(world, "geoLocation", &feature(kind, coordinates)).await;
    }
    let point = json!({"type": "Point", "coordinates": [1, 2]});
    for wrong in [
        point.clone(),
        json!({"type": "feature", "geometry": point}),
        json!({"type": "Feature"}),
        json!({"type": "Feature", "geometry": null}),
        json!({"type": "Feature", "geometry": point, "properties": []}),
        json!("Feature"),
    ] {
        refuses(world, "geoLocation", &wrong).await;
    }
    let long = |size: usize| {
        let mut place = feature("Point", json!([1, 2]));
        place["properties"] = json!({"x": ""});
        let rest = size - place.to_string().len();
        place["properties"]["x"] = json!("x".repeat(rest));
        place
    };
    takes(world, "geoLocation", &long(32 << 10)).await;
    refuses(world, "geoLocation", &long((32 << 10) + 1)).await;
}

async fn what_is_no_object_is_refused(world: &World) {
    for body in ["", "{", "[]", "[\"x\"]", "null", "\"x\"", "{} {}"] {
        for path in ["", "/list", "/byids", "/search", "/aggregate", "/update", "/delete"] {
            let ask = super::ask(path, Value::Null).body(body);
            error(world.send(ask).await, 400);
        }
    }
    let twice = super::ask("", Value::Null).body(r#"{"name": "a", "name": "b"}"#);
    error(world.send(twice).await, 400);
    for path in ["/list", "/search", "/aggregate"] {
        error(post(world, path, json!({"filter": []})).await, 400);
    }
    assert_eq!(world.count().await, 0);
}

async fn nothing_is_as_good_as_absent(world: &World) {
    let body = json!({
        "name": "x", "externalId": null, "directory": null, "source": null, "mimeType": null,
        "metadata": null, "assetIds": null, "dataSetId": null, "sourceCreatedTime": null,
        "sourceModifiedTime": null, "securityCategories": null, "labels": null,
        "geoLocation": null, "id": 7, "uploaded": true, "unheardOf": [1],
    });
    let file = create(world, body).await;
    assert_eq!(file["uploaded"], false);
    let mut members: Vec<_> = file.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    let bare = ["createdTime", "id", "labels", "lastUpdatedTime", "name", "uploadUrl", "uploaded"];
    assert_eq!(members, bare);
    assert_ne!(file["id"], 7);
    assert_eq!(file["labels"], json!([]));
    for path in ["/list", "/search"] {
        let body = json!({"filter": null, "limit": null, "cursor": null, "partition": null});
        assert_eq!(post(world, path, body).await.expect(200).json()["items"][0]["id"], file["id"]);
    }
}
