//! Who may do what: every route of every dialect, asked by everybody. The expected outcomes are
//! the tables in `rows`; that they have every route is read off the sources and the descriptions.

mod rows;
mod scene;

use std::collections::BTreeSet;

use crate::harness::{Ask, Reply, Token};
use crate::subject::Subject;
use crate::{idempiere, jea, jmix, molgenis};
use filestore_http::auth::Right;
use http::Method;
use rows::{Row, rows};
use scene::Scene;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// Whoever made all that is there.
    Owner,
    /// Another subject of the same tenant.
    Colleague,
    /// A subject of another tenant.
    Stranger,
    /// The owner, with a token that carries this right and no other.
    With(Right),
}

impl Caller {
    const ALL: [Self; 5] = [
        Self::Owner,
        Self::Colleague,
        Self::Stranger,
        Self::With(Right::Read),
        Self::With(Right::Write),
    ];

    fn token(self) -> String {
        match self {
            Self::Owner => Token::full(),
            Self::Colleague => Token::of_a_colleague(),
            Self::Stranger => Token::of_another_tenant(),
            Self::With(right) => Token::scoped(right.as_str()),
        }
    }

    fn outcome(self, row: &Row) -> u16 {
        match self {
            Self::Owner => row.owner,
            Self::Colleague => row.colleague,
            Self::Stranger => row.stranger,
            Self::With(right) if right == row.right => row.owner,
            Self::With(_) => 403,
        }
    }
}

/// The request, and the same with HEAD where it is a GET.
fn forms(ask: Ask) -> Vec<Ask> {
    let mut head = ask.clone();
    head.method = Method::HEAD;
    if ask.method == Method::GET { vec![ask, head] } else { vec![ask] }
}

fn assert_shape(dialect: &str, reply: &Reply) {
    match dialect {
        "jea" => jea::Api.assert_error(reply),
        "molgenis" => molgenis::Api.assert_error(reply),
        "jmix" => jmix::Api.assert_error(reply),
        "idempiere" => idempiere::Api.assert_error(reply),
        _ => assert_eq!(reply.json()["error"]["code"], reply.status.as_u16(), "{reply:?}"),
    }
}

#[tokio::test]
async fn everybody_gets_what_the_table_says() {
    for row in rows() {
        for caller in Caller::ALL {
            let scene = Scene::set().await;
            for ask in forms(scene.filled(&row)) {
                let before = scene.everything().await;
                let asked = format!("{caller:?}: {} {}", ask.method, ask.target);
                let is_head = ask.method == Method::HEAD;
                let reply = scene.world.send_bare(ask.bearer(caller.token())).await;
                assert_eq!(reply.status, caller.outcome(&row), "{asked}: {reply:?}");
                let is_refused = !reply.status.is_success();
                if is_refused && !is_head {
                    assert_shape(row.dialect, &reply);
                }
                if is_refused || caller == Caller::Stranger || row.right == Right::Read {
                    assert_eq!(scene.everything().await, before, "{asked} changed something");
                }
                if caller == Caller::Stranger {
                    scene.assert_tells_nothing(&reply, &asked);
                }
            }
        }
    }
}

#[tokio::test]
async fn nobody_gets_anything() {
    let scene = Scene::set().await;
    let before = scene.everything().await;
    let mut tokens = vec![("none", None)];
    tokens.extend(Token::bad().into_iter().map(|(why, token)| (why, Some(token))));
    for row in rows() {
        for ask in forms(scene.filled(&row)) {
            for (why, token) in &tokens {
                let asked = format!("{why}: {} {}", ask.method, ask.target);
                let is_head = ask.method == Method::HEAD;
                let ask = token.iter().fold(ask.clone(), Ask::bearer);
                let reply = scene.world.send_bare(ask).await;
                assert_eq!(reply.status, 401, "{asked}");
                assert_eq!(reply.header("www-authenticate"), "Bearer", "{asked}");
                assert!(!reply.read_body, "{asked}");
                if !is_head {
                    assert_shape(row.dialect, &reply);
                }
                scene.assert_tells_nothing(&reply, &asked);
            }
        }
    }
    assert_eq!(scene.everything().await, before);
}

/// What the sources of a dialect name as its routes: each variant begins with the request it is.
fn routes_in(source: &str) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let mut doc = String::new();
    let enums = source.split("\n}\n").filter(|item| {
        item.contains("pub enum Route {") || item.contains("pub(super) enum Action {")
    });
    for line in enums.flat_map(str::lines) {
        if let Some(text) = line.strip_prefix("    /// ") {
            doc.push_str(text);
        } else if line.starts_with("    ") && line[4..].starts_with(char::is_uppercase) {
            let route = doc.strip_prefix('`').and_then(|doc| doc.split_once('`'));
            let (route, _) = route.unwrap_or_else(|| panic!("{line} does not say what it is"));
            routes.insert(route.to_owned());
            doc.clear();
        }
    }
    assert!(!routes.is_empty());
    routes
}

/// Methods and whole paths that a description in OpenAPI has.
fn routes_described(yaml: &str) -> BTreeSet<String> {
    let server =
        yaml.lines().find_map(|line| line.trim().strip_prefix("- url: http://127.0.0.1:8080"));
    let (server, mut path) = (server.unwrap(), "");
    let mut routes = BTreeSet::new();
    for line in yaml.lines() {
        if let Some(found) = line.strip_prefix("  /") {
            path = found.strip_suffix(':').unwrap();
        }
        let method = line.strip_prefix("    ").and_then(|line| line.strip_suffix(':'));
        let is_one = |method: &&str| ["get", "put", "post", "delete", "patch"].contains(method);
        if let Some(method) = method.filter(is_one) {
            routes.insert(format!("{} {server}/{path}", method.to_uppercase()));
        }
    }
    assert!(!routes.is_empty());
    routes
}

#[test]
fn no_route_is_missing_in_the_table() {
    for (dialect, source, description) in [
        (
            "jea",
            include_str!("../../../src/dialects/jea/route.rs"),
            include_str!("../../../../../docs/openapi/jea.yaml"),
        ),
        (
            "molgenis",
            include_str!("../../../src/dialects/molgenis/route.rs"),
            include_str!("../../../../../docs/openapi/molgenis.yaml"),
        ),
        (
            "jmix",
            include_str!("../../../src/dialects/jmix/route.rs"),
            include_str!("../../../../../docs/openapi/jmix.yaml"),
        ),
        (
            "idempiere",
            include_str!("../../../src/dialects/idempiere/route.rs"),
            include_str!("../../../../../docs/openapi/idempiere.yaml"),
        ),
        (
            "cdf",
            include_str!("../../../src/dialects/cdf/route.rs"),
            include_str!("../../../../../docs/openapi/cdf.yaml"),
        ),
    ] {
        let rows: Vec<_> = rows().into_iter().filter(|row| row.dialect == dialect).collect();
        let in_table: BTreeSet<_> = rows.iter().map(|row| row.route.to_owned()).collect();
        assert_eq!(in_table, routes_in(source), "{dialect}");
        let whole: BTreeSet<_> = rows.iter().map(Row::whole).collect();
        for route in routes_described(description) {
            assert!(whole.contains(&route), "{dialect}: {route} is not in {whole:?}");
        }
    }
}

#[test]
fn dialects_are_all_in_the_table() {
    let source = include_str!("../../../src/dialects/mod.rs");
    let modules = source.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    let in_table: BTreeSet<_> = rows().iter().map(|row| row.dialect).collect();
    assert_eq!(modules.collect::<BTreeSet<_>>(), in_table);
}
