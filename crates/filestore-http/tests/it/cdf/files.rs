//! Files: made, overwritten, shown, changed, deleted.

use serde_json::{Map, Value, json};

use super::{ask, create, error, fetched, get, in_project, post, put, stored};
use crate::harness::{Ask, World};

cdf! {
    a_file_is_made_and_shown
    a_project_is_the_tenant
    an_external_id_is_taken_once
    overwriting_keeps_what_is_not_said
    names_come_back_in_order
    unknown_names_are_listed
    a_request_has_as_many_items_as_it_may
    names_given_twice_are_listed
    changes_are_made_together_or_not_at_all
    lists_and_pairs_are_added_to_and_removed_from
    fields_are_set_and_cleared
    changes_that_make_no_sense_are_refused
    deleted_files_are_gone
    packed_requests_are_read
}

async fn a_file_is_made_and_shown(world: &World) {
    let body = json!({
        "name": "a.jpg", "externalId": "x", "directory": "/a/b", "source": "s",
        "mimeType": "image/jpeg", "metadata": {"k": "v"}, "assetIds": [3, 1, 2], "dataSetId": 4,
        "sourceCreatedTime": 5, "sourceModifiedTime": 6, "securityCategories": [8, 7],
        "labels": [{"externalId": "b"}, {"externalId": "a"}],
        "geoLocation": {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2.50]},
                        "properties": {}},
    });
    let mut made = create(world, body.clone()).await;
    for (field, value) in body.as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    assert!(made["createdTime"].as_u64().is_some_and(|millis| millis > 1_700_000_000_000));
    assert_eq!(made["createdTime"], made["lastUpdatedTime"]);
    assert_eq!(made["uploaded"], false);
    assert!(made["uploadedTime"].is_null());
    let url = made.as_object_mut().unwrap().remove("uploadUrl").unwrap();
    assert_eq!(get(world, &made["id"]).await.expect(200).json(), made);

    assert_eq!(put(world, &url, b"content").await.expect(200).json(), json!({}));
    let mut shown = get(world, &made["id"]).await.expect(200).json();
    assert!(shown["uploadedTime"].as_u64() >= made["createdTime"].as_u64());
    shown.as_object_mut().unwrap().remove("uploadedTime");
    made["uploaded"] = json!(true);
    assert_eq!(shown, made);
}

async fn a_project_is_the_tenant(world: &World) {
    let body = json!({"name": "x"}).to_string();
    for path in ["", "/", "?overwrite=false", "/?overwrite=False"] {
        let ask = Ask::post(in_project(path)).body(body.clone());
        let file = world.send(ask).await.expect(201).json();
        let url = file["uploadUrl"].as_str().unwrap();
        assert!(url.contains("/api/v1/projects/acme/files/"), "{url}");
        put(world, &file["uploadUrl"], b"x").await.expect(200);
        assert_eq!(fetched(world, &file["id"]).await.expect(200).body, "x");
    }
    for path in ["/api/v1/projects/other/files", "/api/v1/projects/ACME/files"] {
        error(world.send(Ask::post(path).body(body.clone())).await, 401);
    }
    for path in ["/api/v1/projects", "/api/v1/projects/acme", "/api/v1/projects/acme/assets"] {
        error(world.send(Ask::get(path)).await, 404);
    }
    assert_eq!(world.count().await, 4);
}

async fn an_external_id_is_taken_once(world: &World) {
    let first = stored(world, json!({"name": "a", "externalId": "x"}), b"old").await;
    let taken = post(world, "", json!({"name": "b", "externalId": "x"})).await;
    let error = error(taken, 409);
    assert_eq!(error["duplicated"], json!([{"externalId": "x"}]));
    assert_eq!(error["message"], "Duplicate external ids: x");
    assert_eq!(get(world, &first["id"]).await.json()["name"], "a");
    create(world, json!({"name": "a", "externalId": "X"})).await;
    let other = create(world, json!({"name": "a"})).await;
    assert_ne!(other["id"], first["id"]);
}

async fn overwriting_keeps_what_is_not_said(world: &World) {
    let body = json!({"name": "a", "externalId": "x", "source": "s", "assetIds": [1],
                      "metadata": {"a": "1", "b": "2"}});
    let first = stored(world, body, b"old").await;
    let body = json!({"name": "b", "externalId": "x", "metadata": {"c": "3"}});
    let again = post(world, "?overwrite=true", body).await.expect(201).json();
    assert_eq!((&again["id"], &again["name"]), (&first["id"], &json!("b")));
    assert_eq!((&again["source"], &again["assetIds"]), (&json!("s"), &json!([1])));
    assert_eq!(again["metadata"], json!({"c": "3"}));
    assert_eq!((&again["uploaded"], &again["createdTime"]), (&json!(true), &first["createdTime"]));
    assert_eq!(fetched(world, &first["id"]).await.expect(200).body, "old");
    put(world, &again["uploadUrl"], b"new").await.expect(200);
    assert_eq!(fetched(world, &first["id"]).await.expect(200).body, "new");

    let body = json!({"name": "c", "externalId": "x", "source": null, "assetIds": [2, 3]});
    let again = post(world, "?overwrite=true", body).await.expect(201).json();
    assert_eq!((&again["source"], &again["assetIds"]), (&json!("s"), &json!([2, 3])));
    assert_eq!(again["metadata"], json!({"c": "3"}));

    // Where there is nothing to overwrite, a file is made.
    post(world, "?overwrite=true", json!({"name": "b", "externalId": "y"})).await.expect(201);
    post(world, "?overwrite=true", json!({"name": "b"})).await.expect(201);
    error(post(world, "?overwrite=yes", json!({"name": "b"})).await, 400);
    assert_eq!(world.count().await, 3);
}

async fn names_come_back_in_order(world: &World) {
    let mut items = Vec::new();
    for n in 0..5 {
        let file = create(world, json!({"name": "x", "externalId": n.to_string()})).await;
        items.push((file["id"].clone(), n.to_string()));
    }
    items.reverse();
    let by_id: Vec<Value> = items.iter().map(|(id, _)| json!({"id": id})).collect();
    let by_name: Vec<Value> = items.iter().map(|(_, name)| json!({"externalId": name})).collect();
    for asked in [by_id, by_name] {
        let found = post(world, "/byids", json!({"items": asked})).await.expect(200).json();
        let found: Vec<_> = found["items"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert_eq!(found, items.iter().map(|(id, _)| id).collect::<Vec<_>>());
    }
}

async fn unknown_names_are_listed(world: &World) {
    let known = create(world, json!({"name": "a", "externalId": "known"})).await["id"].clone();
    let instance = json!({"space": "s", "externalId": "known"});
    for (unknown, message) in [
        (json!([{"id": 1}, {"id": 2}]), "File ids not found: 1, 2"),
        (json!([{"externalId": "b"}, {"externalId": "a"}]), "Files ids not found: b, a"),
        (json!([{"instanceId": instance}]), "Files ids not found: s:known"),
    ] {
        let mut items = unknown.as_array().unwrap().clone();
        items.insert(0, json!({"id": known}));
        for path in ["/byids", "/delete", "/downloadlink"] {
            let said = error(post(world, path, json!({"items": items})).await, 400);
            assert_eq!((&said["missing"], &said["message"]), (&unknown, &json!(message)));
            assert!(said["duplicated"].is_null());
        }
        let update = |item: &Value| {
            let mut item = item.clone();
            item["update"] = json!({"source": {"set": "s"}});
            item
        };
        let updates: Vec<Value> = items.iter().map(update).collect();
        let said = error(post(world, "/update", json!({"items": updates})).await, 400);
        assert_eq!(said["missing"], unknown);
        let one = json!({"items": [unknown[0]]});
        for path in ["/uploadlink", "/multiuploadlink?parts=1"] {
            assert_eq!(error(post(world, path, one.clone()).await, 400)["missing"], one["items"]);
        }
        let body = json!({"items": items, "ignoreUnknownIds": true});
        let found = post(world, "/byids", body).await.expect(200).json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1);
    }
    assert!(get(world, &known).await.expect(200).json()["source"].is_null());
    let said = error(get(world, &json!(1)).await, 400);
    assert_eq!(said["missing"], json!([{"id": 1}]));
    for wrong in ["0", "-1", "9007199254740992", "abc"] {
        error(world.send(Ask::get(format!("/files/{wrong}"))).await, 400);
    }
    let too_many: Vec<Value> = (1..=1001).map(|id| json!({"id": id})).collect();
    for wrong in [
        json!([]),
        json!([{}]),
        json!([{"id": 0}]),
        json!([{"id": 1, "externalId": "a"}]),
        json!(["a"]),
        json!([[1]]),
        json!(too_many),
    ] {
        for path in ["/byids", "/delete"] {
            let said = error(post(world, path, json!({"items": wrong})).await, 400);
            assert!(said["missing"].is_null());
        }
    }
}

async fn a_request_has_as_many_items_as_it_may(world: &World) {
    for (path, most) in
        [("/byids", 1000), ("/delete", 1000), ("/update", 1000), ("/downloadlink", 100)]
    {
        let items = |count: u32| -> Value {
            let item = |id| match path {
                "/update" => json!({"id": id, "update": {}}),
                _ => json!({"id": id}),
            };
            (1..=count).map(item).collect()
        };
        let said = error(post(world, path, json!({"items": items(most)})).await, 400);
        assert_eq!(said["missing"].as_array().unwrap().len(), most as usize, "{path}");
        for wrong in [items(0), items(most + 1)] {
            let said = error(post(world, path, json!({"items": wrong})).await, 400);
            assert!(said["missing"].is_null(), "{path}");
        }
    }
}

async fn names_given_twice_are_listed(world: &World) {
    let id = create(world, json!({"name": "a", "externalId": "x"})).await["id"].clone();
    let twice = json!([{"id": id}, {"id": id}, {"id": id}]);
    for path in ["/byids", "/delete", "/downloadlink"] {
        let said = error(post(world, path, json!({"items": twice})).await, 409);
        assert_eq!(said["duplicated"], json!([{"id": id}]));
        assert_eq!(said["message"], format!("Duplicate ids: {id}"));
    }
    let update = json!({"source": {"set": "s"}});
    let items = json!([{"id": id, "update": update}, {"externalId": "x", "update": update}]);
    let said = error(post(world, "/update", json!({"items": items})).await, 409);
    assert_eq!(said["duplicated"], json!([{"externalId": "x"}]));
    let items = json!([{"id": id}, {"externalId": "x"}]);
    error(post(world, "/delete", json!({"items": items})).await, 409);
    post(world, "/byids", json!({"items": items})).await.expect(200);
}

/// What the update makes of the file.
async fn updated(world: &World, id: &Value, update: Value) -> Value {
    let body = json!({"items": [{"id": id, "update": update}]});
    post(world, "/update", body).await.expect(200).json()["items"][0].clone()
}

async fn changes_are_made_together_or_not_at_all(world: &World) {
    let a = create(world, json!({"name": "a", "externalId": "a"})).await["id"].clone();
    let b = create(world, json!({"name": "b", "externalId": "b"})).await["id"].clone();
    let body = |second: Value| {
        json!({"items": [{"id": a, "update": {"source": {"set": "s"}}},
                         {"id": b, "update": second}]})
    };
    error(post(world, "/update", body(json!({"dataSetId": {"set": 0}}))).await, 400);
    let taken = post(world, "/update", body(json!({"externalId": {"set": "a"}}))).await;
    assert_eq!(error(taken, 409)["duplicated"], json!([{"externalId": "a"}]));
    assert!(get(world, &a).await.json()["source"].is_null());
    let done = post(world, "/update", body(json!({"externalId": {"set": "c"}}))).await.expect(200);
    let names: Vec<_> =
        done.json()["items"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!(names, [a, b]);
}

async fn lists_and_pairs_are_added_to_and_removed_from(world: &World) {
    let body = json!({"name": "a", "assetIds": [1, 2], "securityCategories": [1],
                      "labels": [{"externalId": "a"}], "metadata": {"a": "1", "b": "2"}});
    let id = create(world, body).await["id"].clone();
    let file = updated(
        world,
        &id,
        json!({"assetIds": {"add": [3, 1], "remove": [2, 9]},
               "securityCategories": {"add": [2]},
               "labels": {"add": [{"externalId": "b"}], "remove": [{"externalId": "a"}]},
               "metadata": {"add": {"b": "3", "c": "4"}, "remove": ["a", "b"]}}),
    )
    .await;
    assert_eq!(file["assetIds"], json!([1, 3]));
    assert_eq!(file["securityCategories"], json!([1, 2]));
    assert_eq!(file["labels"], json!([{"externalId": "b"}]));
    assert_eq!(file["metadata"], json!({"b": "3", "c": "4"}));

    // Limits hold for what comes out.
    let ids = |count: u32| json!((1..=count).collect::<Vec<_>>());
    let labels: Vec<_> = (1..=10).map(|n| json!({"externalId": n.to_string()})).collect();
    let pairs: Map<_, _> = (1..=256).map(|n| (n.to_string(), json!("v"))).collect();
    for (field, most, more, first) in [
        ("assetIds", ids(1000), json!([1001]), json!([1])),
        ("securityCategories", ids(100), json!([101]), json!([1])),
        ("labels", json!(labels), json!([{"externalId": "x"}]), json!([{"externalId": "1"}])),
        ("metadata", json!(pairs), json!({"x": "v"}), json!(["1"])),
    ] {
        let full = updated(world, &id, json!({field: {"set": most}})).await;
        let body = json!({"items": [{"id": id, "update": {field: {"add": more}}}]});
        error(post(world, "/update", body).await, 400);
        assert_eq!(get(world, &id).await.json()[field], full[field]);
        let swapped = updated(world, &id, json!({field: {"add": more, "remove": first}})).await;
        assert_ne!(swapped[field], full[field]);
        let count = |file: &Value| match &file[field] {
            Value::Object(pairs) => pairs.len(),
            list => list.as_array().unwrap().len(),
        };
        assert_eq!(count(&swapped), count(&full));
    }

    let empty = json!({"assetIds": {"set": []}, "securityCategories": {"set": []},
                       "labels": {"set": []}, "metadata": {"set": {}}});
    let file = updated(world, &id, empty).await;
    for field in ["assetIds", "securityCategories", "labels"] {
        assert!(file[field].is_null(), "{file}");
    }
    assert_eq!(file["metadata"], json!({}));
    assert!(get(world, &id).await.json()["metadata"].is_null());
}

async fn fields_are_set_and_cleared(world: &World) {
    let place = json!({"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}});
    let values = json!({"externalId": "x", "directory": "/d", "source": "s", "mimeType": "m",
                        "sourceCreatedTime": 1, "sourceModifiedTime": 2, "dataSetId": 3,
                        "geoLocation": place});
    let made = stored(world, json!({"name": "a"}), b"content").await;
    let id = &made["id"];
    for (field, value) in values.as_object().unwrap() {
        let file = updated(world, id, json!({field: {"set": value}})).await;
        assert_eq!(&file[field], value);
        for nothing in [json!({}), json!({"setNull": false}), json!({"set": null}), Value::Null] {
            assert_eq!(&updated(world, id, json!({field: nothing})).await[field], value);
        }
        let file = updated(world, id, json!({field: {"setNull": true}})).await;
        assert!(file[field].is_null(), "{file}");
        assert_eq!((&file["name"], &file["uploaded"]), (&json!("a"), &json!(true)));
        assert_eq!(file["createdTime"], made["createdTime"]);
        assert!(file["lastUpdatedTime"].as_u64() >= made["lastUpdatedTime"].as_u64());
    }
    let file = updated(world, id, json!({"name": {"set": "b"}})).await;
    assert_eq!(file["name"], "a");
}

async fn changes_that_make_no_sense_are_refused(world: &World) {
    let id = create(world, json!({"name": "a"})).await["id"].clone();
    for update in [
        json!({"source": {"set": "a", "setNull": true}}),
        json!({"source": {"add": "a"}}),
        json!({"assetIds": {"set": [1], "add": [2]}}),
        json!({"metadata": {"set": {}, "remove": ["a"]}}),
        json!({"labels": {"setNull": true, "add": []}}),
        json!({"source": "a"}),
        json!({"source": ["a"]}),
        json!([]),
        Value::Null,
    ] {
        let body = json!({"items": [{"id": id, "update": update}]});
        error(post(world, "/update", body).await, 400);
    }
    error(post(world, "/update", json!({"items": [{"id": id}]})).await, 400);
}

async fn deleted_files_are_gone(world: &World) {
    let a = stored(world, json!({"name": "a"}), b"a").await["id"].clone();
    create(world, json!({"name": "b", "externalId": "b"})).await;
    let items = json!([{"id": a}, {"externalId": "b"}, {"id": 1}]);
    error(post(world, "/delete", json!({"items": items})).await, 400);
    assert_eq!(world.count().await, 2);
    for _ in 0..2 {
        let body = json!({"items": items, "ignoreUnknownIds": true});
        assert_eq!(post(world, "/delete", body).await.expect(200).json(), json!({}));
        assert_eq!(world.count().await, 0);
    }
    error(get(world, &a).await, 400);
}

async fn packed_requests_are_read(world: &World) {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(br#"{"name": "packed"}"#).unwrap();
    let packed = packer.finish().unwrap();
    let ask = ask("", Value::Null).body(packed).header("content-encoding", "gzip");
    assert_eq!(world.send(ask).await.expect(201).json()["name"], "packed");
}
