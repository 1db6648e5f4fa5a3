//! The password in a database's address is told to nobody.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use filestore::backend::LedgerRepository;
use filestore_postgres::PostgresRepository;
use filestore_test_postgres::Database;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::*;

const SECRET: &str = "tr0ub4dor";

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// On one thread, whose log is looked at.
#[tokio::test]
async fn a_password_is_in_no_error_and_no_log() {
    let log = Log::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _logging = tracing::subscriber::set_default(subscriber.finish());
    let database = Database::new();
    let told = |error: &filestore::Error| {
        let mut told = format!("{error} {error:?} {error:#?}");
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            told += &format!(" {cause} {cause:?}");
            source = cause.source();
        }
        told
    };

    let url = format!("{} password={SECRET}", database.url());
    let repo = PostgresRepository::connect(&url, options()).await.unwrap();
    assert!(!format!("{repo:?} {repo:#?}").contains(SECRET));
    drop(database);
    let lost = repo.ready().await.unwrap_err();
    assert!(!told(&lost).contains(SECRET), "{}", told(&lost));

    for url in [
        format!("postgres://files:{SECRET}@[/files"),
        format!("postgres://files:{SECRET}@localhost:port/files"),
        format!("postgres://files:{SECRET}@localhost:1/files"),
        format!("postgres://files:{SECRET}@host.invalid/files?connect_timeout=1"),
        format!("postgres://files:{SECRET}@localhost/files?sslmode={SECRET}"),
        format!("postgres://files:{SECRET}@localhost/files?{SECRET}={SECRET}"),
        format!("host=/nowhere user=files password={SECRET} dbname=files"),
        format!("host=/nowhere user=files password='{SECRET}"),
        format!("password={SECRET}"),
    ] {
        let refused = PostgresRepository::connect(&url, options()).await.unwrap_err();
        assert!(!told(&refused).contains(SECRET), "{}", told(&refused));
    }
    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("filestore_postgres"), "{log}");
    assert!(!log.contains(SECRET), "{log}");
}
