//! The schema and its steps.

use filestore::{BlobKey, Durability};

use crate::connections::{Connection, Connections};
use crate::error::{DbResult, PgError};
use crate::flight::Answers;
use crate::options::PostgresOptions;
use crate::sql::{Id, Sql, get};

/// One script for each version: the n-th leads from version n-1 to n. A step that was released is
/// never edited, and what a function promises never changes: a new one gets a new name.
///
/// Nodes of two releases run side by side while they are replaced one by one. So a step only adds
/// ("expand"); what is no longer used is taken away by a later step ("contract"), which raises
/// [`OLDEST`] to the first version that does without it.
const STEPS: &[&str] = &[include_str!("schema/001.sql")];

/// The first version whose programs can work with the newest schema.
const OLDEST: i32 = 1;

/// Whoever migrates holds this lock: "filestor".
const LOCK: i64 = 0x6669_6c65_7374_6f72;

/// Whether there is our namespace, and whether its table of versions. They ask the catalog's tables:
/// `to_regclass` and the like remember that there was nothing until the transaction ends, also when
/// it has waited for the lock while another node made it.
const NAMESPACE_EXISTS: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'filestore')";
const SCHEMA_EXISTS: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'filestore' AND c.relname = 'schema')";

/// Brings the database to the newest schema, if it is behind; a database that has none gets all of
/// it. Several nodes may do so at a time: one does, and the others wait for it.
pub(crate) async fn migrate(connections: &Connections, options: &PostgresOptions) -> DbResult<()> {
    let mut connection = connections.get().await?;
    check_server(&mut connection, options.durability).await?;
    let missing = behind(&mut connection).await?;
    if missing.is_empty() {
        return Ok(());
    }
    if missing.len() == STEPS.len() && !options.create {
        return Err(PgError::Unfit("there is no store in the database".to_owned()));
    }
    let migrated = migrate_locked(&mut connection).await;
    if migrated.is_err() {
        // With the connection the server takes back what was begun, and the lock.
        connection.discard();
    }
    migrated
}

async fn migrate_locked(connection: &mut Connection) -> DbResult<()> {
    // The lock ends with the transaction, whatever pooler is in between.
    let begin =
        format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({LOCK})");
    connection.fly(&[Sql::script(begin)]).await?;
    // Another node may have done it meanwhile.
    let missing = behind(connection).await?;
    if missing.is_empty() {
        connection.fly(&[Sql::script("COMMIT")]).await?;
        return Ok(());
    }
    if missing.len() == STEPS.len() {
        create(connection).await?;
    }
    for step in missing {
        connection.fly(&[Sql::script(*step)]).await?;
    }
    if missing.len() == STEPS.len() {
        let id = Id::from(BlobKey::mint()?);
        let insert = "INSERT INTO filestore.store (one, id) VALUES (1, $1)";
        connection.fly(&[Sql::new(insert).bind(id)]).await?;
    }
    let version = "UPDATE filestore.schema SET version = $1, oldest = $2";
    let version = Sql::new(version).bind(STEPS.len() as i32).bind(OLDEST);
    connection.fly(&[version, Sql::script("COMMIT")]).await?;
    Ok(())
}

/// A namespace that is there already, and empty, has been made for us by somebody who may.
async fn create(connection: &mut Connection) -> DbResult<()> {
    if !flag(connection.fly(&[Sql::new(NAMESPACE_EXISTS)]).await?)? {
        connection.fly(&[Sql::script("CREATE SCHEMA filestore")]).await?;
    }
    let table = "CREATE TABLE filestore.schema (version integer NOT NULL, oldest integer NOT NULL); \
         INSERT INTO filestore.schema VALUES (0, 0)";
    connection.fly(&[Sql::script(table)]).await?;
    Ok(())
}

/// The steps that the database has not taken yet.
async fn behind(connection: &mut Connection) -> DbResult<&'static [&'static str]> {
    if !flag(connection.fly(&[Sql::new(SCHEMA_EXISTS)]).await?)? {
        return Ok(STEPS);
    }
    let version = Sql::new("SELECT version, oldest FROM filestore.schema");
    let row = connection.fly(&[version]).await?.next().and_then(|rows| rows.into_iter().next());
    let row = row.ok_or(PgError::Damaged("a schema without a version"))?;
    let (version, oldest): (i32, i32) = (get(&row, 0)?, get(&row, 1)?);
    let known = STEPS.len() as i32;
    if oldest > known {
        return Err(PgError::Newer { found: version, known });
    }
    let taken = usize::try_from(version).map_err(|_| PgError::Damaged("a version"))?;
    Ok(STEPS.get(taken..).unwrap_or_default())
}

/// Refuses a server that would not do what is promised.
async fn check_server(connection: &mut Connection, durability: Durability) -> DbResult<()> {
    let asked = Sql::new(
        "SELECT current_setting('server_version_num')::int, \
             current_setting('server_encoding'), current_setting('synchronous_commit'), \
             current_setting('fsync')",
    );
    let row = connection.fly(&[asked]).await?.next().and_then(|rows| rows.into_iter().next());
    let row = row.ok_or(PgError::Damaged("settings"))?;
    let unfit = |reason: &str| Err(PgError::Unfit(reason.to_owned()));
    if get::<i32>(&row, 0)? < 150_000 {
        return unfit("PostgreSQL 15 or later is needed");
    }
    if get::<String>(&row, 1)? != "UTF8" {
        return unfit("the database's encoding must be UTF8");
    }
    let is_durable = get::<String>(&row, 2)? != "off" && get::<String>(&row, 3)? == "on";
    if durability == Durability::Full && !is_durable {
        return unfit("full durability needs fsync and synchronous_commit on");
    }
    Ok(())
}

/// The one truth value of a flight of one statement.
fn flag(mut answers: Answers) -> DbResult<bool> {
    let row = answers.next().and_then(|rows| rows.into_iter().next());
    get(&row.ok_or(PgError::Damaged("no answer"))?, 0)
}
