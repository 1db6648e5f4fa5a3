//! Who may do what, and what the others get to know.

use serde_json::{Value, json};

use super::{FILES, ask, create, error, fetched, in_project, post, put, stored};
use crate::harness::{Ask, Token, World};

cdf! {
    without_a_good_token_nothing_is_done
    rights_are_asked_for
    another_tenant_s_files_are_unknown
    colleagues_share_files
    paths_of_nobody_are_told
    a_token_is_inspected
    security_categories_hide_files_where_they_are_enforced
}

fn all(id: &Value) -> Vec<(Ask, bool)> {
    let item = json!({"items": [{"id": id}]});
    let update = json!({"items": [{"id": id, "update": {"source": {"set": "s"}}}]});
    let content = format!("{FILES}/{id}/content");
    vec![
        (ask("", json!({"name": "x"})), true),
        (ask("/initmultipartupload?parts=1", json!({"name": "x"})), true),
        (ask("/completemultipartupload", json!({"id": id, "uploadId": "x"})), true),
        (ask("/uploadlink", item.clone()), true),
        (ask("/multiuploadlink?parts=1", item.clone()), true),
        (ask("/update", update), true),
        (ask("/delete", item.clone()), true),
        (Ask::put(&content).body("x"), true),
        (ask("/list", json!({})), false),
        (Ask::get(FILES), false),
        (Ask::get(format!("{FILES}/{id}")), false),
        (ask("/byids", item.clone()), false),
        (ask("/search", json!({})), false),
        (ask("/aggregate", json!({})), false),
        (ask("/downloadlink", item), false),
        (Ask::get(&content), false),
        (Ask::get("/api/v1/token/inspect"), false),
    ]
}

async fn without_a_good_token_nothing_is_done(world: &World) {
    let id = stored(world, json!({"name": "a"}), b"old").await["id"].clone();
    for (ask, _) in all(&id) {
        let reply = world.send_bare(ask.clone()).await;
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(!reply.read_body);
        error(reply, 401);
        for (why, token) in Token::bad() {
            let reply = world.send_bare(ask.clone().bearer(token)).await;
            assert_eq!(reply.status, 401, "{why}: {ask:?}");
        }
    }
    assert_eq!(world.count().await, 1);
    assert_eq!(fetched(world, &id).await.body, "old");
}

async fn rights_are_asked_for(world: &World) {
    let id = stored(world, json!({"name": "a"}), b"old").await["id"].clone();
    for (ask, writes) in all(&id) {
        let wrong = if writes { "files:read" } else { "files:write" };
        let said = error(world.send_bare(ask.bearer(Token::scoped(wrong))).await, 403);
        assert!(said["message"].as_str().unwrap().contains("insufficient access rights"));
    }
    assert_eq!(world.count().await, 1);
}

async fn another_tenant_s_files_are_unknown(world: &World) {
    let id = stored(world, json!({"name": "a", "externalId": "x"}), b"old").await["id"].clone();
    let stranger = |ask: Ask| world.send_bare(ask.bearer(Token::of_another_tenant()));
    for (ask, _) in all(&id) {
        let asked = format!("{ask:?}");
        let reply = stranger(ask).await;
        if reply.status == 400 {
            let said = error(reply, 400);
            assert_eq!(said["missing"], json!([{"id": id}]), "{asked}");
        } else {
            assert!(!reply.text().contains("\"a\""), "{asked}: {reply:?}");
        }
    }
    stranger(ask("", json!({"name": "b", "externalId": "x"}))).await.expect(201);
    error(stranger(Ask::get(in_project(""))).await, 401);
    assert_eq!(world.count().await, 1);
}

async fn colleagues_share_files(world: &World) {
    let file = stored(world, json!({"name": "a"}), b"old").await;
    let update = json!({"items": [{"id": file["id"], "update": {"source": {"set": "s"}}}]});
    let ask = ask("/update", update).bearer(Token::of_a_colleague());
    assert_eq!(world.send_bare(ask).await.expect(200).json()["items"][0]["source"], "s");
}

async fn paths_of_nobody_are_told(world: &World) {
    for path in ["/7/other", "/7/content/more", "/a/b/c/d/e"] {
        error(world.send(Ask::get(format!("{FILES}{path}"))).await, 404);
    }
    error(world.send(Ask::get("/api/v1/token/other")).await, 404);
    error(world.send(Ask::get(format!("{FILES}/%2e%2e"))).await, 400);
}

async fn a_token_is_inspected(world: &World) {
    let said = world.send(Ask::get("/api/v1/token/inspect")).await.expect(200).json();
    assert_eq!(said["subject"], "jane");
    assert_eq!(said["projects"], json!([{"projectUrlName": "acme", "groups": []}]));
    let files = &said["capabilities"][0];
    assert_eq!(files["filesAcl"], json!({"actions": ["READ", "WRITE"], "scope": {"all": {}}}));
    assert_eq!(files["projectScope"], json!({"projects": ["acme"]}));
}

async fn security_categories_hide_files_where_they_are_enforced(world: &World) {
    let file = stored(world, json!({"name": "a", "securityCategories": [1, 2]}), b"x").await;
    let open = stored(world, json!({"name": "b", "externalId": "b"}), b"x").await;
    let id = &file["id"];
    let strict = &world.strict();
    let send = |categories: &[i64], ask: Ask| {
        strict.send_bare(ask.bearer(Token::in_categories(categories)))
    };
    for (categories, sees) in [(&[1, 2, 3][..], true), (&[1], false), (&[], false)] {
        let item = json!({"items": [{"id": id}]});
        for (path, body) in [
            ("/byids", item.clone()),
            ("/downloadlink", item.clone()),
            ("/uploadlink", item.clone()),
            ("/multiuploadlink?parts=1", item.clone()),
            ("/update", json!({"items": [{"id": id, "update": {}}]})),
        ] {
            let reply = send(categories, ask(path, body)).await;
            if sees {
                reply.expect(200);
            } else {
                assert_eq!(error(reply, 400)["missing"], json!([{"id": id}]), "{path}");
            }
        }
        let status = if sees { 200 } else { 400 };
        for path in [format!("{FILES}/{id}"), format!("{FILES}/{id}/content")] {
            send(categories, Ask::get(path)).await.expect(status);
        }
        let expected = if sees { 2 } else { 1 };
        for path in ["/list", "/search"] {
            let found = send(categories, ask(path, json!({}))).await.expect(200).json();
            assert_eq!(found["items"].as_array().unwrap().len(), expected, "{path}");
        }
        let counted = send(categories, ask("/aggregate", json!({}))).await.expect(200).json();
        assert_eq!(counted["items"][0]["count"], expected);
    }
    error(send(&[1], ask("/delete", json!({"items": [{"id": id}]}))).await, 400);
    let beyond = json!({"name": "c", "securityCategories": [9]});
    error(send(&[1], ask("", beyond)).await, 403);
    let update = json!({"securityCategories": {"add": [9]}});
    let update = json!({"items": [{"id": open["id"], "update": update}]});
    error(send(&[1], ask("/update", update)).await, 403);
    let name = json!({"items": [{"id": id, "update": {"externalId": {"set": "hidden"}}}]});
    send(&[1, 2], ask("/update", name)).await.expect(200);
    let taken = json!({"name": "c", "externalId": "hidden"});
    error(send(&[1], ask("?overwrite=true", taken)).await, 409);
    // Links carry the categories of who asked for them.
    let body = json!({"items": [{"id": id}]});
    let link = send(&[1, 2], ask("/uploadlink", body)).await.expect(200).json();
    put(strict, &link["items"][0]["uploadUrl"], b"new").await.expect(200);
    // Elsewhere they are only kept.
    post(world, "/byids", json!({"items": [{"id": id}]})).await.expect(200);
    create(world, json!({"name": "c", "securityCategories": [9]})).await;
}
