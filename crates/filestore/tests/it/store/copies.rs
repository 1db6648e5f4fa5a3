//! Copies share content, and go their own ways.

use filestore::ErrorKind;

use super::rig::{BIG, NOTHING, Rig, noise, refused};

super::cases! {
    a_copy_shares_and_outlives
    a_copy_keeps_what_it_was_made_of
    a_copy_of_nothing_is_not_found
    a_copy_follows_a_file_that_changes
    a_copy_of_a_file_that_goes_is_not_found
}

async fn a_copy_shares_and_outlives(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let copy = rig.files().copy(file.id, "copy").await.unwrap();
    assert_eq!(copy.content, file.content);
    assert_ne!((copy.id, copy.number), (file.id, file.number));
    assert_eq!(copy.attributes.name, "copy");
    assert_eq!(rig.stored().await, [rig.only_blob().await]);
    let second = rig.files().copy(copy.number, "second").await.unwrap();

    rig.files().delete(file.id).await.unwrap();
    rig.files().delete(copy.id).await.unwrap();
    rig.assert_nothing_leaks().await;
    assert_eq!(rig.read(second.id).await, noise(BIG));
    rig.files().delete(second.id).await.unwrap();
    rig.assert_empty().await;
}

async fn a_copy_keeps_what_it_was_made_of(rig: Rig) {
    for (old, new) in [(10, 20), (BIG, BIG + 1)] {
        let file = rig.file("file", &noise(old)).await;
        let copy = rig.files().copy(file.id, "copy").await.unwrap();
        rig.files().write(file.id, noise(new), NOTHING).await.unwrap();
        rig.assert_nothing_leaks().await;
        assert_eq!(rig.read(copy.id).await, noise(old));
        assert_eq!(rig.read(file.id).await, noise(new));
    }
}

async fn a_copy_of_nothing_is_not_found(rig: Rig) {
    let unknown = rig.files().new_id().unwrap();
    refused(rig.files().copy(unknown, "copy").await, ErrorKind::NotFound);
}

/// The content is replaced and gone between the moment it is looked up and the moment it is shared.
async fn a_copy_follows_a_file_that_changes(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    for len in [BIG + 1, BIG + 2] {
        let files = rig.files();
        // The second place is that of the write itself.
        rig.hooks
            .at("apply", async move { files.write(file.id, noise(len), NOTHING).await.map(drop) });
    }
    let copy = rig.files().copy(file.id, "copy").await.unwrap();
    let now = rig.files().stat(file.id).await.unwrap();
    assert_eq!(copy.content, now.content);
    rig.files().delete(file.id).await.unwrap();
    rig.assert_nothing_leaks().await;
    assert!(rig.read(copy.id).await.len() > BIG);
}

async fn a_copy_of_a_file_that_goes_is_not_found(rig: Rig) {
    let file = rig.file("file", &noise(BIG)).await;
    let files = rig.files();
    rig.hooks.at("apply", async move { files.delete(file.id).await });
    refused(rig.files().copy(file.id, "copy").await, ErrorKind::NotFound);
    rig.assert_empty().await;
}
