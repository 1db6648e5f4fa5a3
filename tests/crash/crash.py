"""Kills the real server over and over, and checks what it holds when it is started again.

    python tests/crash/crash.py --seconds 3600

Eight clients call all five dialects. The server is killed at a random moment, or at a system call
(each of several, and the first, second, … of each in turn), also while it makes its store, opens it
and sweeps; where a disk can be mounted, the disk's power is cut as well. The same seed makes the
same choices; which request meets the end of the server, the machine decides."""

import argparse
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "replay"))

from check import Row, assert_nothing_leaked, assert_well, check  # noqa: E402
from client import Client  # noqa: E402
from disks import Disk, Unmountable  # noqa: E402
from expected import Expected  # noqa: E402
from harness import BINARY, Server, Traced, wait_for  # noqa: E402
from workload import Worker  # noqa: E402

WORKERS = 8
# Calls at whose beginning the server is killed while it works, …
CALLS = (
    "fdatasync", "linkat", "fsync", "pwrite64", "unlinkat", "writev", "write", "ftruncate", "openat",
)
# … while it opens its store, and makes one; and how many there are of each, about.
OPENING = {"openat": 40, "fsync": 3, "pwrite64": 6, "linkat": 1, "unlinkat": 1, "ftruncate": 1}
MAKING = {"mkdir": 262, "fsync": 275, "rename": 1, "linkat": 3, "openat": 290, "pwrite64": 100}
SWEEPING = {"unlinkat": 6, "fsync": 6, "pwrite64": 6}
CONFIG = "[limits]\nkeep_deleted = 0\n"
FLAGS = ("--sweep-interval", "1")


class Run:
    def __init__(self, home, disk, seed):
        self.home, self.disk, self.seed = home, disk, seed
        self.config = home / "config.toml"
        self.config.write_text(CONFIG)
        self.flags = (*FLAGS, "--config", self.config)
        self.log = home / "calls"
        self.counts, self.points = Counter(), Counter()
        self.crashes, self.turn, self.nth = 0, 0, dict.fromkeys(CALLS, 0)
        self.workers = [Worker(number, Expected()) for number in range(WORKERS)]
        self.server = Server((disk.at if disk else home) / "data", *self.flags)
        self.token = self.server.token("me", "--ttl", "2592000")

    # -- one crash --------------------------------------------------------------------------------

    def crash(self, kinds):
        """Lets clients work on a server that comes to a bad end, and checks what is left."""
        # What was drawn for one crash does not move the next.
        self.random = random.Random(f"{self.seed}/{self.crashes}")
        kind = kinds[self.crashes % len(kinds)]
        self.crashes += 1
        match kind:
            case "kill":
                self.load(until=self.a_moment)
            case "power":
                self.load(until=self.a_moment, cutting=True)
                self.disk.unmount()
                self.disk.mount()
            case "call":
                self.crash_at_a_call()
            case "opening":
                self.crash_while_opening()
            case "making":
                return self.crash_while_making()
        self.counts[f"crashes: {kind}"] += 1
        self.server.start()
        self.check()

    def load(self, until, cutting=False):
        """Has all clients at work until the server is killed, or has met a call that kills it."""
        errors, ending = [], threading.Event()

        def work(worker, seed):
            excuses = lambda status: status >= 500 and cutting and ending.is_set()
            client = Client(self.server, self.token, excuses)
            try:
                worker.run(random.Random(seed), self.server, client, ending.is_set)
                # Nothing but its end excuses a server that does not answer.
                gone = lambda: ending.is_set() or self.server.process.poll() is not None
                wait_for(gone, "the end of a server that cut a request off", within=20)
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=work, args=(worker, self.random.random()))
            for worker in self.workers
        ]
        for each in threads:
            each.start()
        until()
        ending.set()
        if cutting:
            self.disk.cut_power()
        self.server.kill()
        for each in threads:
            each.join()
        if errors:
            raise errors[0]

    def a_moment(self):
        time.sleep(self.random.uniform(0.05, 1.5))
        assert self.server.process.poll() is None, self.server.errors.read_text()

    def its_end(self):
        """Until it meets its call, or seems never to."""
        end = time.monotonic() + 4
        while self.server.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)

    def crash_at_a_call(self):
        call = CALLS[self.turn % len(CALLS)]
        self.turn += 1
        self.nth[call] += 1
        traced = Traced(self.server, self.log, f"{call}:signal=KILL:when={self.nth[call]}")
        self.load(until=self.its_end)
        traced.end()
        if not self.put_down_the_call():
            # There are not so many.
            self.nth[call] = 0

    def crash_while_opening(self):
        call = self.random.choice(list(OPENING))
        self.server.kill()
        self.server.under = self.killing(call, self.random.randint(1, OPENING[call]))
        try:
            self.server.start()
        except AssertionError:
            assert self.server.process.returncode == -9, self.server.errors.read_text()
        else:
            self.load(until=self.its_end)
        self.server.under = ()
        self.put_down_the_call()

    def crash_while_making(self):
        """A store that is cut off while it is made is made by the next who opens it."""
        call, data = self.random.choice(list(MAKING)), self.home / "made"
        under = self.killing(call, self.random.randint(1, MAKING[call]))
        try:
            server = Server(data, *self.flags, under=under)
        except AssertionError:
            self.counts["crashes: making"] += 1
            server = Server(data, *self.flags)
        try:
            self.use_what_was_made(server)
        finally:
            server.process.kill()
        shutil.rmtree(data)

    def use_what_was_made(self, server):
        client = Client(server, server.token())
        for content in (self.random.randbytes(50_000), b"small"):
            client.upload("molgenis", "name", content)
        server.kill()
        self.put_down_the_call()
        server.under = ()
        server.start()
        assert list(Client(server, server.token()).listed().values()) == [True, True]
        assert_well(server)
        server.stop()

    def crash_while_sweeping(self):
        call, flags = self.random.choice(list(SWEEPING)), ("sweep", "--config", self.config)
        under = self.killing(call, self.random.randint(1, SWEEPING[call]))
        ended = self.server.command(*flags, under=under).returncode
        assert ended in (0, -9), ended
        self.counts["crashes: sweeping"] += ended == -9
        self.put_down_the_call()
        assert self.server.command(*flags).returncode == 0

    def killing(self, call, nth):
        """A program that runs another until one of its threads makes the n-th such call."""
        return (
            "strace", "-D", "-f", "-y", "-o", self.log, "-e", f"trace={call}",
            "-e", f"inject={call}:signal=KILL:when={nth}",
        )

    def put_down_the_call(self):
        """Where the server was killed, from the log; whether it was."""
        begun, point = {}, None
        for line in self.log.read_text().splitlines():
            thread, _, text = line.partition(" ")
            if text.rstrip().endswith("= ?"):
                call = begun[thread] if "resumed>" in text else text.strip()
                point = f"{call.partition('(')[0]} {target(call)}"
                self.points[point] += 1
                break
            begun[thread] = text.strip()
        self.log.write_text("")
        return point is not None

    # -- what is left -----------------------------------------------------------------------------

    def stored(self):
        rows = self.server.query("SELECT id, number, name, content IS NOT NULL FROM file")
        return [Row(bytes(id).hex(), *others) for id, *others in rows]

    def check(self):
        client = Client(self.server, self.token)
        check(self.stored, client, self.workers, self.random)
        for worker in self.workers:
            worker.random, worker.server, worker.client = self.random, self.server, client
            for session in list(worker.expected.sessions):
                if self.random.random() < 0.4:
                    worker.finish(session)
                    worker.expected.counts["sessions resumed and finished"] += 1
        if self.random.random() < 0.3:
            self.crash_while_sweeping()
        assert_well(self.server)

    def finish(self):
        """Ends all sessions, and sweeps as of days later: nothing is left but the files."""
        self.check()
        client = Client(self.server, self.token)
        for worker in self.workers:
            worker.client = client
            for session in list(worker.expected.sessions):
                worker.finish(session)
                worker.expected.counts["sessions resumed and finished"] += 1
        check(self.stored, client, self.workers, self.random)
        self.server.stop()
        swept = self.server.command("sweep", "--config", self.config, under=("faketime", "-f", "+9d"))
        assert swept.returncode == 0, swept.stderr
        blobs = assert_nothing_leaked(self.server)
        self.server.start()
        check(self.stored, Client(self.server, self.token), self.workers, self.random)
        assert_well(self.server)
        self.server.stop()
        self.counts["blobs that were left, all of files"] = blobs

    def report(self):
        counts = sum((worker.expected.counts for worker in self.workers), self.counts)
        for what, count in sorted(counts.items()):
            print(f"{count:9,}  {what}")
        print(f"{len(self.points):9,}  kinds of calls it was killed at:")
        for point, count in sorted(self.points.items()):
            print(f"{count:15,}  {point}")


def target(call):
    """What a call was about, from its line in the log."""
    for pattern, what in (
        (r"metadata\.sqlite-wal", "of the log of the database"),
        (r"metadata\.sqlite-shm", "of the index of that log"),
        (r"metadata\.sqlite", "of the database"),
        (r"jwt-secret", "of the secret"),
        (r"blobs[^\"]*>, \"tmp|blobs/tmp", "of a blob on its way"),
        (r"blobs/../#|blobs[^\"]*>, \"../|blobs/../.", "of a blob"),
        (r"socket", "of a connection"),
        (r"blobs|/(data|made)[>\"]", "of a folder"),
    ):
        if re.search(pattern, call):
            return what
    return "of something else"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    arguments.add_argument("--kinds", default="kill,power,call,opening,call,making,call,power")
    given = arguments.parse_args()
    home = Path(tempfile.mkdtemp(prefix="filestore-crash-"))
    print(f"seed {given.seed}, {BINARY}, in {home}", flush=True)
    try:
        disk = Disk(home / "disk", "ext4", 2048)
    except Unmountable as reason:
        print(f"THE LOSS OF POWER IS NOT TESTED: {reason}", flush=True)
        disk = None
    kinds = [kind for kind in given.kinds.split(",") if disk or kind != "power"]
    run = None
    end = time.monotonic() + given.seconds
    try:
        run = Run(home, disk, given.seed)
        while time.monotonic() < end:
            run.crash(kinds)
        run.finish()
    except BaseException:
        print(f"FAILED with --seed {given.seed}; the data, or the disk with it, is in {home}")
        raise
    else:
        run.report()
    finally:
        if run:
            run.server.kill()
        if disk:
            disk.unmount()
    shutil.rmtree(home)


if __name__ == "__main__":
    main()
