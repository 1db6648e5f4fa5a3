//! What is left of files that are gone: nothing.

use filestore::backend::{Change, FileRepository};
use filestore::{Attributes, Extent};
use rusqlite::Connection;

use crate::support::{here, insert, moment, open};

#[tokio::test]
async fn a_removed_file_leaves_no_row() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("metadata.db");
    let repository = open(&path);
    let attributes = |n: u64| Attributes {
        external_id: Some(format!("ext-{n}")),
        metadata: [("key".to_owned(), n.to_string())].into(),
        labels: vec!["label".to_owned()],
        source_created: Some(moment(n)),
        extent: Some(Extent { min_x: 0.0, max_x: 1.0, min_y: 0.0, max_y: 1.0 }),
        ..Attributes::named(format!("report {n}"))
    };
    let changes = (1..=60).map(|n| insert(n, attributes(n))).collect();
    let files = repository.apply(&here(), changes).await.unwrap();
    let removals = files.iter().map(|file| Change::Remove { id: file.id, expected: None });
    repository.apply(&here(), removals.collect()).await.unwrap();
    drop(repository);
    let db = Connection::open(&path).unwrap();
    for table in ["file", "term", "file_extent", "file_trigram_docsize", "content", "inline_bytes"]
    {
        let count = format!("SELECT count(*) FROM {table}");
        let left: i64 = db.query_row(&count, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
}
