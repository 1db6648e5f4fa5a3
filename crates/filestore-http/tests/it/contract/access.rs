//! Who may do what, and what the others get to know.

use crate::harness::{Ask, Reply, Token, World};
use crate::subject::{File, Subject, assert_challenge};

contract! {
    without_a_good_token_nothing_is_read_or_done
    an_empty_header_is_no_token
    a_token_that_may_only_read_does_not_write
    a_token_that_may_only_write_does_not_read
    another_tenant_s_file_is_as_good_as_none
    others_of_the_tenant_may_read
}

async fn store(world: &World, api: &dyn Subject, content: &[u8]) -> String {
    api.stored(&world.send(api.upload(&File::of(content))).await)
}

async fn without_a_good_token_nothing_is_read_or_done(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"secret").await;
    let asks = |change: &dyn Fn(Ask) -> Ask| {
        let mut asks = vec![
            api.upload(&File::of(b"content")),
            api.upload(&File::of(b"content")).header("expect", "100-continue"),
            Ask::get(&url),
            Ask::head(&url),
            Ask::get(api.at(api.unknown())),
            Ask::get(api.at("malformed")),
        ];
        asks.extend(api.misdirected().into_iter().map(|(ask, _)| ask));
        asks.into_iter().map(change).collect::<Vec<_>>()
    };
    let mut credentials: Vec<(&str, Option<String>)> = vec![
        ("none", None),
        ("empty", Some(String::new())),
        ("no token", Some("Bearer ".into())),
        ("another scheme", Some("Basic amFuZTpzZWNyZXQ=".into())),
    ];
    let bad = Token::bad();
    credentials.extend(bad.iter().map(|(why, token)| (*why, Some(format!("Bearer {token}")))));
    for (why, credential) in credentials {
        let present = |ask: Ask| match &credential {
            Some(value) => ask.header("authorization", value),
            None => ask,
        };
        for ask in asks(&present) {
            let asked = format!("{why}: {} {}", ask.method, ask.target);
            let is_head = ask.method == http::Method::HEAD;
            let reply = world.send_bare(ask).await;
            assert_eq!(reply.status, 401, "{asked}");
            assert!(!reply.read_body, "{asked} has its body read");
            assert_challenge(&reply);
            if !is_head {
                api.assert_error(&reply);
            }
        }
    }
    let twice = Ask::get(&url).bearer(Token::full()).bearer(Token::full());
    world.send_bare(twice).await.expect(401);
    assert_eq!(world.count().await, 1);
}

async fn an_empty_header_is_no_token(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"content").await;
    let ask = Ask::get(&url).header("authorization", "").bearer(Token::full());
    world.send_bare(ask).await.expect(200);
}

async fn a_token_that_may_only_read_does_not_write(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"content").await;
    let reader = Token::scoped("files:read");
    let upload = api.upload(&File::of(b"more")).bearer(&reader);
    let refused = world.send_bare(upload).await.expect(403);
    assert!(!refused.read_body);
    api.assert_error(&refused);
    assert_eq!(world.send_bare(Ask::get(&url).bearer(&reader)).await.expect(200).body, "content");
    assert_eq!(world.count().await, 1);
}

async fn a_token_that_may_only_write_does_not_read(world: &World, api: &dyn Subject) {
    let writer = Token::scoped("files:write");
    let uploaded = world.send_bare(api.upload(&File::of(b"content")).bearer(&writer)).await;
    assert!(uploaded.status.is_success(), "{uploaded:?}");
    let url = api.stored(&uploaded);
    for token in [writer, Token::scoped("openid"), Token::scoped("")] {
        let refused = world.send_bare(Ask::get(&url).bearer(&token)).await.expect(403);
        api.assert_error(&refused);
        // Whether the file exists is not for this caller to know either.
        let unknown = Ask::get(api.at(api.unknown())).bearer(&token);
        let unknown = world.send_bare(unknown).await.expect(403);
        assert_eq!(refused.body, unknown.body);
    }
}

async fn another_tenant_s_file_is_as_good_as_none(world: &World, api: &dyn Subject) {
    let uploaded = world.send(api.upload(&File::of(b"content"))).await;
    let id = api.id(&uploaded);
    let stranger = Token::of_another_tenant();
    for range in [None, Some("bytes=0-1")] {
        let ask = |id: &str| {
            let ask = Ask::get(api.at(id)).bearer(&stranger);
            range.into_iter().fold(ask, |ask, range| ask.header("range", range))
        };
        let hidden = world.send_bare(ask(&id)).await.expect(api.not_found());
        let unknown = world.send_bare(ask(api.unknown())).await.expect(api.not_found());
        api.assert_error(&hidden);
        // Answers may repeat what was asked for, and tell nothing else apart.
        let blurred = hidden.text().replace(&id, api.unknown());
        assert_eq!(blurred, unknown.text());
        let names = |reply: &Reply| reply.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&hidden), names(&unknown));
    }
    for ask in api.changes(&id) {
        let hidden = world.send_bare(ask.bearer(&stranger)).await.expect(api.not_found());
        api.assert_error(&hidden);
    }
    world.send(Ask::get(api.at(&id))).await.expect(200);
}

async fn others_of_the_tenant_may_read(world: &World, api: &dyn Subject) {
    let url = store(world, api, b"content").await;
    let reply = world.send_bare(Ask::get(&url).bearer(Token::of_a_colleague())).await;
    assert_eq!(reply.status, api.to_colleagues());
    assert_eq!(reply.body == "content", reply.status == 200);
}
