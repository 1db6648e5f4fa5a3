//! Entities that hold references to files.

use http::Method;
use serde_json::json;

use super::{Api, CAT, said};
use crate::harness::{Ask, Reply, Token, World};
use crate::subject::Subject;

const PRODUCTS: &str = "/rest/entities/rstex11_Product";
const NOBODY: &str = "ea6f1b3c-0e74-c90b-b009-9f58ac964034";

fn create(body: impl ToString) -> Ask {
    Ask::post(PRODUCTS).header("content-type", "application/json").body(body.to_string())
}

fn one(method: Method, id: &str) -> Ask {
    Ask::new(method, format!("{PRODUCTS}/{id}"))
}

fn id_of(reply: &Reply) -> String {
    reply.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_product_keeps_the_reference_to_its_image() {
    let world = World::memory().await;
    let image = Api.id(&world.send(Api.upload(&CAT)).await);
    let body = json!({"name": "Product with Image", "image": image});
    for query in ["", "?responseFetchPlan=_local"] {
        let mut ask = create(&body);
        ask.target.push_str(query);
        let reply = world.send(ask).await.expect(201);
        let id = id_of(&reply);
        // The page's members stand in the page's order; 100.00 keeps its decimals.
        let expected = format!(
            "{{\"_entityName\":\"rstex11_Product\",\"_instanceName\":\"Product with Image\",\
             \"id\":\"{id}\",\"image\":\"{image}\",\"price\":100.00,\"name\":\"Product with Image\"}}"
        );
        assert_eq!(reply.text(), expected);
        assert_eq!(id.len(), 36);
        let location = format!("http://files.test:8080{PRODUCTS}/{id}");
        assert_eq!(reply.header("location"), location);

        let loaded = world.send(one(Method::GET, &id)).await.expect(200);
        assert_eq!(loaded.text(), expected);
        let head = world.send(one(Method::HEAD, &id)).await.expect(200);
        assert_eq!(head.header("content-length"), expected.len().to_string());
        let image = loaded.json()["image"].as_str().unwrap().to_owned();
        assert_eq!(world.send(Ask::get(Api.at(&image))).await.expect(200).body, CAT.content);
    }
}

#[tokio::test]
async fn an_id_of_the_client_s_own_is_taken_once() {
    let world = World::memory().await;
    let body = json!({"id": NOBODY.to_uppercase(), "name": "a"});
    let reply = world.send(create(&body)).await.expect(201);
    assert_eq!(id_of(&reply), NOBODY);
    said(&world.send(create(&body)).await.expect(409));
    let loaded = world.send(one(Method::GET, &NOBODY.to_uppercase())).await.expect(200);
    assert_eq!(id_of(&loaded), NOBODY);
    for id in [json!("x"), json!(1), json!({})] {
        let reply = world.send(create(json!({"id": id}))).await.expect(400);
        assert_eq!(said(&reply).0, "Invalid entity ID");
    }
}

#[tokio::test]
async fn an_array_makes_all_or_none() {
    let world = World::memory().await;
    let image = Api.id(&world.send(Api.upload(&CAT)).await);
    let all =
        format!(r#"[{{"name": "a", "image": "{image}"}}, {{"name": "b", "price": 1.50}}, {{}}]"#);
    let reply = world.send(create(all)).await.expect(201);
    let made = reply.json();
    let made = made.as_array().unwrap();
    assert_eq!(made.len(), 3);
    assert_eq!((&made[0]["name"], &made[0]["image"]), (&json!("a"), &json!(image)));
    assert_eq!((&made[1]["name"], made[1]["price"].to_string()), (&json!("b"), "1.50".into()));
    assert_eq!(made[2]["price"].to_string(), "100.00");
    for product in made {
        world.send(one(Method::GET, product["id"].as_str().unwrap())).await.expect(200);
    }
    let single = world.send(create(json!([{"name": "c"}]))).await.expect(201);
    assert_eq!(single.json().as_array().unwrap().len(), 1);

    let free = "00000000-0000-4000-8000-000000000001";
    for bad in [
        json!([{"id": free}, {"id": free}]),
        json!([{"id": free}, {"id": made[0]["id"]}]),
        json!([{"id": free}, {"name": 1}]),
        json!([{"id": free}, "x"]),
    ] {
        let reply = world.send(create(&bad)).await;
        assert!([400, 409].contains(&reply.status.as_u16()), "{bad}: {reply:?}");
        said(&reply);
        world.send(one(Method::GET, free)).await.expect(404);
    }
    said(&world.send(create("[]")).await.expect(400));
    let too_many = format!("[{}{{}}]", "{},".repeat(1000));
    said(&world.send(create(too_many)).await.expect(400));
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = World::memory().await;
    let image = Api.id(&world.send(Api.upload(&CAT)).await);
    let id = id_of(&world.send(create(json!({"name": "a", "price": 5}))).await);
    let put = |body: serde_json::Value| one(Method::PUT, &id).body(body.to_string());
    let updated = world.send(put(json!({"image": image, "unheard": 1}))).await.expect(200);
    let expected = json!({
        "_entityName": "rstex11_Product", "_instanceName": "a",
        "id": id, "image": image, "price": 5, "name": "a",
    });
    assert_eq!(updated.json(), expected);
    let cleared = world.send(put(json!({"image": null, "name": "b"}))).await.expect(200).json();
    assert_eq!(cleared.get("image"), None);
    assert_eq!((&cleared["name"], &cleared["_instanceName"]), (&json!("b"), &json!("b")));
    assert_eq!(world.send(one(Method::GET, &id)).await.json(), cleared);

    for wrong in
        [json!({"name": 1}), json!({"image": "cat.jpg"}), json!({"price": "cheap"}), json!([])]
    {
        said(&world.send(put(wrong)).await.expect(400));
    }
    assert_eq!(world.send(one(Method::GET, &id)).await.json(), cleared);
    let nobody = one(Method::PUT, NOBODY).body("{}");
    assert_eq!(said(&world.send(nobody).await.expect(404)).0, "Entity not found");
}

#[tokio::test]
async fn updates_at_the_same_time_all_count() {
    let world = World::sqlite().await;
    let id = id_of(&world.send(create(json!({"name": "a", "price": 1}))).await);
    let put = |body: &str| one(Method::PUT, &id).body(body.to_owned());
    let image = Api.unknown();
    let (image, name, price) =
        (format!("{{\"image\": \"{image}\"}}"), "{\"name\": \"b\"}", "{\"price\": 2}");
    let (one_, two, three) =
        tokio::join!(world.send(put(&image)), world.send(put(name)), world.send(put(price)));
    for reply in [one_, two, three] {
        reply.expect(200);
    }
    let loaded = world.send(one(Method::GET, &id)).await.json();
    assert_eq!((&loaded["name"], &loaded["price"]), (&json!("b"), &json!(2)));
    assert_eq!(loaded["image"], Api.unknown());
}

#[tokio::test]
async fn removing_a_product_leaves_its_image() {
    let world = World::memory().await;
    let image = Api.id(&world.send(Api.upload(&CAT)).await);
    let id = id_of(&world.send(create(json!({"image": image}))).await);
    let reply = world.send(one(Method::DELETE, &id)).await.expect(204);
    assert!(reply.body.is_empty());
    let (title, details) = said(&world.send(one(Method::DELETE, &id)).await.expect(404));
    assert_eq!(title, "Entity not found");
    assert_eq!(details, format!("Entity rstex11_Product with id {id} not found"));
    world.send(Ask::get(Api.at(&image))).await.expect(200);
}

#[tokio::test]
async fn what_is_unknown_or_wrong_is_named() {
    let world = World::memory().await;
    let said_of = |title: &str, details: &str| (title.to_owned(), details.to_owned());
    for ask in [
        Ask::post("/rest/entities/Nothing").body("{}"),
        Ask::get(format!("/rest/entities/Nothing/{NOBODY}")),
        Ask::new(Method::PUT, format!("/rest/entities/Nothing/{NOBODY}")).body("{}"),
        Ask::delete(format!("/rest/entities/Nothing/{NOBODY}")),
    ] {
        let reply = world.send(ask).await.expect(404);
        assert_eq!(said(&reply), said_of("Entity not found", "Entity Nothing not found"));
    }
    let details = format!("Entity rstex11_Product with id {NOBODY} not found");
    let reply = world.send(one(Method::GET, NOBODY)).await.expect(404);
    assert_eq!(said(&reply), said_of("Entity not found", &details));
    for id in ["x", "1", "..%00", "%22"] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let reply = world.send(one(method, id)).await.expect(400);
            assert!(id.contains("%00") || said(&reply).0 == "Invalid entity ID", "{reply:?}");
        }
    }
    for body in ["", "{", "nonsense", "{\"name\":}", "\u{feff}{}", "{}{}", "\"x\"", "1", "null"] {
        let reply = world.send(create(body)).await.expect(400);
        assert_eq!(said(&reply).0, "Cannot deserialize an entity from JSON", "{body}");
    }
    let (_, details) = said(&world.send(create("{")).await);
    assert_eq!(details, "");
    for wrong in [json!({"name": 1}), json!({"price": "cheap"}), json!({"image": "cat.jpg"})] {
        let (_, details) = said(&world.send(create(&wrong)).await.expect(400));
        let attribute = wrong.as_object().unwrap().keys().next().unwrap();
        assert!(details.contains(attribute), "{details}");
    }
    let deep = "[".repeat(100_000);
    said(&world.send(create(deep)).await.expect(400));
    let large = json!({"name": "x".repeat(2 << 20)});
    said(&world.send(create(&large)).await.expect(413));
    said(&world.send(create("{}").declaring(1 << 40)).await.expect(413));
    let broken = create(json!({"name": "a"})).cut_at(5);
    said(&world.send(broken).await.expect(400));
}

#[tokio::test]
async fn who_may_not_is_told_what() {
    let world = World::memory().await;
    let id = id_of(&world.send(create("{}")).await);
    let reader = Token::scoped("files:read");
    let writer = Token::scoped("files:write");
    for (ask, token, title, details) in [
        (
            create("{}"),
            &reader,
            "Creation forbidden",
            "Creation of the rstex11_Product is forbidden",
        ),
        (
            one(Method::PUT, &id).body("{}"),
            &reader,
            "Updating forbidden",
            "Updating of the rstex11_Product is forbidden",
        ),
        (
            one(Method::DELETE, &id),
            &reader,
            "Deletion forbidden",
            "Deletion of the rstex11_Product is forbidden",
        ),
        (
            one(Method::GET, &id),
            &writer,
            "Reading forbidden",
            "Reading of the rstex11_Product is forbidden",
        ),
    ] {
        let reply = world.send_bare(ask.clone().bearer(token)).await.expect(403);
        assert!(!reply.read_body);
        assert_eq!(said(&reply), (title.to_owned(), details.to_owned()));
        Api.assert_error(&world.send_bare(ask).await.expect(401));
    }
}

#[tokio::test]
async fn another_tenant_s_product_is_as_good_as_none() {
    let world = World::memory().await;
    let id = id_of(&world.send(create("{}")).await);
    let stranger = Token::of_another_tenant();
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let reply = world.send_bare(one(method, &id).body("{}").bearer(&stranger)).await;
        assert_eq!(said(&reply.expect(404)).0, "Entity not found");
    }
    world.send(one(Method::GET, &id)).await.expect(200);
}
