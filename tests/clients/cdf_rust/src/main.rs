//! The file operations of the official Rust SDK of Cognite CDF, against a running server:
//! `FILESTORE_URL`, `FILESTORE_TOKEN`, `FILESTORE_TENANT`.

use std::env::var;
use std::time::SystemTime;

use cognite::files::{AddFile, FileFilter, FileSearch};
use cognite::prelude::*;
use cognite::{AuthHeaderManager, CogniteClient, Error, Identity, IdentityOrInstance};
use futures::TryStreamExt;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let client = CogniteClient::new_custom_auth(
        &var("FILESTORE_URL")?,
        &var("FILESTORE_TENANT")?,
        AuthHeaderManager::FixedToken(var("FILESTORE_TOKEN")?),
        "filestore-tests",
        None,
    )?;
    whole_files(&client).await?;
    parts(&client).await?;
    lists(&client).await?;
    deletion(&client).await?;
    println!("the Rust client: 4 scenarios passed");
    Ok(())
}

/// No other run has this.
fn unique(what: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("rust-{what}-{}", now.as_nanos())
}

fn file(external_id: &str) -> AddFile {
    AddFile {
        name: "a.txt".into(),
        external_id: Some(external_id.into()),
        mime_type: Some("text/plain".into()),
        ..AddFile::default()
    }
}

fn named(external_id: &str) -> IdentityOrInstance {
    IdentityOrInstance::Identity(Identity::ExternalId { external_id: external_id.into() })
}

async fn content(client: &CogniteClient, external_id: &str) -> Result<Vec<u8>, Error> {
    let stream = client.files.download_file(named(external_id)).await?;
    let frames: Vec<_> = stream.try_collect().await?;
    Ok(frames.concat())
}

/// Metadata, then content in each of the client's ways.
async fn whole_files(client: &CogniteClient) -> Outcome {
    let name = unique("whole");
    let made = client.files.upload(false, &file(&name)).await?;
    assert!(!made.metadata.uploaded);
    let url = &made.extra.upload_url;

    client.files.upload_blob("text/plain", url, "a blob").await?;
    assert_eq!(content(client, &name).await?, b"a blob");

    let frames = || futures::stream::iter(["a ", "stream"].map(Ok::<_, std::io::Error>));
    for chunked in [true, false] {
        client.files.upload_stream("text/plain", url, frames(), chunked).await?;
        assert_eq!(content(client, &name).await?, b"a stream");
        client.files.upload_blob("text/plain", url, "").await?;
        assert_eq!(content(client, &name).await?, b"");
    }
    client.files.upload_stream_known_size("text/plain", url, frames(), 8).await?;
    assert_eq!(content(client, &name).await?, b"a stream");

    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
    let link = client.files.get_upload_link(&named(&name)).await?;
    let opened = tokio::fs::File::open(manifest).await?;
    client.files.upload_file("text/plain", &link.extra.upload_url, opened).await?;
    assert_eq!(content(client, &name).await?, std::fs::read(manifest)?);

    assert!(matches!(client.files.upload(false, &file(&name)).await, Err(Error::Conflict(_))));
    let again = client.files.upload(true, &file(&name)).await?;
    assert_eq!(again.metadata.id, made.metadata.id);
    assert!(again.metadata.uploaded);
    Ok(())
}

async fn parts(client: &CogniteClient) -> Outcome {
    let name = unique("parts");
    let content_of_parts = ["abcde".repeat(1_200_000), "fghij".into()];
    let (session, made) = client.files.multipart_upload(false, 2, &file(&name)).await?;
    for (number, part) in content_of_parts.iter().enumerate().rev() {
        session.upload_part_blob(number, part.clone()).await?;
    }
    session.complete().await?;
    assert_eq!(content(client, &name).await?, content_of_parts.concat().into_bytes());

    let (session, existing) = client.files.multipart_upload_existing(&named(&name), 1).await?;
    assert_eq!(existing.id, made.id);
    session.upload_part_blob(0, "one part").await?;
    session.complete().await?;
    assert_eq!(content(client, &name).await?, b"one part");
    Ok(())
}

async fn lists(client: &CogniteClient) -> Outcome {
    let source = unique("lists");
    let mut ids = Vec::new();
    for n in 0..5 {
        let add = AddFile { source: Some(source.clone()), ..file(&format!("{source}-{n}")) };
        ids.push(client.files.upload(false, &add).await?.metadata.id);
    }
    let filter = || FileFilter { source: Some(source.clone()), ..FileFilter::default() };

    let listed = client.files.filter_all(PartitionedFilter::new(filter(), None, Some(2), None));
    let listed: Vec<_> = listed.await?.into_iter().map(|file| file.id).collect();
    ids.sort_unstable();
    assert_eq!(listed, ids);

    let search = FileSearch { name: Some("a.txt".into()) };
    let found = client.files.search(filter(), search, None).await?;
    assert_eq!(found.len(), 5);

    let asked: Vec<_> = (0..5).rev().map(|n| named(&format!("{source}-{n}"))).collect();
    let mut found = client.files.retrieve(&asked, false).await?;
    let names: Vec<_> = found.iter().filter_map(|file| file.external_id.clone()).collect();
    assert_eq!(names[0], format!("{source}-4"));
    assert_eq!(names.len(), 5);

    found[0].source = Some("changed".into());
    let changed = client.files.update_from(&vec![found.swap_remove(0)]).await?;
    assert_eq!(changed[0].source.as_deref(), Some("changed"));
    Ok(())
}

async fn deletion(client: &CogniteClient) -> Outcome {
    let name = unique("deleted");
    let made = client.files.upload(false, &file(&name)).await?;
    client.files.upload_blob("text/plain", &made.extra.upload_url, "content").await?;
    let ids = [Identity::Id { id: made.metadata.id }];
    client.files.delete(&ids, false).await?;
    assert!(matches!(content(client, &name).await, Err(Error::BadRequest(_))));
    assert!(matches!(client.files.delete(&ids, false).await, Err(Error::BadRequest(_))));
    client.files.delete(&ids, true).await?;
    Ok(())
}
