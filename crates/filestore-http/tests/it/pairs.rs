//! One file has a name in every dialect: what one stored, all others serve.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use filestore::{Attributes, Digest, FileId, FileKey, FileNumber, FileRecord, Term};
use filestore_http::dialects::Cdf;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Ask, Reply, Token, World, noise, on_every_backend};
use crate::subject::{File, Subject};
use crate::{cdf, idempiere, jea, jmix, molgenis};

/// A dialect, and how to read its ids and to write them for a file of any origin.
struct Names {
    api: &'static dyn Subject,
    read: fn(&str) -> FileKey,
    write: fn(&FileRecord) -> String,
    /// What a download of it is called.
    called: fn(&FileRecord) -> String,
}

const ALL: [Names; 5] = [
    Names {
        api: &jea::Api,
        read: |handle| key(&hex::decode(handle).unwrap()),
        write: |record| hex::encode(record.id.as_bytes()),
        called: |record| hex::encode(record.id.as_bytes()),
    },
    Names {
        api: &molgenis::Api,
        read: |id| {
            key(&data_encoding::BASE32_NOPAD.decode(id.to_ascii_uppercase().as_bytes()).unwrap())
        },
        write: |record| {
            data_encoding::BASE32_NOPAD.encode(record.id.as_bytes()).to_ascii_lowercase()
        },
        called: |record| record.attributes.name.clone(),
    },
    Names {
        api: &jmix::Api,
        read: |reference| {
            let file = reference.split('/').nth(5).unwrap();
            key(Uuid::parse_str(&file[..36]).unwrap().as_bytes())
        },
        write: reference,
        called: |record| record.attributes.name.clone(),
    },
    Names {
        api: &idempiere::Api,
        read: |id| key(Uuid::parse_str(id).unwrap().as_bytes()),
        write: |record| Uuid::from_bytes(*record.id.as_bytes()).to_string(),
        called: |record| record.attributes.name.clone(),
    },
    Names {
        api: &cdf::Api,
        read: |id| FileNumber::new(id.parse().unwrap()).unwrap().into(),
        write: |record| record.number.get().to_string(),
        called: |record| record.attributes.name.clone(),
    },
];

fn key(id: &[u8]) -> FileKey {
    FileId::from_bytes(id.try_into().unwrap()).into()
}

/// `fs://` and the day of creation, the id, the extension of the name, the name.
fn reference(record: &FileRecord) -> String {
    let seconds = i64::try_from(record.created.as_millis() / 1000).unwrap();
    let day = OffsetDateTime::from_unix_timestamp(seconds).unwrap().date();
    let uuid = Uuid::from_bytes(*record.id.as_bytes());
    let name = &record.attributes.name;
    let extension = name.rsplit_once('.').map(|(_, extension)| format!(".{extension}"));
    format!(
        "fs://{:04}/{:02}/{:02}/{uuid}{}?name={name}",
        day.year(),
        u8::from(day.month()),
        day.day(),
        extension.unwrap_or_default()
    )
}

macro_rules! cases {
    ($backend:ident: $($case:ident)*) => {
        mod $backend {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&crate::harness::World::$backend().await).await;
                }
            )*
        }
    };
}
on_every_backend!(cases:
    what_one_dialect_stored_all_serve
    what_came_in_pieces_is_whole_in_all
    new_content_is_new_in_all
    a_file_without_content_is_there_for_who_can_give_it_some
    what_one_dialect_deleted_is_gone_in_all
    rights_and_tenants_hold_across_dialects
    what_a_caller_may_not_see_is_in_no_dialect
);

async fn stored(world: &World, from: &Names, file: &File<'_>) -> FileRecord {
    let uploaded = world.send(from.api.upload(file)).await;
    let key = (from.read)(&from.api.id(&uploaded));
    let record = world.files().stat(key).await.unwrap();
    assert_eq!((from.write)(&record), from.api.id(&uploaded));
    record
}

async fn fetched(world: &World, by: &Names, record: &FileRecord) -> Reply {
    world.send(Ask::get(by.api.at(&(by.write)(record)))).await
}

/// The header that tells the digest of all of the file.
fn repr_digest(content: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Digest::of(content).as_bytes()))
}

async fn what_one_dialect_stored_all_serve(world: &World) {
    let content = noise(100_000);
    for from in &ALL {
        for (name, size) in [("photo.jpg", 100_000), ("README", 0), ("archive.tar.gz", 10)] {
            let content = &content[..size];
            let file = File { name, content_type: "image/jpeg", content };
            let record = stored(world, from, &file).await;
            let mut tags = Vec::new();
            for by in &ALL {
                let reply = fetched(world, by, &record).await.expect(200);
                assert!(reply.body == *content, "{name} of {size} bytes");
                assert_eq!(reply.header("repr-digest"), repr_digest(content));
                tags.push(reply.header("etag").to_owned());
                let shown = reply.header("content-disposition");
                let name = (by.called)(&record);
                assert!(shown.contains(&format!("filename=\"{name}\"")), "{shown}");
            }
            tags.dedup();
            assert_eq!(tags.len(), 1);
            assert_described_by_all(world, &record, size).await;
        }
    }
}

/// Three of the dialects also tell what they know of a file, whoever stored it.
async fn assert_described_by_all(world: &World, record: &FileRecord, size: usize) {
    let shown = async |target: String| world.send(Ask::get(target)).await.expect(200).json();
    let [_, molgenis, _, idempiere, cdf] = ALL.map(|it| (it.write)(record));
    let name = &record.attributes.name;

    let meta = shown(format!("/api/files/{molgenis}")).await;
    let expected =
        json!({"id": molgenis, "filename": name, "contentType": "image/jpeg", "size": size});
    assert_eq!(meta, expected);

    let file = shown(format!("/files/{cdf}")).await;
    assert_eq!((&file["name"], &file["mimeType"]), (&json!(name), &json!("image/jpeg")));
    assert_eq!(file["uploaded"], true);
    assert!(file["uploadedTime"].as_u64() >= file["createdTime"].as_u64());
    let listed = shown("/files?limit=1000".into()).await;
    assert_eq!(listed["items"].as_array().unwrap().iter().filter(|it| **it == file).count(), 1);

    let upload = shown(format!("/api/v1/uploads/{idempiere}")).await;
    assert_eq!((&upload["fileName"], &upload["fileSize"]), (&json!(name), &json!(size)));
    assert_eq!(upload["status"], "COMPLETED");
    assert_eq!(shown("/api/v1/uploads".into()).await, json!({"uploads": []}));
}

async fn what_came_in_pieces_is_whole_in_all(world: &World) {
    let content = noise(50_000);
    let [.., idempiere, cdf] = &ALL;
    let chunked = (idempiere.read)(&idempiere::in_chunks(world, &content, 20_000).await);
    let parted = (cdf.read)(&cdf::in_parts(world, &content, 20_000).await);
    // Nobody declared a digest of the parts together, and nothing is read again to know it.
    for (key, digest) in [(chunked, Some(repr_digest(&content))), (parted, None)] {
        let record = world.files().stat(key).await.unwrap();
        let mut tags = Vec::new();
        for by in &ALL {
            let reply = fetched(world, by, &record).await.expect(200);
            assert!(reply.body == content);
            assert_eq!(reply.find("repr-digest"), digest.as_deref());
            tags.push(reply.header("etag").to_owned());
            let across = Ask::get(by.api.at(&(by.write)(&record)));
            let across = world.send(across.header("range", "bytes=19000-40999")).await.expect(206);
            assert!(across.body == content[19_000..41_000]);
        }
        tags.dedup();
        assert_eq!(tags.len(), 1);
    }
}

async fn new_content_is_new_in_all(world: &World) {
    let [.., cdf] = &ALL;
    for from in &ALL {
        let record = stored(world, from, &File::of(b"old")).await;
        let before = fetched(world, from, &record).await.header("etag").to_owned();
        let url = cdf.api.at(&(cdf.write)(&record));
        world.send(Ask::put(url).body("new")).await.expect(200);
        for by in &ALL {
            let reply = fetched(world, by, &record).await.expect(200);
            assert_eq!(
                (&*reply.body, reply.header("repr-digest")),
                (&b"new"[..], &*repr_digest(b"new"))
            );
            assert_ne!(reply.header("etag"), before);
        }
    }
}

/// One dialect makes files before their content; in the others there is no such state.
async fn a_file_without_content_is_there_for_who_can_give_it_some(world: &World) {
    let [others @ .., cdf] = &ALL;
    let attributes = Attributes { name: "later.bin".into(), ..Attributes::default() };
    let record = world.files().reserve(attributes).await.unwrap();
    for by in others {
        let mut asks = by.api.changes(&(by.write)(&record));
        asks.push(Ask::get(by.api.at(&(by.write)(&record))));
        for ask in asks {
            let reply = world.send(ask).await.expect(404);
            by.api.assert_error(&reply);
        }
    }
    let url = cdf.api.at(&(cdf.write)(&record));
    world.send(Ask::put(url).body("now")).await.expect(200);
    for by in &ALL {
        assert_eq!(fetched(world, by, &record).await.expect(200).body, "now");
    }
}

async fn what_one_dialect_deleted_is_gone_in_all(world: &World) {
    for from in &ALL {
        for by in &ALL {
            let record = stored(world, from, &File::of(b"content")).await;
            let Some(delete) = by.api.changes(&(by.write)(&record)).pop() else { continue };
            let reply = world.send(delete).await;
            assert!(reply.status.is_success(), "{reply:?}");
            for reader in &ALL {
                let reply = fetched(world, reader, &record).await.expect(reader.api.not_found());
                reader.api.assert_error(&reply);
            }
        }
    }
}

async fn what_a_caller_may_not_see_is_in_no_dialect(world: &World) {
    let strict = world.strict();
    let mut attributes = Attributes::named("secret.bin");
    let categories = vec![Term::Int(1), Term::Int(2)];
    attributes.terms.insert(Cdf::SECURITY_CATEGORIES.to_owned(), categories);
    let record = world.files().create(attributes, "secret").await.unwrap();
    for by in &ALL {
        let id = (by.write)(&record);
        let hidden = by.api.not_found();
        for (categories, status) in [(&[1, 2, 3][..], 200), (&[1], hidden), (&[], hidden)] {
            let token = Token::in_categories(categories);
            let reply = strict.send_bare(Ask::get(by.api.at(&id)).bearer(token)).await;
            if status == hidden {
                by.api.assert_error(&reply);
            }
            reply.expect(status);
        }
        for change in by.api.changes(&id) {
            let reply = strict.send_bare(change.bearer(Token::in_categories(&[2]))).await;
            assert!(reply.status.is_client_error(), "{reply:?}");
        }
        assert_eq!(world.files().stat(record.id).await.unwrap(), record);
        // Where it is not enforced, nothing is hidden.
        world.send(Ask::get(by.api.at(&id))).await.expect(200);
    }
}

async fn rights_and_tenants_hold_across_dialects(world: &World) {
    for from in &ALL {
        let record = stored(world, from, &File::of(b"content")).await;
        for by in &ALL {
            let ask = || Ask::get(by.api.at(&(by.write)(&record)));
            for (token, status) in [
                (Token::of_another_tenant(), by.api.not_found()),
                (Token::scoped("files:write"), 403),
                (Token::scoped("files:read"), 200),
                (Token::of_a_colleague(), by.api.to_colleagues()),
            ] {
                world.send_bare(ask().bearer(token)).await.expect(status);
            }
        }
    }
}
