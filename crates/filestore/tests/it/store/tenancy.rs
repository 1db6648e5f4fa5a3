//! Nothing crosses tenants; sessions are their owner's alone.

use filestore::{
    Attributes, ErrorKind, Expected, FileKey, FileQuery, Files, NewUpload, RecordChange, SetField,
    Term,
};

use super::rig::{BIG, NOTHING, Rig, files_as, noise, read, refused};

super::cases! {
    files_of_tenants_never_meet
    subjects_of_a_tenant_share_its_files
    sessions_are_their_owners_alone
    files_out_of_sight_are_as_good_as_none
    nobody_puts_a_file_out_of_their_sight
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

/// Attributes with these values in the field that sight is limited by.
fn closed(values: &[i64]) -> Attributes {
    let mut attributes = Attributes::named("file");
    attributes.external_id = Some("x".into());
    attributes.terms.insert("rooms".into(), values.iter().copied().map(Term::Int).collect());
    attributes
}

fn with_keys(files: Files, values: &[i64]) -> Files {
    let field = SetField::Terms("rooms".into());
    files.limited(field, values.iter().copied().map(Term::Int).collect())
}

async fn files_out_of_sight_are_as_good_as_none(rig: Rig) {
    let all = rig.files();
    let file = all.create(closed(&[1, 2]), noise(BIG)).await.unwrap();
    let open = all.create("file", "open").await.unwrap();
    let to_file = || NewUpload { target: Some(file.id.into()), ..NewUpload::new("") };
    let session = all.uploads().begin(to_file()).await.unwrap();
    let own = all.uploads().begin(NewUpload::new("own")).await.unwrap();
    for (values, sees) in [(&[1, 2][..], true), (&[2, 3, 1], true), (&[1], false), (&[], false)] {
        let files = with_keys(rig.files(), values);
        let found = files.search("file", &[], 10).await.unwrap().len();
        let listed = files.list(&FileQuery::default()).await.unwrap().items.len();
        let expected = if sees { 2 } else { 1 };
        assert_eq!((found, listed), (expected, expected));
        assert_eq!(files.count(&[]).await.unwrap(), expected as u64);
        for key in [file.id.into(), file.number.into(), FileKey::External("x".into())] {
            let (stat, opened) = (files.stat(key.clone()).await, files.open(key, None).await);
            assert_eq!((stat.is_ok(), opened.is_ok()), (sees, sees));
        }
        let (uploads, id) = (files.uploads(), session.id);
        assert_eq!(uploads.status(id).await.is_ok(), sees);
        assert_eq!(uploads.list(None, 1).await.unwrap().len(), 1);
        let mut sessions = [session.id, own.id].to_vec();
        sessions.sort_unstable();
        sessions.retain(|it| sees || *it == own.id);
        let listed = uploads.list(None, 10).await.unwrap();
        assert_eq!(listed.iter().map(|it| it.id).collect::<Vec<_>>(), sessions);
        if sees {
            continue;
        }
        let key = || FileKey::Id(file.id);
        refused(files.write(key(), "theirs", NOTHING).await, ErrorKind::NotFound);
        refused(files.update(key(), |_| Ok(())).await, ErrorKind::NotFound);
        refused(files.copy(key(), "copy").await, ErrorKind::NotFound);
        refused(files.delete(key()).await, ErrorKind::NotFound);
        refused(uploads.begin(to_file()).await, ErrorKind::NotFound);
        refused(uploads.put_part(id, 1, None, "x", NOTHING).await, ErrorKind::NotFound);
        refused(uploads.complete(id).await, ErrorKind::NotFound);
        refused(uploads.abort(id).await, ErrorKind::NotFound);
        refused(uploads.parts(id).await, ErrorKind::NotFound);
        // Its name is taken all the same.
        let named = Attributes { external_id: Some("x".into()), ..Attributes::named("file") };
        refused(files.create(named, "x").await, ErrorKind::AlreadyExists);
        assert_eq!(read(&files, open.id).await, "open");
    }
    assert_eq!(read(&all, file.id).await, noise(BIG));
}

async fn nobody_puts_a_file_out_of_their_sight(rig: Rig) {
    let files = with_keys(rig.files(), &[1, 2]);
    refused(files.create(closed(&[1, 3]), "x").await, ErrorKind::Forbidden);
    refused(files.reserve(closed(&[1, 3])).await, ErrorKind::Forbidden);
    refused(files.uploads().begin(NewUpload::new(closed(&[3]))).await, ErrorKind::Forbidden);
    let file = files.create(closed(&[1]), "x").await.unwrap();
    let close = |attributes: &mut Attributes| {
        *attributes = closed(&[3]);
        Ok(())
    };
    refused(files.update(file.id, close).await, ErrorKind::Forbidden);
    // Nor is it opened up by a copy.
    let copy = files.copy(file.id, "copy").await.unwrap();
    refused(with_keys(rig.files(), &[2]).stat(copy.id).await, ErrorKind::NotFound);
    assert_eq!(read(&files, copy.id).await, "x");
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
