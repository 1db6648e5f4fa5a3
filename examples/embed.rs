//! The library alone, without HTTP: one-shot files, a chunked upload with parts out of order, a
//! range, a copy, upkeep.
//!
//! ```text
//! cargo run --example embed
//! ```

use filestore::{
    Attributes, Cond, Digest, Expect, FileQuery, Fsck, NewUpload, RangeSpec, Subject, Sweep,
    Tenant, TextField,
};

#[tokio::main]
async fn main() -> filestore::Result<()> {
    let dir = tempfile::tempdir()?;
    // Everything below works the same on `FileStore::in_memory()`.
    let store = filestore_sqlite::open(dir.path()).await?;
    let files = store.files(&Tenant::new("acme")?, &Subject::new("ann")?);

    // One call, one file: durable and verified when it returns.
    let mut report = Attributes::named("report.txt");
    report.directory = Some("/2026".into());
    report.metadata.insert("project".into(), "apollo".into());
    let report = files.create(report, "all systems are go").await?;
    println!("stored {} of {:?} bytes", report.id, report.content.map(|content| content.size));

    // Parts may come in any order, in parallel, and again. Each is durable when it is acknowledged;
    // the file appears whole when the session is completed, and nothing is copied for that.
    let content = b"first part, second part, third part";
    let mut upload = NewUpload::new("parts.txt");
    upload.expect = Expect { size: None, sha256: Some(Digest::of(content)) };
    let uploads = files.uploads();
    let session = uploads.begin(upload).await?;
    for (number, part) in [(3, "third part"), (1, "first part, "), (2, "second part, ")] {
        uploads.put_part(session.id, number, Some(3), part, Expect::default()).await?;
    }
    let completion = uploads.complete(session.id).await?;
    assert_eq!(uploads.complete(session.id).await?.record, completion.record);

    // A range touches only the parts that hold it.
    let file = files.open(session.id, RangeSpec::FromTo(12, 22)).await?;
    let middle = file.read(12..23).await?.collect().await?;
    println!("bytes 12 to 22: {middle:?}");

    // A copy shares the bytes and lives on without the original.
    let copy = files.copy(session.id, "copy.txt").await?;
    files.delete(session.id).await?;
    let kept = files.open(copy.id, None).await?.read_all().await?.collect().await?;
    assert_eq!(kept, &content[..]);

    // Conditions run in the database, by index.
    let all = vec![
        Cond::Prefix(TextField::Directory, "/20".into()),
        Cond::Metadata("project".into(), "apollo".into()),
    ];
    let page = files.list(&FileQuery { all, ..FileQuery::default() }).await?;
    println!("found {:?}", page.items.iter().map(|file| &file.attributes.name).collect::<Vec<_>>());

    // Upkeep is the application's to call: now and then, on any node, beside anything else.
    println!("{:?}", store.sweep(&Sweep::default()).await?);
    assert!(store.fsck(&Fsck::default()).await?.is_clean());
    Ok(())
}
