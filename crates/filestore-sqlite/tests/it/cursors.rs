//! A cursor is of the list that it came from.

use filestore::backend::FileRepository;
use filestore::{Attributes, Cond, ErrorKind, FileQuery, Subject};

use crate::support::{here, insert, open};

#[tokio::test]
async fn a_cursor_of_another_list_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let repository = open(&dir.path().join("metadata.db"));
    let changes = (1..=30).map(|n| insert(n, Attributes::named("same"))).collect();
    repository.apply(&here(), changes).await.unwrap();
    let owner = |name: &str| vec![Cond::Owner(Subject::new(name).unwrap())];
    let query = FileQuery { all: owner("ann"), after: None, limit: 10 };
    let after = repository.list(&here(), &query).await.unwrap().next;
    let query = FileQuery { after, ..query };
    assert_eq!(repository.list(&here(), &query).await.unwrap().items.len(), 10);
    for all in [owner("bob"), Vec::new()] {
        let query = FileQuery { all, ..query.clone() };
        let listed = repository.list(&here(), &query).await;
        assert_eq!(listed.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
}
