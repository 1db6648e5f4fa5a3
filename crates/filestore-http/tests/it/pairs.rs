//! One file has a name in every dialect: what one stored, all others serve.

use filestore::{Attributes, FileId, FileRecord, Term};
use filestore_http::dialects::Cdf;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::harness::{Ask, Reply, Token, World, noise, on_every_backend};
use crate::subject::{File, Subject};
use crate::{idempiere, jea, jmix, molgenis};

/// A dialect, and how to read its ids and to write them for a file of any origin.
struct Names {
    api: &'static dyn Subject,
    read: fn(&str) -> FileId,
    write: fn(&FileRecord) -> String,
    /// What a download of it is called.
    called: fn(&FileRecord) -> String,
}

const ALL: [Names; 4] = [
    Names {
        api: &jea::Api,
        read: |handle| FileId::from_bytes(hex::decode(handle).unwrap().try_into().unwrap()),
        write: |record| hex::encode(record.id.as_bytes()),
        called: |record| hex::encode(record.id.as_bytes()),
    },
    Names {
        api: &molgenis::Api,
        read: |id| {
            let bytes = data_encoding::BASE32_NOPAD.decode(id.to_ascii_uppercase().as_bytes());
            FileId::from_bytes(bytes.unwrap().try_into().unwrap())
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
            FileId::from_bytes(Uuid::parse_str(&file[..36]).unwrap().into_bytes())
        },
        write: reference,
        called: |record| record.attributes.name.clone(),
    },
    Names {
        api: &idempiere::Api,
        read: |id| FileId::from_bytes(Uuid::parse_str(id).unwrap().into_bytes()),
        write: |record| Uuid::from_bytes(*record.id.as_bytes()).to_string(),
        called: |record| record.attributes.name.clone(),
    },
];

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
    what_one_dialect_deleted_is_gone_in_all
    rights_and_tenants_hold_across_dialects
    what_a_caller_may_not_see_is_in_no_dialect
);

async fn stored(world: &World, from: &Names, file: &File<'_>) -> FileRecord {
    let uploaded = world.send(from.api.upload(file)).await;
    let id = (from.read)(&from.api.id(&uploaded));
    let record = world.files().stat(id).await.unwrap();
    assert_eq!((from.write)(&record), from.api.id(&uploaded));
    record
}

async fn fetched(world: &World, by: &Names, record: &FileRecord) -> Reply {
    world.send(Ask::get(by.api.at(&(by.write)(record)))).await
}

async fn what_one_dialect_stored_all_serve(world: &World) {
    let content = noise(100_000);
    for from in &ALL {
        for (name, size) in [("photo.jpg", 100_000), ("README", 0), ("archive.tar.gz", 10)] {
            let file = File { name, content_type: "image/jpeg", content: &content[..size] };
            let record = stored(world, from, &file).await;
            let mut tags = Vec::new();
            for by in &ALL {
                let reply = fetched(world, by, &record).await.expect(200);
                assert!(reply.body == content[..size], "{name} of {size} bytes");
                tags.push(reply.header("etag").to_owned());
                let shown = reply.header("content-disposition");
                let name = (by.called)(&record);
                assert!(shown.contains(&format!("filename=\"{name}\"")), "{shown}");
            }
            tags.dedup();
            assert_eq!(tags.len(), 1);
            let meta = format!("/api/files/{}", (ALL[1].write)(&record));
            let meta = world.send(Ask::get(meta)).await.expect(200).json();
            assert_eq!(meta["filename"], record.attributes.name);
            assert_eq!((&meta["contentType"], &meta["size"]), (&"image/jpeg".into(), &size.into()));
        }
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
                let reply = fetched(world, reader, &record).await.expect(404);
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
        for (categories, status) in [(&[1, 2, 3][..], 200), (&[1], 404), (&[], 404)] {
            let token = Token::in_categories(categories);
            let reply = strict.send_bare(Ask::get(by.api.at(&id)).bearer(token)).await;
            if status == 404 {
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
                (Token::of_another_tenant(), 404),
                (Token::scoped("files:write"), 403),
                (Token::scoped("files:read"), 200),
                (Token::of_a_colleague(), by.api.to_colleagues()),
            ] {
                world.send_bare(ask().bearer(token)).await.expect(status);
            }
        }
    }
}
