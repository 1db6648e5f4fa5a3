//! URLs that name nothing, and those that try to name what they must not.

use crate::harness::{Ask, World};
use crate::subject::{File, Subject};

contract! {
    unknown_ids_are_not_found
    malformed_ids_name_nothing
    malformed_escapes_are_refused
    other_methods_are_told_which_are_allowed
    paths_of_nobody_are_not_found
}

async fn unknown_ids_are_not_found(world: &World, api: &dyn Subject) {
    for ask in [Ask::get(api.at(api.unknown())), Ask::head(api.at(api.unknown()))] {
        let is_head = ask.method == http::Method::HEAD;
        let reply = world.send(ask).await.expect(api.not_found());
        if !is_head {
            api.assert_error(&reply);
        }
    }
    for ask in api.changes(api.unknown()) {
        api.assert_error(&world.send(ask).await.expect(api.not_found()));
    }
}

async fn malformed_ids_name_nothing(world: &World, api: &dyn Subject) {
    let stored = api.id(&world.send(api.upload(&File::of(b"content"))).await);
    let long = "x".repeat(10_000);
    let shapes = [
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2f..%2fetc%2fpasswd",
        "..%5c..%5cwindows",
        "../../../etc/passwd",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "%00",
        "%0d%0aSet-Cookie:x",
        "%7f",
        "%252e%252e%252f",
        "%e2%80%ae",
        "a%20b",
        ";v=1",
        "''",
        "-1",
        "0",
        "null",
        "file:%2f%2f%2fetc%2fpasswd",
        &long,
    ];
    let close = ["%00", "%20", "x", "/"].map(|head| format!("{head}{stored}"));
    let cut = stored[1..].to_owned();
    for id in shapes.iter().map(ToString::to_string).chain(close).chain([cut]) {
        for ask in [vec![Ask::get(api.at(&id))], api.changes(&id)].concat() {
            let asked = format!("{} {}", ask.method, ask.target);
            let reply = world.send(ask).await;
            assert!([400, 404, 405].contains(&reply.status.as_u16()), "{asked}: {reply:?}");
            api.assert_error(&reply);
        }
    }
    assert_eq!(world.count().await, 1);
}

async fn malformed_escapes_are_refused(world: &World, api: &dyn Subject) {
    for id in ["%", "%4", "%zz", "%ff", "%C0%AF", "a%%41"] {
        let reply = world.send(Ask::get(api.at(id))).await;
        assert_eq!(reply.status, 400, "{id}");
        api.assert_error(&reply);
    }
}

async fn other_methods_are_told_which_are_allowed(world: &World, api: &dyn Subject) {
    for (ask, allowed) in api.misdirected() {
        let asked = format!("{} {}", ask.method, ask.target);
        let reply = world.send(ask).await;
        assert_eq!(reply.status, 405, "{asked}");
        assert_eq!(reply.header("allow"), allowed, "{asked}");
        api.assert_error(&reply);
    }
}

async fn paths_of_nobody_are_not_found(world: &World, api: &dyn Subject) {
    let mount = api.mount();
    for path in ["/nothing", "/nothing/at/all", "//", "/files/a/b/c"] {
        let reply = world.send(Ask::get(format!("{mount}{path}"))).await;
        // Where ids follow the mount point, the short ones are ids of no file.
        let status = reply.status.as_u16();
        assert!([404, api.not_found()].contains(&status), "{path}: {reply:?}");
        api.assert_error(&reply);
    }
    // A mount point ends with a segment.
    let reply = world.send(Ask::get(format!("{mount}x/files"))).await.expect(404);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
}
