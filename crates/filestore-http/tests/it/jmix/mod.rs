//! "Jmix Files API", line by line.

mod entities;
mod references;
mod uploads;

use http::Method;

use crate::harness::{Ask, Reply};
use crate::subject::{File, Subject, assert_challenge, form, words, wrong};

pub(crate) struct Api;

const FILES: &str = "/rest/files";

impl Subject for Api {
    fn mount(&self) -> &'static str {
        "/rest"
    }

    fn upload(&self, file: &File<'_>) -> Ask {
        form(FILES, "file", file)
    }

    fn id(&self, uploaded: &Reply) -> String {
        uploaded.json()["fileRef"].as_str().unwrap().to_owned()
    }

    /// The reference as it is: the page's own example does not encode it either.
    fn at(&self, id: &str) -> String {
        format!("{FILES}?fileRef={id}")
    }

    fn changes(&self, _: &str) -> Vec<Ask> {
        Vec::new()
    }

    fn unknown(&self) -> &'static str {
        "fs://2021/03/12/2266c97c-cf23-c202-481d-04d972e185b4.bin?name=data.bin"
    }

    fn misdirected(&self) -> Vec<(Ask, &'static str)> {
        let one = "/rest/entities/rstex11_Product/ea6f1b3c-0e74-c90b-b009-9f58ac964034";
        vec![
            wrong(Method::DELETE, &self.at(self.unknown()), "GET, HEAD, POST"),
            wrong(Method::PUT, FILES, "GET, HEAD, POST"),
            wrong(Method::GET, "/rest/entities/rstex11_Product", "POST"),
            wrong(Method::POST, one, "GET, HEAD, PUT, DELETE"),
        ]
    }

    fn refused_media(&self) -> Vec<Ask> {
        Vec::new()
    }

    fn assert_error(&self, reply: &Reply) {
        if reply.status == 401 {
            assert_challenge(reply);
            assert!(reply.body.is_empty());
            return;
        }
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.members(), ["error", "details"]);
        words(&reply.json()["error"]);
        assert!(reply.json()["details"].is_string());
    }
}

/// Title and details of an error.
fn said(reply: &Reply) -> (String, String) {
    Api.assert_error(reply);
    let error = reply.json();
    (error["error"].as_str().unwrap().into(), error["details"].as_str().unwrap().into())
}

/// As forms are encoded.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

const CAT: File<'_> =
    File { name: "cat.jpg", content_type: "image/jpeg", content: b"\xff\xd8\xff\xe0 meow" };
