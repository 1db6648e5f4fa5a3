//! Nothing crosses tenants; sessions are their owner's alone.

use filestore::{Attributes, ErrorKind, Expected, FileKey, NewUpload, RecordChange};

use super::rig::{BIG, NOTHING, Rig, files_as, noise, read, refused};

super::cases! {
    files_of_tenants_never_meet
    subjects_of_a_tenant_share_its_files
    sessions_are_their_owners_alone
    records_of_tenants_never_meet
}

async fn files_of_tenants_never_meet(rig: Rig) {
    let ours = rig.files();
    let theirs = files_as(&rig.store, "rival", "ann");
    let named = Attributes { external_id: Some("x".into()), ..Attributes::named("file") };
    let file = ours.create(named.clone(), noise(BIG)).await.unwrap();
    let keys = [file.id.into(), file.number.into(), FileKey::External("x".into())];
    for key in keys.clone() {
        refused(theirs.stat(key.clone()).await, ErrorKind::NotFound);
        refused(theirs.open(key.clone(), None).await, ErrorKind::NotFound);
        refused(theirs.write(key.clone(), "theirs", NOTHING).await, ErrorKind::NotFound);
        refused(theirs.update(key.clone(), |_| Ok(())).await, ErrorKind::NotFound);
        refused(theirs.copy(key.clone(), "copy").await, ErrorKind::NotFound);
        refused(theirs.delete(key.clone()).await, ErrorKind::NotFound);
        let upload = NewUpload { target: Some(key), ..NewUpload::new("") };
        refused(theirs.uploads().begin(upload).await, ErrorKind::NotFound);
    }
    assert_eq!(theirs.stat_many(&keys).await.unwrap(), [None, None, None]);
    assert_eq!(theirs.count(&[]).await.unwrap(), 0);
    assert_eq!(theirs.search("file", &[], 10).await.unwrap(), []);
    // The same name is free there.
    let other = theirs.create(named, "theirs").await.unwrap();
    assert_eq!(read(&theirs, other.id).await, "theirs");
    assert_eq!(read(&ours, FileKey::External("x".into())).await, noise(BIG));
}

async fn subjects_of_a_tenant_share_its_files(rig: Rig) {
    let file = rig.file("file", &noise(10)).await;
    let bob = files_as(&rig.store, "acme", "bob");
    assert_eq!(read(&bob, file.id).await, noise(10));
    let written = bob.write(file.id, noise(20), NOTHING).await.unwrap();
    assert_eq!(written.owner, file.owner);
}

async fn sessions_are_their_owners_alone(rig: Rig) {
    let uploads = rig.uploads();
    let session = uploads.begin(NewUpload::new("file")).await.unwrap();
    let part = uploads.put_part(session.id, 1, None, noise(BIG), NOTHING);
    let session = part.await.unwrap();
    for (tenant, subject) in [("acme", "bob"), ("rival", "ann")] {
        let uploads = files_as(&rig.store, tenant, subject).uploads();
        let id = session.id;
        refused(uploads.status(id).await, ErrorKind::NotFound);
        refused(uploads.parts(id).await, ErrorKind::NotFound);
        refused(uploads.complete(id).await, ErrorKind::NotFound);
        refused(uploads.abort(id).await, ErrorKind::NotFound);
        // The content is not even read.
        let (_sender, endless) = super::rig::channel();
        let part = uploads.put_part(id, 1, None, endless, NOTHING).await;
        refused(part, ErrorKind::NotFound);
        assert_eq!(uploads.list(None, 10).await.unwrap(), []);
    }
    let canceled = uploads.begin(NewUpload::new("file")).await.unwrap().id;
    uploads.abort(canceled).await.unwrap();
    let theirs = files_as(&rig.store, "acme", "bob").uploads();
    let part = theirs.put_part(canceled, 1, None, "part", NOTHING).await;
    refused(part, ErrorKind::NotFound);
    assert_eq!(rig.uploads().status(session.id).await.unwrap(), session);
    assert!(rig.uploads().list(None, 10).await.unwrap().contains(&session));
}

async fn records_of_tenants_never_meet(rig: Rig) {
    let body = Some("{}".to_owned());
    let (kind, key) = ("product".to_owned(), "1".to_owned());
    let change = RecordChange { kind, key, expected: Expected::Nothing, body };
    rig.files().records().write(vec![change.clone()]).await.unwrap();
    let theirs = files_as(&rig.store, "rival", "ann").records();
    assert_eq!(theirs.load("product", "1").await.unwrap(), None);
    assert_eq!(theirs.list("product", None, 10).await.unwrap(), []);
    theirs.write(vec![change]).await.unwrap();
    assert_eq!(rig.files().records().next_number("n").await.unwrap(), 1);
    assert_eq!(theirs.next_number("n").await.unwrap(), 1);
}
