"""Three nodes over one PostgreSQL and one SeaweedFS, behind a proxy that gives every request to the next of
them, while all of these fail; then every file is checked that was acknowledged.

    python tests/cluster/cluster.py --weed PROGRAM --seconds 30

Eight clients call all five dialects, chunks of one upload go to whichever node is next. Every second a node,
drawn at random, is killed and started again. Meanwhile the database is restarted, the object store fails and
stalls, one of its volume servers is killed for good, and a node is stopped for a while. The same seed makes
the same choices; which request meets what, the machine decides."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "replay"), str(TESTS / "crash")]

from check import Row, check, check_session  # noqa: E402
from client import Client, Cut  # noqa: E402
from expected import Expected  # noqa: E402
from harness import BINARY, Server, run_server, sha256, wait_for  # noqa: E402
from proxy import Proxy  # noqa: E402
from services import PASSWORD, Postgres, SeaweedFS, end_all, lasting_ports, settings  # noqa: E402
from workload import Worker  # noqa: E402

NODES, WORKERS = 3, 8
SECRET = "a secret of forty characters, of the test"
# A second between sweeps, and what is deleted is gone at once: whatever is swept wrongly is missed.
CONFIG = "[limits]\nkeep_deleted = 0\n"
FLAGS = ("--sweep-interval", "1")
# So long after the last trouble a request may still fail of it: waits for database and object store are half
# a minute each.
AFTERWARDS = 60


class Visitor(Client):
    """Has a connection for each request, so that each goes to another node."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.session.headers["Connection"] = "close"

    def complete_parts(self, *arguments):
        """By two nodes at once, which both say that it is complete."""
        with ThreadPoolExecutor(2) as both:
            calls = [both.submit(super(Visitor, self).complete_parts, *arguments) for _ in range(2)]
        for call in calls:
            call.result()


class Reader(Client):
    """Reads everything through two nodes. One of them at least is not the one that took it."""

    def __init__(self, nodes, token, random):
        super().__init__(nodes[0], token)
        self.nodes, self.random = [Client(node, token) for node in nodes], random
        self.both = ThreadPoolExecutor(2)

    def call(self, *arguments, **options):
        return self.random.choice(self.nodes).call(*arguments, **options)

    def digest(self, *arguments):
        read = self.both.map(lambda client: client.digest(*arguments), self.random.sample(self.nodes, 2))
        [found] = set(read)
        return found


class Persistent(Worker):
    """Goes on after a request that was cut off, when it has asked what became of its sessions."""

    # Two parts in the object store, too.
    SIZES, WEIGHTS = (*Worker.SIZES, 12_000_000), (*Worker.WEIGHTS, 0.5)
    # As many as it comes to.
    FILES = float("inf")

    def run(self, random, server, client, until):
        self.random, self.server, self.client = random, server, client
        doubtful, counts = [], self.expected.counts
        while not until():
            try:
                while doubtful:
                    self.ask_after(doubtful[-1])
                    doubtful.pop()
                self.choose()()
            except Cut as cut:
                counts["requests cut off" if cut.__cause__ else "requests answered with 503"] += 1
                doubtful = list(self.expected.sessions)
                # It keeps a client from spinning while nobody is there.
                time.sleep(0.05)

    def ask_after(self, session):
        """A node that was killed may have sent what the database has yet to do."""
        if session.canceled:
            # Unless it was canceled the first time.
            self.client.call("DELETE", f"/api/v1/uploads/{session.id}", 200, 400)
            self.end(session)
        else:
            check_session(self.client, self.expected, session, is_over=False)


class Run:
    def __init__(self, home, seed):
        self.home, self.random = home, random.Random(seed)
        self.counts, self.excused, self.ending = Counter(), 0, threading.Event()
        self.workers = [Persistent(number, Expected()) for number in range(WORKERS)]
        self.nodes, self.errors = [], []
        config = home / "config.toml"
        config.write_text(CONFIG)
        self.flags = (*FLAGS, "--config", config)

    def start(self, weed):
        self.postgres = Postgres(self.home / "postgres")
        self.seaweedfs = SeaweedFS(weed, self.home / "seaweedfs")
        self.objects = Proxy(self.seaweedfs.port)
        self.env = settings(self.objects.port) | {
            "FILESTORE_METADATA": self.postgres.url, "FILESTORE_JWT_SECRET": SECRET,
        }
        self.start_at_once()
        self.proxy = Proxy(*(node.port for node in self.nodes))
        self.token = self.nodes[0].token("me", "--ttl", "86400")

    def start_at_once(self):
        """All nodes, on a database in which there is nothing."""
        ports = lasting_ports(NODES)

        def start(number):
            flags = (*self.flags, "--listen", f"127.0.0.1:{ports[number]}")
            self.nodes.append(Server(self.home / f"node{number}", *flags, env=self.env))

        self.at_once(*(lambda number=number: start(number) for number in range(NODES)))
        assert len(self.nodes) == NODES, self.errors

    def at_once(self, *tasks):
        """Runs tasks side by side to their ends, and tells of the first error."""

        def run(task):
            try:
                task()
            except BaseException as error:
                self.errors.append(error)
                self.ending.set()

        threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def pass_on(self):
        """What one node has begun the others go on with, by its signed URLs. The hash of the whole goes
        from chunk to chunk, wherever they go: nothing is read again for it."""
        clients = [Client(node, self.token) for node in self.nodes]
        pieces = [self.random.randbytes(1_000_000) for _ in range(2 * NODES)]
        digest = sha256(b"".join(pieces))
        new = {"fileName": "passed.on", "sha256": digest}
        begun = clients[0].call("POST", "/api/v1/uploads", 201, json=new).json()
        before = self.objects.bytes["answered"]
        headers = {"Authorization": None, "X-Total-Chunks": str(len(pieces))}
        headers["Content-Type"] = "application/octet-stream"
        for number, piece in enumerate(pieces, start=1):
            path = "/api/" + begun["presignedURL"].replace("{chunkOrder}", str(number))
            sent = clients[number % NODES].call("PUT", path, 200, data=piece, headers=headers)
        assert sent.json()["isLastChunk"]
        assert self.objects.bytes["answered"] - before < len(pieces[0])
        for client in clients:
            assert client.digest("idempiere", begun["uploadId"], None, None) == digest
        clients[1].delete("idempiere", begun["uploadId"], None)

    # -- load and trouble -------------------------------------------------------------------------

    def load(self, seconds):
        """Has all clients at work, and everything fail beside them."""
        working = [lambda worker=worker, own=self.random.random(): self.work(worker, own) for worker in self.workers]
        draw = random.Random(self.random.random())
        self.at_once(*working, lambda: self.make_trouble(seconds), lambda: self.kill_nodes(draw))

    def work(self, worker, own):
        client = Visitor(self.proxy, self.token, self.excuses)
        worker.run(random.Random(own), self.proxy, client, self.ending.is_set)

    def excuses(self, status):
        """What a node says that cannot reach what it keeps its things in. That it was killed itself
        is no excuse for any answer."""
        return status == 503 and time.monotonic() < self.excused

    def kill_nodes(self, draw):
        while not self.ending.is_set():
            began = time.monotonic()
            node = draw.choice(self.nodes)
            assert node.process.poll() is None, node.errors.read_text()
            node.kill()
            look_at_log(node)
            node.start()
            self.counts["nodes killed and started again"] += 1
            self.ending.wait(max(0, began + 1 - time.monotonic()))

    def make_trouble(self, seconds):
        troubles = [self.restart_database, self.fail_objects, self.stall_objects, self.kill_volume, self.pause_node]
        self.random.shuffle(troubles)
        began, pause = time.monotonic(), seconds / (len(troubles) + 1)
        for number, trouble in enumerate(troubles, start=1):
            if self.ending.wait(max(0, began + number * pause - time.monotonic())):
                return
            self.excused = float("inf")
            trouble()
            self.counts[f"trouble: {trouble.__name__}"] += 1
        self.excused = time.monotonic() + AFTERWARDS
        self.ending.wait(max(0, began + seconds - time.monotonic()))
        self.ending.set()

    def restart_database(self):
        self.postgres.restart(self.random.choice((signal.SIGINT, signal.SIGQUIT)))

    def fail_objects(self):
        self.objects.fail()
        self.ending.wait(3)
        self.objects.recover()

    def stall_objects(self):
        self.objects.stall()
        self.ending.wait(4)
        self.objects.recover()

    def pause_node(self):
        """It goes on later as if nothing had been, unless it is killed meanwhile."""
        process = self.random.choice(self.nodes).process
        process.send_signal(signal.SIGSTOP)
        self.ending.wait(3)
        process.send_signal(signal.SIGCONT)

    def kill_volume(self):
        self.random.choice(self.seaweedfs.volumes).end(signal.SIGKILL)

    # -- what is left -----------------------------------------------------------------------------

    def check(self):
        """Every file, by nodes that are well again."""
        # What was cut off is over when the nodes have ended in order, and the database knows of none.
        self.at_once(*(node.stop for node in self.nodes))
        connected = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'filestore'"
        wait_for(lambda: self.postgres.query(connected) == [["0"]], "an end of all transactions")
        self.at_once(*(node.start for node in self.nodes))
        reader = Reader(self.nodes, self.token, self.random)
        check(self.stored, reader, self.workers, self.random)
        for worker in self.workers:
            worker.random, worker.server, worker.client = self.random, self.proxy, Visitor(self.proxy, self.token)
            for session in list(worker.expected.sessions):
                worker.finish(session)
                worker.expected.counts["sessions finished afterwards"] += 1
        check(self.stored, reader, self.workers, self.random)

    def stored(self):
        rows = self.postgres.query("SELECT id, number, name, content IS NOT NULL FROM filestore.file")
        return [Row(uuid.UUID(id).hex, int(number), name, has == "t") for id, number, name, has in rows]

    def check_store(self):
        """Blobs and rows are those of the files, when everything is due and several have swept at once."""
        self.assert_well("--read-data")
        # Sessions whose begin was cut off are open, and nobody knows of them.
        self.postgres.query(
            "UPDATE filestore.ledger SET at = 0; UPDATE filestore.session SET expires = 0 WHERE state = 0"
        )
        self.at_once(*[lambda: self.command("sweep")] * 2)
        for what, rows in {
            "sessions that wait": "filestore.session WHERE state < 2",
            "keys in the ledger": "filestore.ledger",
            "contents without a file": "filestore.content WHERE id NOT IN "
            "(SELECT content FROM filestore.file WHERE content IS NOT NULL)",
            "segments without a content": "filestore.segment WHERE content NOT IN "
            "(SELECT id FROM filestore.content)",
        }.items():
            # The nodes sweep as well, and one of them may be about to end what it began.
            count = f"SELECT count(*) FROM {rows}"
            wait_for(lambda: self.postgres.query(count) == [["0"]], f"an end of the {what}")
        self.assert_well()

    def assert_well(self, *flags):
        checked = self.command("fsck", *flags)
        assert "all is well" in checked.stdout
        self.counts["blobs that were left, all of files"] = int(checked.stdout.split()[1])

    def command(self, *arguments):
        done = run_server(*arguments, "--config", self.home / "config.toml", env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def check_nodes(self):
        """They end in order, and kept nothing."""
        self.at_once(*(node.stop for node in self.nodes))
        for node in self.nodes:
            look_at_log(node)
            assert not node.data.exists()

    def report(self):
        counts = sum((worker.expected.counts for worker in self.workers), self.counts)
        taken = [self.proxy.taken[node.port] for node in self.nodes]
        for number, count in enumerate(taken):
            counts[f"requests taken by node {number}"] = count
        for what, count in sorted(counts.items()):
            print(f"{count:9,}  {what}")


def look_at_log(node):
    said = node.log.read_text() + node.errors.read_text()
    assert "panicked" not in said, said
    assert PASSWORD not in said and SECRET not in said


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--weed", required=True, help="SeaweedFS' program")
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    given = arguments.parse_args()
    home = Path(tempfile.mkdtemp(prefix="filestore-cluster-"))
    # PostgreSQL may run as somebody else.
    os.chmod(home, 0o755)
    print(f"seed {given.seed}, {BINARY}, in {home}", flush=True)
    run, took = None, []
    try:
        run = Run(home, given.seed)
        steps = [lambda: run.start(given.weed), run.pass_on, lambda: run.load(given.seconds)]
        for step in (*steps, run.check, run.check_store, run.check_nodes):
            began = time.monotonic()
            step()
            took.append(f"{time.monotonic() - began:.0f}")
        run.report()
        print("start, passing on, load, checks of files, store and nodes took", *took, "s")
    except BaseException:
        for node in run.nodes if run else ():
            print(f"{node.errors}:\n{node.errors.read_text()[-3000:]}")
        print(f"FAILED with --seed {given.seed}; logs are in {home}")
        raise
    finally:
        for node in run.nodes if run else ():
            node.kill()
        end_all()
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
