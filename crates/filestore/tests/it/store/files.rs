//! Changes of records: one or many, at a revision or at any.

use std::sync::atomic::{AtomicUsize, Ordering};

use filestore::{
    Attributes, Cond, Error, ErrorKind, FileKey, FileQuery, FileRecord, ItemError, Result,
    Revision, TextField,
};
use futures::future::join_all;

use super::rig::{HOUR, Rig, noise, refused};

super::cases! {
    an_update_takes_the_next_revision
    a_refused_edit_changes_nothing
    an_update_is_repeated_when_another_was_first
    updates_in_parallel_are_all_there
    an_update_of_a_stale_revision_is_refused
    updates_are_all_or_none
    removals_are_all_or_none
    a_batch_holds_1_to_1000_different_files
    unknown_keys_are_no_error_in_a_look_up
    files_are_listed_and_counted
}

fn rename(name: &str) -> impl Fn(&mut Attributes) -> Result<()> + Send + Sync {
    move |attributes| {
        attributes.name = name.to_owned();
        Ok(())
    }
}

async fn some(rig: &Rig, count: usize) -> Vec<FileRecord> {
    let files = rig.files();
    join_all((0..count).map(|n| {
        let files = files.clone();
        async move {
            let mut attributes = Attributes::named(format!("file {n}"));
            attributes.external_id = Some(format!("x{n}"));
            files.create(attributes, noise(10)).await.unwrap()
        }
    }))
    .await
}

async fn an_update_takes_the_next_revision(rig: Rig) {
    let file = rig.file("old", &noise(10)).await;
    rig.clock.advance(HOUR);
    let updated = rig.files().update(file.id, rename("new")).await.unwrap();
    assert_eq!(updated.attributes.name, "new");
    assert_eq!(updated.revision, file.revision.next());
    assert_eq!((updated.created, updated.updated), (file.created, file.created.after(HOUR)));
    assert_eq!(updated.content, file.content);
    assert_eq!(rig.files().stat(file.id).await.unwrap(), updated);
    let unknown = rig.files().new_id().unwrap();
    refused(rig.files().update(unknown, rename("x")).await, ErrorKind::NotFound);
}

async fn a_refused_edit_changes_nothing(rig: Rig) {
    let all = some(&rig, 2).await;
    let edit = |attributes: &mut Attributes| {
        attributes.name = "new".into();
        Err(Error::new(ErrorKind::Forbidden, "not you"))
    };
    refused(rig.files().update(all[0].id, edit).await, ErrorKind::Forbidden);
    let steal = |attributes: &mut Attributes| {
        attributes.external_id = Some("x1".into());
        Ok(())
    };
    refused(rig.files().update(all[0].id, steal).await, ErrorKind::AlreadyExists);
    assert_eq!(rig.files().stat(all[0].id).await.unwrap(), all[0]);
}

async fn an_update_is_repeated_when_another_was_first(rig: Rig) {
    let file = rig.file("file", &noise(10)).await;
    let files = rig.files();
    rig.hooks.at("apply", async move {
        let edit = |attributes: &mut Attributes| {
            attributes.source = Some("other".into());
            Ok(())
        };
        files.update(file.id, edit).await.map(drop)
    });
    let runs = AtomicUsize::new(0);
    let edit = |attributes: &mut Attributes| {
        runs.fetch_add(1, Ordering::SeqCst);
        attributes.name.push('!');
        Ok(())
    };
    let updated = rig.files().update(file.id, edit).await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(updated.attributes.name, "file!");
    assert_eq!(updated.attributes.source.as_deref(), Some("other"));
}

async fn updates_in_parallel_are_all_there(rig: Rig) {
    let file = rig.file("", &noise(10)).await;
    let updates = (0..10).map(|_| {
        let files = rig.files();
        tokio::spawn(async move {
            let edit = |attributes: &mut Attributes| {
                attributes.name.push('!');
                Ok(())
            };
            files.update(file.id, edit).await
        })
    });
    for update in join_all(updates).await {
        update.unwrap().unwrap();
    }
    let name = rig.files().stat(file.id).await.unwrap().attributes.name;
    assert_eq!(name, "!!!!!!!!!!");
}

async fn an_update_of_a_stale_revision_is_refused(rig: Rig) {
    let file = rig.file("one", &noise(10)).await;
    let files = rig.files();
    let two = files.update_at(file.id, file.revision, rename("two")).await.unwrap();
    let stale = files.update_at(file.id, file.revision, rename("three")).await;
    refused(stale, ErrorKind::PreconditionFailed);
    // The edit is not asked about attributes that it was not meant for.
    let edit = |_: &mut Attributes| -> Result<()> { panic!("this is another revision") };
    let early = files.update_at(file.id, two.revision.next(), edit).await;
    refused(early, ErrorKind::PreconditionFailed);

    // One that becomes stale on the way is not repeated.
    let other = files.clone();
    rig.hooks.at("apply", async move { other.update(file.id, rename("other")).await.map(drop) });
    let late = files.update_at(file.id, two.revision, rename("four")).await;
    refused(late, ErrorKind::PreconditionFailed);
    assert_eq!(files.stat(file.id).await.unwrap().attributes.name, "other");
    let unknown = files.new_id().unwrap();
    let gone = files.update_at(unknown, Revision::FIRST, rename("x")).await;
    refused(gone, ErrorKind::NotFound);
}

fn keys(records: &[FileRecord]) -> Vec<FileKey> {
    records.iter().map(|record| record.id.into()).collect()
}

async fn updates_are_all_or_none(rig: Rig) {
    let all = some(&rig, 4).await;
    let mut wanted = keys(&all);
    let numbered = |index: usize, attributes: &mut Attributes| {
        attributes.name = format!("new {index}");
        Ok(())
    };
    let updated = rig.files().update_many(&wanted, numbered).await.unwrap();
    let names: Vec<_> = updated.iter().map(|file| file.attributes.name.as_str()).collect();
    assert_eq!(names, ["new 0", "new 1", "new 2", "new 3"]);

    wanted[1] = FileKey::External("unknown".into());
    wanted[3] = rig.files().new_id().unwrap().into();
    let again = |_: usize, attributes: &mut Attributes| {
        attributes.name = "again".into();
        Ok(())
    };
    let error = rig.files().update_many(&wanted, again).await.unwrap_err();
    assert_eq!(error.items(), [missing(1), missing(3)]);

    // The first of them takes a name that is not its own.
    let steal = |index: usize, attributes: &mut Attributes| {
        attributes.name = "stolen".into();
        attributes.external_id = Some(if index == 2 { "x0".into() } else { format!("y{index}") });
        Ok(())
    };
    let others = keys(&all[1..]);
    let error = rig.files().update_many(&others, steal).await.unwrap_err();
    assert_eq!(error.items(), [ItemError { index: 2, kind: ErrorKind::AlreadyExists }]);
    let now = rig.files().stat_many(&keys(&all)).await.unwrap();
    assert_eq!(now.into_iter().flatten().collect::<Vec<_>>(), updated);
}

fn missing(index: usize) -> ItemError {
    ItemError { index, kind: ErrorKind::NotFound }
}

async fn removals_are_all_or_none(rig: Rig) {
    let all = some(&rig, 3).await;
    let mut wanted = keys(&all);
    wanted.insert(1, FileKey::External("unknown".into()));
    let error = rig.files().delete_many(&wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.items()), (ErrorKind::NotFound, &[missing(1)][..]));
    assert_eq!(rig.files().count(&[]).await.unwrap(), 3);
    rig.files().delete_many(&keys(&all)).await.unwrap();
    refused(rig.files().delete(all[0].id).await, ErrorKind::NotFound);
    rig.assert_empty().await;
}

async fn a_batch_holds_1_to_1000_different_files(rig: Rig) {
    let all = some(&rig, 3).await;
    let nothing = |_: usize, _: &mut Attributes| Ok(());
    let mut twice = keys(&all);
    twice.push(all[1].number.into());
    for (wrong, items) in [
        (Vec::new(), vec![]),
        (vec![all[0].id.into(); 1001], vec![]),
        (twice, vec![ItemError { index: 3, kind: ErrorKind::InvalidArgument }]),
    ] {
        let error = rig.files().update_many(&wrong, nothing).await.unwrap_err();
        assert_eq!((error.kind(), error.items()), (ErrorKind::InvalidArgument, &items[..]));
        let error = rig.files().delete_many(&wrong).await.unwrap_err();
        assert_eq!((error.kind(), error.items()), (ErrorKind::InvalidArgument, &items[..]));
    }
    assert_eq!(rig.files().count(&[]).await.unwrap(), 3);
}

async fn unknown_keys_are_no_error_in_a_look_up(rig: Rig) {
    let all = some(&rig, 2).await;
    let wanted = [
        all[1].number.into(),
        FileKey::External("unknown".into()),
        FileKey::External("x0".into()),
        all[1].id.into(),
    ];
    let found = rig.files().stat_many(&wanted).await.unwrap();
    let [first, second] = [all[0].clone(), all[1].clone()];
    assert_eq!(found, [Some(second.clone()), None, Some(first), Some(second)]);
    assert_eq!(rig.files().stat_many(&[]).await.unwrap(), []);
}

async fn files_are_listed_and_counted(rig: Rig) {
    let mut all = some(&rig, 5).await;
    all.sort_by_key(|file| file.number);
    let mut query = FileQuery { limit: 2, ..FileQuery::default() };
    let mut found = Vec::new();
    loop {
        let page = rig.files().list(&query).await.unwrap();
        found.extend(page.items);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(found, all);
    let named = [Cond::Is(TextField::Name, "file 3".into())];
    assert_eq!(rig.files().count(&named).await.unwrap(), 1);
    query.limit = 0;
    refused(rig.files().list(&query).await, ErrorKind::InvalidArgument);
}
