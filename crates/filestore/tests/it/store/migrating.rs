//! A store that is copied into another.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use filestore::backend::{BlobStore, Ending, Part, Place};
use filestore::{
    Attributes, ErrorKind, Expected, FileQuery, FileRecord, Fsck, Migrate, MigrateProgress,
    MigrateReport, NewFile, NewUpload, OtherRecord, RecordChange, Tenant, UploadSession,
    UploadState,
};

use super::rig::{
    BIG, HOUR, NOTHING, Rig, digest_of, dropped_after, files_as, noise, read, refused,
};

super::cases! {
    everything_is_copied_as_it_is
    a_content_of_many_files_is_copied_once
    a_copy_that_broke_off_goes_on
    sessions_go_on_in_the_other_store
    damaged_bytes_are_named_and_not_copied
    what_the_other_store_has_otherwise_stays
    a_store_is_not_copied_into_itself
}

async fn migrate(from: &Rig, to: &Rig) -> filestore::Result<MigrateReport> {
    from.store.migrate_to(&to.store, &Migrate::default(), &MigrateProgress::default()).await
}

/// What is kept of a tenant. Parts are without their tickets and places, which are the store's own.
#[derive(Debug, PartialEq)]
struct All {
    files: Vec<(FileRecord, Option<Bytes>)>,
    sessions: Vec<(UploadSession, Vec<Part>)>,
    records: Vec<OtherRecord>,
    counters: Vec<(String, u32)>,
}

async fn all(rig: &Rig) -> BTreeMap<Tenant, All> {
    let repository = &rig.repository.inner;
    let mut all = BTreeMap::new();
    for tenant in repository.tenants(None, 100).await.unwrap() {
        let files_here = files_as(&rig.store, tenant.as_str(), "anybody");
        let query = FileQuery { limit: 1000, ..FileQuery::default() };
        let mut files = Vec::new();
        for record in repository.list(&tenant, &query).await.unwrap().items {
            let bytes = match &record.content {
                Some(_) => Some(read(&files_here, record.id).await),
                None => None,
            };
            files.push((record, bytes));
        }
        let mut sessions = Vec::new();
        for session in repository.all_sessions(&tenant, None, 1000).await.unwrap() {
            let mut parts = repository.parts(&tenant, session.id, 0, 1000).await.unwrap();
            for part in &mut parts {
                part.ticket = 0;
                part.segment.place = Place::Inline(Bytes::new());
            }
            sessions.push((session, parts));
        }
        let records = repository.all_records(&tenant, None, 1000).await.unwrap();
        let counters = repository.counters(&tenant).await.unwrap();
        all.insert(tenant, All { files, sessions, records, counters });
    }
    all
}

/// Something of every kind, of two tenants.
async fn furnish(rig: &Rig) {
    for tenant in ["acme", "other"] {
        let files = files_as(&rig.store, tenant, "ann");
        files.create("empty", Bytes::new()).await.unwrap();
        files.create("small", "small").await.unwrap();
        let mut described = Attributes::named("described");
        described.external_id = Some("ext".to_owned());
        described.labels = vec!["b".to_owned(), "a".to_owned()];
        let big = files.create(described, noise(BIG)).await.unwrap();
        files.reserve(NewFile::from("nothing yet")).await.unwrap();
        for n in 0..3 {
            files.copy(big.id, format!("copy {n}").as_str()).await.unwrap();
        }
        let changed = files.create("before", noise(BIG + 1)).await.unwrap();
        rig.clock.advance(Duration::from_secs(1));
        files.update(changed.id, named("after")).await.unwrap();
        files.write(changed.id, noise(BIG + 2), NOTHING).await.unwrap();

        let uploads = files.uploads();
        let parts = [noise(BIG), noise(10), noise(BIG + 3)];
        for end in ["complete", "open", "sealed", "canceled"] {
            let new = NewUpload { expect: digest_of(&parts.concat()), ..NewUpload::new(end) };
            let id = uploads.begin(new).await.unwrap().id;
            let sent = if end == "open" { 2 } else { 3 };
            for (n, part) in (1..).zip(&parts).take(sent) {
                uploads.put_part(id, n, Some(3), part.clone(), NOTHING).await.unwrap();
            }
            let of = Tenant::new(tenant).unwrap();
            match end {
                "complete" => drop(uploads.complete(id).await.unwrap()),
                "sealed" => drop(rig.repository.inner.seal(&of, id).await.unwrap()),
                "canceled" => {
                    rig.repository.inner.end(&of, id, Ending::Canceled).await.unwrap();
                }
                _ => {}
            }
        }
        for (kind, key) in [("a", "1"), ("a", "2"), ("b", "1")] {
            for _ in 0..2 {
                let change = RecordChange {
                    kind: kind.to_owned(),
                    key: key.to_owned(),
                    expected: Expected::Anything,
                    body: Some("{}".to_owned()),
                };
                files.records().write(vec![change]).await.unwrap();
            }
        }
        files.records().next_number("counter").await.unwrap();
        files.records().next_number("counter").await.unwrap();
    }
}

fn named(name: &str) -> impl Fn(&mut Attributes) -> filestore::Result<()> {
    move |attributes| {
        name.clone_into(&mut attributes.name);
        Ok(())
    }
}

/// `all` of two stores, but for when open sessions began.
async fn assert_same(from: &Rig, to: &Rig) {
    let (mut expected, mut found) = (all(from).await, all(to).await);
    for store in [&mut expected, &mut found] {
        for (session, _) in store.values_mut().flat_map(|all| &mut all.sessions) {
            if !session.state.has_ended() {
                session.created = super::rig::start();
                session.expires = super::rig::start();
            }
        }
    }
    assert_eq!(found, expected);
}

async fn everything_is_copied_as_it_is(from: Rig) {
    let to = Rig::sqlite().await;
    furnish(&from).await;
    let progress = MigrateProgress::default();
    let report = from.store.migrate_to(&to.store, &Migrate::default(), &progress).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    let files = report.copied;
    assert_eq!((report.found, report.sessions, report.records, report.dropped), (0, 8, 6, 0));
    assert_eq!(
        (progress.total(), progress.files(), progress.bytes()),
        (files, files, report.bytes)
    );
    assert_same(&from, &to).await;
    // A content that many files have is read once.
    let once = [BIG, 5, BIG + 2, 3 * (2 * BIG + 13) - BIG - 3];
    assert_eq!(report.bytes, 2 * once.iter().sum::<usize>() as u64);

    let again = migrate(&from, &to).await.unwrap();
    assert!(again.is_whole(), "{again:?}");
    assert_eq!((again.copied, again.found, again.bytes), (0, files, 0));
    assert_same(&from, &to).await;
    let mut check = Fsck::default();
    check.read_data = true;
    let checked = to.store.fsck(&check).await.unwrap();
    assert!(checked.is_clean(), "{checked:?}");

    // And back, into a store of the first kind.
    let back = Rig::memory().await;
    assert!(migrate(&to, &back).await.unwrap().is_whole());
    assert_same(&from, &back).await;
}

/// Also where their pages are far apart.
async fn a_content_of_many_files_is_copied_once(from: Rig) {
    let to = Rig::memory().await;
    let file = from.file("file", &noise(BIG)).await;
    for n in 0..410 {
        let name = format!("copy {n}");
        from.files().copy(file.id, name.as_str()).await.unwrap();
    }
    let report = migrate(&from, &to).await.unwrap();
    assert!(report.is_whole(), "{report:?}");
    assert_eq!((report.copied, report.bytes), (411, BIG as u64));
    assert_same(&from, &to).await;
    assert_eq!(to.stored().await.len(), 1);
}

async fn a_copy_that_broke_off_goes_on(from: Rig) {
    let to = Rig::sqlite().await;
    furnish(&from).await;
    to.hooks.yield_everywhere();
    let mut broke_off = 0;
    let report = loop {
        let copy = migrate(&from, &to);
        if let Some(done) = dropped_after(broke_off * 5, copy).await {
            break done.unwrap();
        }
        broke_off += 1;
    };
    assert!(broke_off > 5, "{broke_off}");
    assert!(report.is_whole(), "{report:?}");
    assert!(report.found > 0, "{report:?}");
    assert_same(&from, &to).await;
    // What the attempts left behind goes; sealed sessions are completed by the sweep.
    to.assert_nothing_leaks().await;
}

async fn sessions_go_on_in_the_other_store(from: Rig) {
    let to = Rig::memory().await;
    let parts = [noise(BIG), noise(BIG + 1)];
    let new = || NewUpload { expect: digest_of(&parts.concat()), ..NewUpload::new("file") };
    let target = from.file("target", &noise(3)).await;
    let uploads = from.uploads();
    let open = uploads.begin(new()).await.unwrap().id;
    let to_file = NewUpload { target: Some(target.id.into()), ..new() };
    let to_file = uploads.begin(to_file).await.unwrap().id;
    let late = NewUpload { lifetime: Duration::from_secs(1), ..new() };
    let late = uploads.begin(late).await.unwrap().id;
    for id in [open, to_file, late] {
        uploads.put_part(id, 1, Some(2), parts[0].clone(), NOTHING).await.unwrap();
        // Sent again: tickets here are ahead of those there.
        uploads.put_part(id, 1, Some(2), parts[0].clone(), NOTHING).await.unwrap();
    }
    from.clock.advance(HOUR);
    to.clock.advance(HOUR);
    let report = migrate(&from, &to).await.unwrap();
    assert_eq!((report.sessions, report.dropped), (2, 1));
    refused(to.uploads().status(late).await, ErrorKind::NotFound);

    let there = to.uploads();
    for id in [open, to_file] {
        let (here, moved) = (uploads.status(id).await.unwrap(), there.status(id).await.unwrap());
        assert_eq!((moved.state, moved.parts, moved.total), (UploadState::Open, 1, Some(2)));
        assert_eq!(moved.expires, here.expires);
        there.put_part(id, 2, Some(2), noise(7), NOTHING).await.unwrap();
        there.put_part(id, 2, Some(2), parts[1].clone(), NOTHING).await.unwrap();
    }
    // It knows better now.
    let again = migrate(&from, &to).await.unwrap();
    assert!(again.is_whole(), "{again:?}");
    for (id, file) in [(open, open), (to_file, target.id)] {
        assert_eq!(there.status(id).await.unwrap().parts, 2);
        there.complete(id).await.unwrap();
        assert_eq!(to.read(file).await, parts.concat());
    }
    to.assert_nothing_leaks().await;
}

async fn damaged_bytes_are_named_and_not_copied(from: Rig) {
    let to = Rig::memory().await;
    let tenant = Tenant::new("acme").unwrap();
    let sound = from.file("sound", &noise(BIG)).await;
    let mut damaged = Vec::new();
    for (n, other) in [Some(noise(BIG + 9)), Some(noise(5)), None].into_iter().enumerate() {
        let before = from.live().await;
        let file = from.file("damaged", &noise(BIG + 1 + n)).await;
        let key = from.live().await.into_iter().find(|key| !before.contains(key)).unwrap();
        match other {
            Some(other) => from.damage(key, other).await,
            None => from.blobs.delete(key).await.unwrap(),
        }
        damaged.push((tenant.clone(), file.id));
    }
    let uploads = from.uploads();
    let before = from.live().await;
    let session = uploads.begin(NewUpload::new("parts")).await.unwrap().id;
    uploads.put_part(session, 1, None, noise(BIG), NOTHING).await.unwrap();
    let key = from.live().await.into_iter().find(|key| !before.contains(key)).unwrap();
    uploads.put_part(session, 2, None, noise(BIG + 1), NOTHING).await.unwrap();
    from.damage(key, noise(BIG + 9).slice(..BIG)).await;
    damaged.push((tenant, session));

    damaged.sort_unstable();
    for _ in 0..2 {
        let mut report = migrate(&from, &to).await.unwrap();
        assert!(!report.is_whole());
        report.damaged.sort_unstable();
        assert_eq!((report.damaged, report.surplus), (damaged.clone(), 0));
        assert_eq!((report.copied + report.found, report.different), (1, vec![]));
    }
    assert_eq!(to.read(sound.id).await, noise(BIG));
    assert_eq!(to.files().count(&[]).await.unwrap(), 1);
    // Its client can send the part again.
    let there = to.uploads();
    assert_eq!(there.parts(session).await.unwrap().len(), 1);
    there.put_part(session, 1, None, noise(BIG), NOTHING).await.unwrap();
    there.complete(session).await.unwrap();
    to.assert_nothing_leaks().await;
}

async fn what_the_other_store_has_otherwise_stays(from: Rig) {
    let to = Rig::memory().await;
    let tenant = Tenant::new("acme").unwrap();
    let mut with_id = Attributes::named("taken");
    with_id.external_id = Some("ext".to_owned());
    let taken = from.files().create(with_id.clone(), "here").await.unwrap();
    let changed = from.file("changed", &noise(5)).await;
    let replaced = from.file("replaced", &noise(BIG)).await;
    migrate(&from, &to).await.unwrap();

    to.files().delete(taken.id).await.unwrap();
    to.files().create(with_id, "there").await.unwrap();
    to.files().update(changed.id, named("there")).await.unwrap();
    from.files().write(replaced.id, noise(BIG + 1), NOTHING).await.unwrap();
    let report = migrate(&from, &to).await.unwrap();
    let ids = [taken.id, changed.id, replaced.id].map(|id| (tenant.clone(), id));
    let mut different = report.different;
    different.sort_unstable();
    let mut expected = ids.to_vec();
    expected.sort_unstable();
    assert_eq!(different, expected);
    // The one with the external id is nobody's of here.
    assert_eq!((report.copied, report.found, report.surplus), (0, 0, 1));
    assert_eq!(to.read(replaced.id).await, noise(BIG));
    assert_eq!(to.files().stat(changed.id).await.unwrap().attributes.name, "there");
    to.assert_nothing_leaks().await;
}

async fn a_store_is_not_copied_into_itself(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let twin = rig.limited(|_| {}).await;
    let (options, progress) = (Migrate::default(), MigrateProgress::default());
    let into_itself = rig.store.migrate_to(&twin, &options, &progress).await;
    refused(into_itself, ErrorKind::InvalidArgument);
    assert_eq!(rig.read(file.id).await, noise(BIG));
}
