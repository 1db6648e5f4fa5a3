//! Files: listed, searched, counted.

use serde_json::{Value, json};

use super::{create, error, post, stored};
use crate::harness::{Ask, World};

cdf! {
    every_filter_finds_its_files
    filters_that_make_no_sense_are_refused
    the_query_of_a_list_means_the_same
    pages_go_on_by_a_cursor
    partitions_share_the_files
    search_is_by_name
    places_are_compared_exactly
}

fn names(reply: &Value) -> Vec<&str> {
    let items = reply["items"].as_array().unwrap();
    let mut names: Vec<_> = items.iter().map(|it| it["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Three files that differ in everything.
async fn three(world: &World) {
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        let body = json!({
            "name": name, "externalId": format!("id/{name}"), "directory": format!("/{name}/d"),
            "source": name, "mimeType": format!("m/{name}"), "assetIds": [n + 1, 10],
            "dataSetId": n + 1, "metadata": {"k": name, "all": "yes"}, "sourceCreatedTime": n * 10,
            "sourceModifiedTime": n * 10, "labels": [{"externalId": name}, {"externalId": "all"}],
        });
        if name == "c" {
            stored(world, body, b"content").await;
        } else {
            create(world, body).await;
        }
    }
}

async fn every_filter_finds_its_files(world: &World) {
    three(world).await;
    for (filter, expected) in [
        (json!({}), "abc"),
        (json!({"unheardOf": 1}), "abc"),
        (json!({"name": "a"}), "a"),
        (json!({"name": "A"}), ""),
        (json!({"mimeType": "m/b"}), "b"),
        (json!({"source": "c"}), "c"),
        (json!({"source": "c", "name": "a"}), ""),
        (json!({"directoryPrefix": "/b"}), "b"),
        (json!({"directoryPrefix": "/"}), "abc"),
        (json!({"externalIdPrefix": "id/"}), "abc"),
        (json!({"externalIdPrefix": "id/a"}), "a"),
        (json!({"metadata": {"k": "a"}}), "a"),
        (json!({"metadata": {"k": "a", "all": "yes"}}), "a"),
        (json!({"metadata": {"k": "a", "all": "no"}}), ""),
        (json!({"assetIds": [1, 3]}), "ac"),
        (json!({"assetIds": [10]}), "abc"),
        (json!({"assetIds": []}), ""),
        (json!({"dataSetIds": [{"id": 2}, {"externalId": "x"}]}), "b"),
        (json!({"dataSetIds": [{"externalId": "x"}]}), ""),
        (json!({"assetExternalIds": ["x"]}), ""),
        (json!({"rootAssetIds": [{"id": 10}]}), ""),
        (json!({"assetSubtreeIds": [{"externalId": "x"}]}), ""),
        (json!({"uploaded": true}), "c"),
        (json!({"uploaded": false}), "ab"),
        (json!({"uploadedTime": {"min": 0}}), "c"),
        (json!({"createdTime": {"min": 0}}), "abc"),
        (json!({"lastUpdatedTime": {"max": 5}}), ""),
        (json!({"sourceCreatedTime": {"min": 0, "max": 10}}), "ab"),
        (json!({"sourceModifiedTime": {"min": 10, "max": 20}}), "bc"),
        (json!({"sourceModifiedTime": {"min": 20, "max": 10}}), ""),
        (json!({"labels": {"containsAll": [{"externalId": "all"}, {"externalId": "b"}]}}), "b"),
        (json!({"labels": {"containsAny": [{"externalId": "a"}, {"externalId": "b"}]}}), "ab"),
        (json!({"labels": {"containsAny": []}}), ""),
    ] {
        let expected: Vec<String> = expected.chars().map(String::from).collect();
        let listed = post(world, "/list", json!({"filter": filter})).await.expect(200).json();
        assert_eq!(names(&listed), expected, "{filter}");
        let found = post(world, "/search", json!({"filter": filter})).await.expect(200).json();
        assert_eq!(names(&found), expected, "{filter}");
        let counted = post(world, "/aggregate", json!({"filter": filter})).await.expect(200).json();
        assert_eq!(counted, json!({"items": [{"count": expected.len()}]}), "{filter}");
    }
    assert_eq!(post(world, "/aggregate", json!({})).await.json()["items"][0]["count"], 3);
}

async fn filters_that_make_no_sense_are_refused(world: &World) {
    for filter in [
        json!({"name": 1}),
        json!({"metadata": {"k": 1}}),
        json!({"assetIds": [0]}),
        json!({"assetIds": 1}),
        json!({"dataSetIds": [1]}),
        json!({"dataSetIds": [{}]}),
        json!({"createdTime": {"min": -1}}),
        json!({"createdTime": [0, 1]}),
        json!({"labels": {}}),
        json!({"labels": {"containsAll": [], "containsAny": []}}),
        json!({"labels": {"containsAll": ["a"]}}),
        json!({"geoLocation": {"relation": "near", "shape": {"type": "Point", "coordinates": [1, 2]}}}),
        json!({"geoLocation": {"relation": "within", "shape": {"type": "Point", "coordinates": [1]}}}),
        json!({"geoLocation": {"relation": "within"}}),
    ] {
        for path in ["/list", "/search", "/aggregate"] {
            error(post(world, path, json!({"filter": filter})).await, 400);
        }
    }
    for limit in [json!(0), json!(1001), json!(-1), json!("10"), json!(1.5)] {
        for path in ["/list", "/search"] {
            error(post(world, path, json!({"limit": limit})).await, 400);
        }
    }
    for partition in ["0/1", "2/1", "1/11", "x"] {
        error(post(world, "/list", json!({"partition": partition})).await, 400);
    }
    for cursor in ["", "§", "garbage"] {
        error(post(world, "/list", json!({"cursor": cursor})).await, 400);
    }
}

async fn the_query_of_a_list_means_the_same(world: &World) {
    three(world).await;
    for (query, expected) in [
        ("", "abc"),
        ("?name=a", "a"),
        ("?mimeType=m%2Fb", "b"),
        ("?source=c&limit=100000", "c"),
        ("?assetIds=1&assetIds=3", "ac"),
        ("?assetIds=%5B1%2C2%5D", "ab"),
        ("?assetExternalIds=%5B%22x%22%5D", ""),
        ("?dataSetIds=2", "b"),
        ("?rootAssetIds=2", ""),
        ("?externalIdPrefix=id%2Fa", "a"),
        ("?directoryPrefix=%2Fb", "b"),
        ("?uploaded=true", "c"),
        ("?uploaded=False", "ab"),
        ("?metadata=%7B%22k%22%3A%22b%22%7D", "b"),
        ("?sourceCreatedTime.min=10", "bc"),
        ("?partition=1%2F1", "abc"),
    ] {
        let expected: Vec<String> = expected.chars().map(String::from).collect();
        let listed = world.send(Ask::get(format!("/files{query}"))).await.expect(200).json();
        assert_eq!(names(&listed), expected, "{query}");
    }
    for query in ["limit=0", "limit=x", "uploaded=1", "assetIds=x", "partition=1", "metadata=x"] {
        error(world.send(Ask::get(format!("/files?{query}"))).await, 400);
    }
}

async fn pages_go_on_by_a_cursor(world: &World) {
    let mut made = Vec::new();
    for n in 0..7 {
        let file = create(world, json!({"name": n.to_string()})).await;
        made.push(file["id"].as_u64().unwrap());
    }
    made.sort_unstable();
    let mut seen = Vec::new();
    let mut body = json!({"limit": 3});
    for page in 0..3 {
        let listed = post(world, "/list", body.clone()).await.expect(200).json();
        seen.extend(
            listed["items"].as_array().unwrap().iter().map(|it| it["id"].as_u64().unwrap()),
        );
        assert_eq!(listed["nextCursor"].is_string(), page < 2);
        assert_eq!(listed.as_object().unwrap().contains_key("nextCursor"), page < 2);
        body["cursor"] = listed["nextCursor"].clone();
    }
    assert_eq!(seen, made);
    let most = post(world, "/list", json!({"limit": 1000})).await.expect(200).json();
    assert_eq!(most["items"].as_array().unwrap().len(), 7);
}

async fn partitions_share_the_files(world: &World) {
    three(world).await;
    for count in [1, 2, 10] {
        let mut all = Vec::new();
        for share in 1..=count {
            let body = json!({"partition": format!("{share}/{count}"), "cursor": null});
            let listed = post(world, "/list", body).await.expect(200).json();
            all.extend(names(&listed).into_iter().map(str::to_owned));
        }
        all.sort_unstable();
        assert_eq!(all, ["a", "b", "c"], "{count}");
    }
}

async fn search_is_by_name(world: &World) {
    for name in ["MyCadFile7753.fbx", "cad", "CAD drawing.pdf", "A cadaver.txt", "other.txt"] {
        create(world, json!({"name": name, "source": "s"})).await;
    }
    for (body, expected) in [
        (
            json!({"search": {"name": "CAD"}}),
            vec!["cad", "CAD drawing.pdf", "A cadaver.txt", "MyCadFile7753.fbx"],
        ),
        (json!({"search": {"name": "cad"}, "limit": 1}), vec!["cad"]),
        (
            json!({"search": {"name": "MyCadFile"}, "filter": {"source": "s"}}),
            vec!["MyCadFile7753.fbx"],
        ),
        (json!({"search": {"name": "cad"}, "filter": {"source": "x"}}), vec![]),
    ] {
        let found = post(world, "/search", body.clone()).await.expect(200).json();
        assert!(found["nextCursor"].is_null());
        let found: Vec<_> =
            found["items"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert_eq!(found, expected, "{body}");
    }
    for all in [json!({}), json!({"search": {}}), json!({"search": {"name": null}})] {
        let found = post(world, "/search", all).await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 5);
    }
}

async fn places_are_compared_exactly(world: &World) {
    let square = |x: i32, y: i32| json!([[[x, y], [x + 2, y], [x + 2, y + 2], [x, y + 2], [x, y]]]);
    let bow_tie = json!([[[20, 20], [22, 22], [22, 20], [20, 22], [20, 20]]]);
    for (name, kind, coordinates) in [
        ("diagonal", "LineString", json!([[0, 0], [10, 10]])),
        ("point", "Point", json!([1, 1])),
        ("points", "MultiPoint", json!([[1, 1], [9, 1]])),
        ("square", "Polygon", square(0, 0)),
        ("squares", "MultiPolygon", json!([square(0, 0), square(8, 0)])),
        ("tie", "Polygon", bow_tie),
    ] {
        let place =
            json!({"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}});
        create(world, json!({"name": name, "geoLocation": place})).await;
    }
    create(world, json!({"name": "nowhere"})).await;
    for (relation, kind, coordinates, expected) in [
        // In the box of the diagonal, and not on it.
        ("intersects", "Point", json!([9, 1]), vec!["points", "squares"]),
        ("INTERSECTS", "Point", json!([10, 10]), vec!["diagonal"]),
        ("intersects", "Point", json!([2, 2]), vec!["diagonal", "square", "squares"]),
        ("intersects", "Point", json!([9, 2.5]), vec![]),
        ("intersects", "LineString", json!([[3, 0], [3, 10]]), vec!["diagonal"]),
        ("within", "Polygon", square(0, 0), vec!["point", "square"]),
        ("Within", "Polygon", square(-1, -1), vec!["point"]),
        ("within", "Point", json!([1, 1]), vec!["point"]),
        (
            "within",
            "Polygon",
            json!([[[-50, -50], [50, -50], [50, 50], [-50, 50], [-50, -50]]]),
            vec!["diagonal", "point", "points", "square", "squares", "tie"],
        ),
        ("disjoint", "Polygon", square(8, 0), vec!["diagonal", "point", "square", "tie"]),
        (
            "disjoint",
            "Point",
            json!([100, 100]),
            vec!["diagonal", "point", "points", "square", "squares", "tie"],
        ),
        ("intersects", "Polygon", square(19, 19), vec!["tie"]),
    ] {
        let shape = json!({"type": kind, "coordinates": coordinates});
        let filter = json!({"geoLocation": {"relation": relation, "shape": shape}});
        let listed = post(world, "/list", json!({"filter": filter})).await.expect(200).json();
        assert_eq!(names(&listed), expected, "{filter}");
        let counted = post(world, "/aggregate", json!({"filter": filter})).await.expect(200).json();
        assert_eq!(counted["items"][0]["count"], expected.len(), "{filter}");
        let body = json!({"search": {"name": ""}, "filter": filter, "limit": 1});
        let found = post(world, "/search", body).await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), expected.len().min(1));
    }
}
