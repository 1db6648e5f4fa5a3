//! Where this server is, as its clients see it; and whether a page that calls is one of its own.

use std::net::SocketAddr;

use http::request::Parts;
use http::{HeaderName, header};
use ipnet::IpNet;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The other end of the connection a request came over; an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// How absolute URLs begin.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    /// What clients reach the server by, without a slash at the end. When it is not set, requests
    /// tell: `http` and their `Host`.
    pub public_url: Option<String>,
    /// Peers whose `X-Forwarded-Proto` and `X-Forwarded-Host` count; anybody else's do not.
    pub trusted_proxies: Vec<IpNet>,
}

impl Origins {
    /// Scheme and authority that the client of this request reaches the server by.
    pub fn base_url(&self, head: &Parts) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let forwarded = |name| self.forwarded(head, name);
        let scheme = forwarded(FORWARDED_PROTO).filter(|it| matches!(*it, "http" | "https"));
        let host = forwarded(FORWARDED_HOST)
            .or_else(|| head.headers.get(header::HOST)?.to_str().ok())
            .or_else(|| Some(head.uri.authority()?.as_str()))
            .filter(|host| is_authority(host));
        format!("{}://{}", scheme.unwrap_or("http"), host.unwrap_or("localhost"))
    }

    /// Whether a browser sent this on behalf of a page that is not this server's.
    pub fn is_foreign(&self, head: &Parts) -> bool {
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap_or_default());
        match (text(SEC_FETCH_SITE), text(header::ORIGIN)) {
            (Some(site), _) if !matches!(site, "same-origin" | "none") => true,
            (_, Some(origin)) => !origin.eq_ignore_ascii_case(&self.base_url(head)),
            _ => false,
        }
    }

    /// A header of a trusted proxy; of several values the last, which that proxy itself wrote.
    fn forwarded<'a>(&self, head: &'a Parts, name: HeaderName) -> Option<&'a str> {
        let Peer(peer) = head.extensions.get::<Peer>()?;
        if !self.trusted_proxies.iter().any(|net| net.contains(&peer.ip())) {
            return None;
        }
        let value = head.headers.get_all(name).iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next().map(str::trim)
    }
}

fn is_authority(text: &str) -> bool {
    text.parse::<http::uri::Authority>().is_ok_and(|authority| !authority.as_str().contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn head(headers: &[(&str, &str)], peer: &str) -> Parts {
        let mut request = Request::builder().uri("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut head = request.body(()).unwrap().into_parts().0;
        head.extensions.insert(Peer(peer.parse().unwrap()));
        head
    }

    #[test]
    fn forwarding_headers_count_from_trusted_peers_only() {
        let origins =
            Origins { trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()], ..Origins::default() };
        let sent = [
            ("host", "inner:8080"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example, files.example"),
        ];
        assert_eq!(origins.base_url(&head(&sent, "10.1.2.3:5")), "https://files.example");
        assert_eq!(origins.base_url(&head(&sent, "192.0.2.1:5")), "http://inner:8080");
    }

    #[test]
    fn a_public_url_beats_everything() {
        let public_url = Some("https://files.example".to_owned());
        let origins = Origins { public_url, ..Origins::default() };
        assert_eq!(
            origins.base_url(&head(&[("host", "x")], "192.0.2.1:5")),
            "https://files.example"
        );
    }

    #[test]
    fn pages_of_other_origins_are_foreign() {
        let origins = Origins::default();
        let is_foreign =
            |headers: &[(&str, &str)]| origins.is_foreign(&head(headers, "192.0.2.1:5"));
        assert!(!is_foreign(&[("host", "a:1")]));
        assert!(!is_foreign(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(is_foreign(&[("host", "a:1"), ("origin", "http://b")]));
        assert!(is_foreign(&[("host", "a:1"), ("origin", "null")]));
        assert!(is_foreign(&[("host", "a:1"), ("sec-fetch-site", "cross-site")]));
        assert!(!is_foreign(&[("host", "a:1"), ("sec-fetch-site", "same-origin")]));
    }
}
