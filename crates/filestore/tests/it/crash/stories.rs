//! What happens before something goes wrong: every operation of the store that reaches the disk.

use bytes::Bytes;

use super::bench::Bench;
use crate::store::rig::{BIG, noise};

/// One test for each story; `$test` takes it from there.
macro_rules! stories {
    ($test:path) => {
        crate::crash::stories::stories! {
            $test: files_are_made content_is_replaced files_are_copied_and_removed
                parts_come_in_order parts_come_in_any_order parts_are_merged all_is_checked
        }
    };
    ($test:path: $($story:ident)*) => {
        $(#[test]
        fn $story() {
            crate::crash::bench::run($test(crate::crash::stories::$story));
        })*
    };
}
pub(crate) use stories;

pub(crate) async fn files_are_made(bench: &Bench) {
    bench.create("small", &noise(100)).await;
    bench.create("large", &noise(BIG)).await;
    bench.create("another", &noise(BIG + 1)).await;
    bench.read("small").await;
    bench.read("large").await;
}

pub(crate) async fn content_is_replaced(bench: &Bench) {
    bench.create("file", &noise(BIG)).await;
    bench.write("file", &noise(BIG + 1)).await;
    bench.read("file").await;
    bench.write("file", &noise(100)).await;
    bench.write("file", &noise(BIG + 2)).await;
    bench.sweep().await;
    bench.read("file").await;
}

pub(crate) async fn files_are_copied_and_removed(bench: &Bench) {
    bench.create("file", &noise(BIG)).await;
    bench.create("gone", &noise(BIG + 1)).await;
    bench.copy("file", "copy").await;
    bench.delete("file").await;
    bench.delete("gone").await;
    bench.sweep().await;
    bench.read("copy").await;
    bench.delete("copy").await;
    bench.sweep().await;
}

pub(crate) async fn parts_come_in_order(bench: &Bench) {
    bench.upload("file", &[(1, noise(BIG)), (2, noise(100)), (3, noise(BIG + 1))]).await;
    bench.read("file").await;
}

/// One of them twice: what it held first is dropped.
pub(crate) async fn parts_come_in_any_order(bench: &Bench) {
    let (first, second): (Bytes, Bytes) = (noise(BIG), noise(BIG + 1));
    bench.upload("file", &[(2, second.clone()), (1, first), (2, second)]).await;
    bench.sweep().await;
    bench.read("file").await;
}

pub(crate) async fn parts_are_merged(bench: &Bench) {
    bench.upload("file", &[(1, noise(BIG)), (2, noise(BIG + 1))]).await;
    bench.sweep().await;
    bench.read("file").await;
    bench.sweep().await;
    bench.read("file").await;
}

pub(crate) async fn all_is_checked(bench: &Bench) {
    bench.create("file", &noise(BIG)).await;
    bench.upload("parts", &[(1, noise(BIG)), (2, noise(100))]).await;
    bench.check().await;
    bench.read("file").await;
}
