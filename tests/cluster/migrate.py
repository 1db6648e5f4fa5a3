"""A store moves from SQLite and a disk to PostgreSQL and SeaweedFS, and back to another disk. Every copy is
killed on its way, several times, and goes on; then all rows are compared, and every file is read.

    python tests/cluster/migrate.py --weed PROGRAM

Four clients fill the store over all five dialects, and go on with their uploads where it is then."""

import argparse
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "replay"), str(TESTS / "crash")]

from check import Row, check  # noqa: E402
from client import Client  # noqa: E402
from expected import Expected  # noqa: E402
from harness import BINARY, CLEAN_ENVIRONMENT, Server, run_server  # noqa: E402
from services import PASSWORD, Postgres, SeaweedFS, end_all, lasting_ports, settings  # noqa: E402
from workload import Worker  # noqa: E402

WORKERS = 4
# At least so many files are copied.
FILES = 200
SECRET = "a secret of forty characters, of the test"

# What must be the same on both sides, as text. {id} becomes the hexadecimal digits of an id, {table} the
# table's name where it has another one.
ROWS = {
    "files": "SELECT t.name, {f.id}, f.number, f.revision, f.owner, f.created, f.updated, {f.content}, f.stored, "
    "f.name, f.external_id, f.directory, f.source, f.content_type, f.source_created, f.source_modified "
    "FROM {file} f JOIN {tenant} t ON t.number = f.tenant",
    "contents": "SELECT {c.id}, c.size, c.tag, {c.sha256}, c.stored, c.uses, c.segments FROM {content} c",
    "segments": "SELECT {s.content}, s.n, s.size, {s.sha256} FROM {segment} s",
    "sessions": "SELECT t.name, {u.id}, u.owner, {u.target}, {u.content}, u.attributes, u.size, {u.sha256}, u.total, "
    "u.state, u.reason, u.parts, u.received, CASE WHEN u.state < 2 THEN NULL ELSE u.created END "
    "FROM {session} u JOIN {tenant} t ON t.number = u.tenant",
    "records": "SELECT t.name, r.kind, r.key, r.revision, r.created, r.updated, r.body "
    "FROM {record} r JOIN {tenant} t ON t.number = r.tenant",
    "counters": "SELECT t.name, c.name, c.value FROM {counter} c JOIN {tenant} t ON t.number = c.tenant",
}
IDS = ("f.id", "f.content", "c.id", "s.content", "u.id", "u.target", "u.content")
DIGESTS = ("c.sha256", "s.sha256", "u.sha256")
TABLES = ("file", "tenant", "content", "segment", "session", "record", "counter")


def in_sqlite(statement):
    for column in IDS + DIGESTS:
        statement = statement.replace(f"{{{column}}}", f"lower(hex({column}))")
    for table in TABLES:
        statement = statement.replace(f"{{{table}}}", table)
    return statement


def in_postgres(statement):
    for column in IDS:
        statement = statement.replace(f"{{{column}}}", f"replace({column}::text, '-', '')")
    for column in DIGESTS:
        statement = statement.replace(f"{{{column}}}", f"encode({column}, 'hex')")
    for table in TABLES:
        statement = statement.replace(f"{{{table}}}", f"filestore.{table}")
    return statement


def text(value):
    return "" if value is None else str(value)


class Embedded:
    """SQLite and a disk, in one folder."""

    flags = ()

    def __init__(self, folder):
        self.folder, self.database = folder, folder / "metadata.sqlite"
        self.urls = (f"sqlite:{self.database}", f"file:{folder}")
        self.env = {"FILESTORE_METADATA": self.urls[0], "FILESTORE_BLOBS": self.urls[1]}

    def query(self, statement):
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def rows(self, statement):
        return sorted(tuple(map(text, row)) for row in self.query(in_sqlite(statement)))

    def count(self):
        try:
            return self.query("SELECT count(*) FROM file")[0][0]
        except sqlite3.Error:
            return 0

    def files(self):
        return [Row(bytes(id).hex(), *rest) for id, *rest in self.query("SELECT id, number, name, content NOT NULL FROM file")]


class Shared:
    """PostgreSQL and SeaweedFS, where clients fetch large files from themselves."""

    flags = ("--redirect-downloads", "all")

    def __init__(self, home, weed):
        self.postgres = Postgres(home / "postgres")
        self.seaweedfs = SeaweedFS(weed, home / "seaweedfs")
        self.env = settings(self.seaweedfs.port) | {"FILESTORE_METADATA": self.postgres.url}
        self.urls = (self.postgres.url, self.env["FILESTORE_BLOBS"])

    def rows(self, statement):
        return sorted(map(tuple, self.postgres.query(in_postgres(statement))))

    def count(self):
        try:
            return int(self.postgres.query("SELECT count(*) FROM filestore.file")[0][0])
        except AssertionError:
            return 0

    def files(self):
        rows = self.postgres.query("SELECT id, number, name, content IS NOT NULL FROM filestore.file")
        return [Row(uuid.UUID(id).hex, int(number), name, has == "t") for id, number, name, has in rows]


class Run:
    def __init__(self, home, weed, seed):
        self.home, self.weed, self.random = home, weed, random.Random(seed)
        self.counts = Counter()
        self.workers = [Worker(number, Expected()) for number in range(WORKERS)]
        # Links that were handed out go on being good.
        self.address = f"127.0.0.1:{lasting_ports(1)[0]}"
        self.server = None

    def serve(self, store):
        env = store.env | {"FILESTORE_JWT_SECRET": SECRET}
        self.server = Server(self.home / "local", "--listen", self.address, *store.flags, env=env)
        self.token = self.server.token("me", "--ttl", "86400")

    def client(self):
        client = Client(self.server, self.token)
        client.session.hooks["response"].append(self.note)
        return client

    def note(self, answer, **_):
        self.counts["downloads sent to the bucket"] += answer.status_code == 307

    def fill(self, seconds):
        self.here = Embedded(self.home / "here")
        self.serve(self.here)
        end, errors = time.monotonic() + seconds, []

        def work(worker, own):
            try:
                worker.run(random.Random(own), self.server, self.client(), lambda: time.monotonic() > end)
                # Clients delete nearly as much as they store.
                for _ in range(FILES // WORKERS):
                    worker.upload()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(it, self.random.random())) for it in self.workers]
        for thread in threads:
            thread.start()
        # Beside the clients' work, which is for two: the program that fills is no less busy than its server.
        self.shared = Shared(self.home, self.weed)
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        self.check(self.here, *self.workers)
        # Nobody copies a store that is served.
        done = self.migrate(self.here, self.shared)
        assert done.returncode == 2 and "another server has" in done.stderr, done.stderr
        assert self.shared.count() == 0
        self.server.stop()

    def command(self, source, target):
        flags = ["--from-metadata", source.urls[0], "--from-blobs", source.urls[1]]
        flags += ["--to-metadata", target.urls[0], "--to-blobs", target.urls[1]]
        return ["migrate", *flags, "--data", self.home / "local"]

    def migrate(self, source, target):
        return run_server(*self.command(source, target), env=self.shared.env)

    def move(self, source, target, attempts):
        """Kills the copy when a share of the files is there, once for each share."""
        total = source.count()
        for attempt in range(1, attempts + 1):
            share = total * attempt // (attempts + 1)
            process = subprocess.Popen(
                [str(it) for it in [BINARY, *self.command(source, target)]],
                env=CLEAN_ENVIRONMENT | self.shared.env, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            while process.poll() is None and target.count() < share:
                time.sleep(0.01)
            process.kill()
            _, said = process.communicate()
            assert process.returncode in (-9, 0), said.decode()
            self.counts["copies killed on their way" if process.returncode else "copies that ended before"] += 1
        done = self.migrate(source, target)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "all is there" in done.stdout and f"{total} of {total} files" in done.stderr, done
        assert PASSWORD not in done.stdout + done.stderr
        again = self.migrate(source, target)
        assert again.returncode == 0 and "files copied        0\n" in again.stdout, again
        self.counts["files copied"] += total
        self.compare(source, target)

    def compare(self, source, target):
        for what, statement in ROWS.items():
            expected, found = source.rows(statement), target.rows(statement)
            differences = [it for it in set(expected) ^ set(found)][:4]
            assert expected == found, f"{what}: {differences}"
            self.counts[f"{what} compared"] += len(expected)

    def check(self, store, *workers):
        check(store.files, self.client(), workers, self.random)

    def go_on(self, store):
        """What was begun elsewhere is finished here."""
        self.serve(store)
        self.check(store, *self.workers)
        for worker in self.workers:
            worker.random, worker.server, worker.client = self.random, self.server, self.client()
            for session in list(worker.expected.sessions)[:1]:
                worker.finish(session)
                self.counts["sessions finished elsewhere"] += 1
            worker.upload()
        self.check(store, *self.workers)
        self.server.stop()
        assert self.counts["downloads sent to the bucket"], "clients were sent nowhere"
        checked = run_server("fsck", "--read-data", "--data", self.home / "local", env=store.env)
        assert checked.returncode == 0 and "all is well" in checked.stdout, checked

    def there(self):
        self.move(self.here, self.shared, 3)
        self.go_on(self.shared)

    def back(self):
        self.home_again = Embedded(self.home / "back")
        self.move(self.shared, self.home_again, 2)
        self.go_on(self.home_again)

    def report(self):
        for what, count in sorted(sum((it.expected.counts for it in self.workers), self.counts).items()):
            print(f"{count:9,}  {what}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--weed", required=True, help="SeaweedFS' program")
    arguments.add_argument("--seconds", type=float, default=8, help="to fill the store")
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    given = arguments.parse_args()
    home = Path(tempfile.mkdtemp(prefix="filestore-migrate-"))
    # PostgreSQL may run as somebody else.
    os.chmod(home, 0o755)
    print(f"seed {given.seed}, {BINARY}, in {home}", flush=True)
    run = None
    try:
        run = Run(home, given.weed, given.seed)
        for step in (lambda: run.fill(given.seconds), run.there, run.back):
            began = time.monotonic()
            step()
            print(f"{time.monotonic() - began:6.1f} s", flush=True)
        run.report()
    except BaseException:
        print(f"FAILED with --seed {given.seed}; logs are in {home}")
        raise
    finally:
        if run and run.server:
            run.server.kill()
        end_all()
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
