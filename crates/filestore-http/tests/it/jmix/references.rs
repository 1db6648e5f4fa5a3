//! Downloading by reference.

use super::{Api, CAT, FILES, encoded, said};
use crate::harness::{Ask, World};
use crate::subject::{File, Subject};

async fn stored(world: &World) -> String {
    Api.id(&world.send(Api.upload(&CAT)).await.expect(201))
}

#[tokio::test]
async fn a_reference_works_encoded_and_raw() {
    let world = World::memory().await;
    let reference = stored(&world).await;
    for reference in [encoded(&reference), reference.replace(':', "%3A"), reference] {
        let reply = world.send(Ask::get(Api.at(&reference))).await.expect(200);
        assert_eq!(reply.body, CAT.content);
        assert_eq!(reply.header("content-type"), "image/jpeg");
        assert_eq!(
            reply.header("content-disposition"),
            "inline; filename=\"cat.jpg\"; filename*=UTF-8''cat.jpg"
        );
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.header("pragma"), "no-cache");
        assert_eq!(reply.header("expires"), "0");
        assert_eq!(reply.header("content-security-policy"), "default-src 'none'; sandbox");
    }
}

#[tokio::test]
async fn attachment_is_what_the_caller_asks_for() {
    let world = World::memory().await;
    let reference = stored(&world).await;
    for (query, kind) in [
        ("&attachment=true", "attachment"),
        ("&attachment=false", "inline"),
        ("&attachment=", "inline"),
        ("&attachment", "inline"),
        ("", "inline"),
    ] {
        for reference in [&reference, &encoded(&reference)] {
            let ask = Ask::get(format!("{}{query}", Api.at(reference)));
            let reply = world.send(ask).await.expect(200);
            assert!(reply.header("content-disposition").starts_with(kind), "{query}");
        }
    }
    let first = Ask::get(format!("{FILES}?attachment=true&fileRef={}", encoded(&reference)));
    let reply = world.send(first).await.expect(200);
    assert!(reply.header("content-disposition").starts_with("attachment"));
}

#[tokio::test]
async fn only_a_few_kinds_of_files_are_shown() {
    let world = World::memory().await;
    for (name, content_type, kind) in [
        ("a.jpg", "image/jpeg", "inline"),
        ("a.JPEG", "image/jpeg", "inline"),
        ("a.png", "image/png", "inline"),
        ("a.pdf", "application/pdf", "inline"),
        ("a.gif", "image/gif", "attachment"),
        ("a.html", "text/html", "attachment"),
        ("a.svg", "image/svg+xml", "attachment"),
        ("a.txt", "text/plain", "attachment"),
        ("jpg", "application/octet-stream", "attachment"),
        ("a.unheard", "application/octet-stream", "attachment"),
    ] {
        // What the form says of the type is not asked.
        let file = File { name, content_type: "image/png", ..CAT };
        let reference = Api.id(&world.send(Api.upload(&file)).await.expect(201));
        let ask = Ask::get(format!("{}&attachment=false", Api.at(&reference)));
        let reply = world.send(ask).await.expect(200);
        assert_eq!(reply.header("content-type"), content_type, "{name}");
        assert!(reply.header("content-disposition").starts_with(kind), "{name}");
        let policy = reply.header("content-security-policy");
        assert_eq!(policy.contains("sandbox"), name != "a.pdf", "{name}");
    }
}

/// The name is the referrer's word, and it must not turn a file into something that runs.
#[tokio::test]
async fn the_name_in_the_reference_is_the_one_shown() {
    let world = World::memory().await;
    let reference = stored(&world).await;
    let (path, _) = reference.split_once('?').unwrap();
    for (query, name, content_type, kind) in [
        ("name=dog.png", "dog.png", "image/png", "inline"),
        ("whatever=dog.png", "dog.png", "image/png", "inline"),
        ("name=x.html", "x.html", "text/html", "attachment"),
        ("name=x.html&testParam=foo", "x.html", "text/html", "attachment"),
        ("name=a+b%22.jpg", "a b\".jpg", "image/jpeg", "inline"),
        ("name=%0D%0ASet-Cookie:x", "\r\nSet-Cookie:x", "application/octet-stream", "attachment"),
    ] {
        let ask = Ask::get(Api.at(&encoded(&format!("{path}?{query}"))));
        let reply = world.send(ask).await.expect(200);
        assert_eq!(reply.header("content-type"), content_type, "{query}");
        let disposition = reply.header("content-disposition");
        assert!(disposition.starts_with(kind), "{query}: {disposition}");
        let (_, exact) = disposition.split_once("filename*=UTF-8''").unwrap();
        let exact = percent_encoding::percent_decode_str(exact).decode_utf8().unwrap();
        assert_eq!(exact, name);
        assert_eq!(reply.body, CAT.content);
    }
    let nameless = Ask::get(Api.at(&encoded(&format!("{path}?name="))));
    assert_eq!(world.send(nameless).await.expect(200).header("content-disposition"), "attachment");
}

#[tokio::test]
async fn every_part_of_the_path_must_be_the_file_s_own() {
    let world = World::memory().await;
    let reference = stored(&world).await;
    let (path, _) = reference.split_once('?').unwrap();
    let (day, file) = path.rsplit_once('/').unwrap();
    let (uuid, _) = file.split_once('.').unwrap();
    for other in [
        format!("{day}/{uuid}.png?name=cat.jpg"),
        format!("{day}/{uuid}?name=cat.jpg"),
        format!("{day}/{uuid}.jpg.jpg?name=cat.jpg"),
        format!("{day}/{}.jpg?name=cat.jpg", uuid.to_uppercase()),
        format!("{day}/{}.jpg?name=cat.jpg", uuid.replace('-', "")),
        format!("{day}/x/{uuid}.jpg?name=cat.jpg"),
        format!("{day}/../{uuid}.jpg?name=cat.jpg"),
        format!("fs://2021/03/12/{uuid}.jpg?name=cat.jpg"),
        format!("{day}//{uuid}.jpg?name=cat.jpg"),
        "fs://2026/04/28/../../../../outside/file.txt?name=cat.jpg".to_owned(),
        "fs://2026/04/28/outside.txt?name=cat.jpg".to_owned(),
        Api.unknown().to_owned(),
    ] {
        for asked in [other.clone(), encoded(&other)] {
            let reply = world.send(Ask::get(Api.at(&asked))).await.expect(404);
            let details = format!("File not found. File reference: {other}");
            assert_eq!(said(&reply), ("File not found".to_owned(), details));
        }
    }
}

#[tokio::test]
async fn what_is_no_reference_is_refused() {
    let world = World::memory().await;
    let file = "2021/03/12/2266c97c-cf23-c202-481d-04d972e185b4.jpg";
    for text in [
        "".to_owned(),
        "cat.jpg".to_owned(),
        format!("{file}?name=cat.jpg"),
        format!("fs://{file}"),
        format!("fs://{file}?"),
        format!("fs://{file}?name"),
        format!("fs://{file}?name=a=b"),
        format!("fs://{file}?name=a&b"),
        "fs://2021/03/1 2/x.jpg?name=a".to_owned(),
        "fs://2021\\03/12/x/y.jpg?name=a".to_owned(),
        "fs://2021/03/x.jpg?name=a".to_owned(),
        format!("fs://{file}?name=a\u{0}b"),
        format!("fs://{file}?name=a\nb"),
        "fs://?name=a".to_owned(),
        "://x?name=a".to_owned(),
        format!("fs://{file}?name=%ff"),
        "x".repeat(5000),
    ] {
        let reply = world.send(Ask::get(Api.at(&encoded(&text)))).await;
        assert_eq!(reply.status, 400, "{text}: {reply:?}");
        let details = format!("Cannot convert '{text}' into valid file reference");
        assert_eq!(said(&reply), ("Invalid file reference".to_owned(), details));
    }
    let other = Api.unknown().replace("fs://", "s3://");
    let details = "Cannot find FileStorage with name: 's3'".to_owned();
    let reply = world.send(Ask::get(Api.at(&other))).await.expect(400);
    assert_eq!(said(&reply), ("Invalid file reference".to_owned(), details));
    for query in ["", "?", "?fileref=x", "?attachment=true"] {
        said(&world.send(Ask::get(format!("{FILES}{query}"))).await.expect(400));
    }
    for query in ["?fileRef=%", "?fileRef=%ff", "?fileRef=%zz"] {
        said(&world.send(Ask::get(format!("{FILES}{query}"))).await.expect(400));
    }
}
