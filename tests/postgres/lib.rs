//! PostgreSQL servers of our own for tests and benches: the installed binaries, a folder that goes
//! when the process ends, and a socket in it. Each test has a database to itself.
//!
//! Whatever goes wrong here stops the tests: there is nothing to test then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use filestore::Durability;
use filestore_postgres::{PostgresOptions, PostgresRepository};
use tempfile::TempDir;

/// The database that those of the tests are copies of.
const TEMPLATE: &str = "filestore_template";

/// The one that most tests share. It syncs nothing.
static SHARED: LazyLock<Cluster> = LazyLock::new(|| {
    let cluster = Cluster::start(&[
        "fsync=off",
        "full_page_writes=off",
        "wal_level=minimal",
        "max_wal_senders=0",
        "autovacuum=off",
        "max_connections=400",
    ]);
    cluster.run("createdb", &[TEMPLATE]);
    let url = cluster.url(TEMPLATE);
    let open = async move {
        let options = PostgresOptions { durability: Durability::Relaxed, ..Default::default() };
        PostgresRepository::connect(&url, options).await.unwrap();
    };
    // In a thread of its own, since a test may be waiting within a runtime. With the runtime go the
    // connections: a database that somebody is connected to cannot be copied.
    let thread = std::thread::spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(open));
    thread.join().unwrap();
    cluster
});

/// A server. It ends with this, or with the process, whatever ends that.
#[derive(Debug)]
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    user: Option<(u32, u32)>,
    server: Child,
}

impl Cluster {
    /// Starts a server with settings `name=value`.
    pub fn start(settings: &[&str]) -> Self {
        let bin = binaries();
        let user = unprivileged();
        let folder = tempfile::Builder::new().prefix("filestore-pg").tempdir().unwrap();
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid)).unwrap();
        }
        // The server's guard removes it.
        let folder = TempDir::keep(folder);
        let as_user = |command: &mut Command| {
            command.current_dir(&folder);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
        };
        let mut initdb = Command::new(bin.join("initdb"));
        as_user(&mut initdb);
        initdb.args(["-D", "data", "-U", "filestore", "-A", "trust", "-E", "UTF8"]);
        initdb.args(["--locale=C", "--no-sync", "--no-instructions"]);
        succeed(&mut initdb);

        // The guard lives until its input ends, which it does when this process is no more.
        let mut server = Command::new("sh");
        as_user(&mut server);
        let socket = folder.to_str().unwrap();
        let script = "postgres=$1; folder=$2; shift 2; \
             \"$postgres\" -D data -k \"$folder\" -c listen_addresses= \"$@\" <&- & \
             cat >/dev/null; pid=$(head -n1 data/postmaster.pid) && kill -INT $pid; \
             while [ -e data/postmaster.pid ]; do sleep 0.1; done; cd /; rm -rf \"$folder\"";
        server.args(["-c", script, "guard"]).arg(bin.join("postgres")).arg(socket);
        settings.iter().for_each(|setting| {
            server.args(["-c", setting]);
        });
        server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = server.spawn().unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        let mut said = String::new();
        loop {
            let line = log.next().unwrap_or_else(|| panic!("the server did not start:\n{said}"));
            said += &(line.unwrap() + "\n");
            if said.contains("ready to accept connections") {
                break;
            }
        }
        // Nobody reads the rest, but a full pipe would stop the server.
        std::thread::spawn(move || log.for_each(drop));
        Self { bin, folder, user, server }
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("host={} user=filestore dbname={database}", self.folder.display())
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// Makes an empty database.
    pub fn create(&self, database: &str) {
        self.run("createdb", &[database]);
    }

    /// Ends the server as a crash does, and starts it again.
    pub fn crash(&self) {
        self.pg_ctl(&["stop", "-m", "immediate"]);
        let options = format!("-k {} -c listen_addresses=", self.folder.display());
        self.pg_ctl(&["start", "-w", "-l", "log", "-o", &options]);
    }

    /// Ends the server for good.
    pub fn stop(&self) {
        self.pg_ctl(&["stop", "-m", "immediate"]);
    }

    fn pg_ctl(&self, args: &[&str]) {
        let mut command = Command::new(self.bin.join("pg_ctl"));
        command.current_dir(&self.folder).args(["-D", "data"]).args(args);
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(command.status().unwrap().success(), "pg_ctl {args:?}");
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = Command::new(self.bin.join(program));
        command.args(["-U", "filestore", "-h", self.folder.to_str().unwrap()]).args(args);
        succeed(&mut command);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        let _ = self.server.wait();
    }
}

/// A database of the server that the tests of a process share, which goes when this does.
#[derive(Debug)]
pub struct Database {
    name: String,
}

impl Database {
    /// One with our schema and nothing in it. It takes a server, which is no default.
    #[expect(clippy::new_without_default)]
    pub fn new() -> Self {
        // Without syncs files are copied faster than pages.
        Self::made(&["-T", TEMPLATE, "-S", "file_copy"])
    }

    /// One with nothing in it at all.
    pub fn empty() -> Self {
        Self::made(&[])
    }

    /// A copy of what is in it now. Nobody may be connected to it; whoever is on the way out is
    /// shown the door.
    pub fn copy(&self) -> Self {
        let out = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
            self.name
        );
        SHARED.run("psql", &["-q", "-d", "postgres", "-c", &out]);
        Self::made(&["-T", &self.name, "-S", "file_copy"])
    }

    fn made(args: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        SHARED.run("createdb", &[args, &[&name]].concat());
        Self { name }
    }

    /// Its address.
    pub fn url(&self) -> String {
        SHARED.url(&self.name)
    }

    /// The server's socket.
    pub fn socket(&self) -> PathBuf {
        SHARED.socket()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        SHARED.run("dropdb", &["--force", &self.name]);
    }
}

/// The folder of the newest server that is installed.
fn binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let versions = installed.filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let newest = versions.filter(|version| *version >= 15).max();
    let newest = newest.expect(
        "these tests need the programs of PostgreSQL 15 or later in /usr/lib/postgresql: \
         `.ci/run setup` installs them",
    );
    Path::new("/usr/lib/postgresql").join(newest.to_string()).join("bin")
}

/// Who the server runs as, where that must be somebody else: it refuses to be root.
pub fn unprivileged() -> Option<(u32, u32)> {
    let own = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let is_root = own.lines().any(|line| line.starts_with("Uid:\t0\t"));
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    is_root.then(|| ids("postgres").or_else(|| ids("nobody")).unwrap())
}

fn succeed(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
}
