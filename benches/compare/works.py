"""What is measured: each work, by whom it is done, and what is compared with what."""

from dataclasses import dataclass
from typing import Callable

from exchange import GIB, MIB, TURN

KIB = 1 << 10
OTHERS = ("s3s-fs", "dufs", "seaweed", "rclone", "tus", "rustus")


@dataclass(frozen=True)
class Contestant:
    """A server, and how it does the work. `requests` makes, of the server, its process, the payload
    and a scale, the requests in turn."""

    server: str
    requests: Callable
    # Tells apart two ways of one server.
    way: str = ""

    @property
    def key(self):
        return f"{self.server} {self.way}".strip()


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    contestants: list
    connections: int
    # No request begins after so long, …
    seconds: float
    # … and each is asked once, or all are over again until then.
    again: bool = False
    # "GiB/s", or "requests/s".
    unit: str = "requests/s"
    # Uploads: each round begins with an empty folder and a synced disk.
    stores: bool = False
    # Positions of contestants: which is compared with which. The first with each other by default.
    pairs: tuple = ()
    # Runs once, and is no comparison.
    once: bool = False
    # Columns of the table of sessions are wanted as well.
    is_session: bool = False

    def compared(self):
        pairs = self.pairs or tuple((0, other) for other in range(1, len(self.contestants)))
        return [(self.contestants[one], self.contestants[other]) for one, other in pairs]


@dataclass(frozen=True)
class Scale:
    """`--quick` shrinks files, times and counts by these."""

    size: int = 1
    time: float = 1.0
    files: int = 1_000_000
    rounds: int = 5

    def of(self, size):
        """Small files keep their size."""
        return size if size <= MIB else size // self.size


QUICK = Scale(size=8, time=0.25, files=20_000, rounds=2)


# -- ways to do it --------------------------------------------------------------------------------


def read(size, method="GET", times=1):
    def requests(server, running, payload, scale):
        path = server.store(running, payload, "file", scale.of(size))
        return [server.read(running, path, method)] * times

    return requests


def metadata(server, running, payload, scale):
    path = server.store(running, payload, "file", 4 * KIB)
    return [server.read(running, path.removesuffix("?alt=media"))]


def put(size, files=1):
    def requests(server, running, payload, scale):
        return [server.put(running, f"file-{TURN}", scale.of(size))] * files

    return requests


def form(size):
    return lambda server, running, payload, scale: [server.form(running, "file", scale.of(size))]


def session(hashed):
    def requests(server, running, payload, scale):
        return server.session(running, payload, scale.of(GIB), scale.of(16 * MIB), hashed)

    return requests


def all_of(servers, requests):
    return [Contestant(server, requests) for server in servers]


# -- the works ------------------------------------------------------------------------------------

WORKS = [
    Work(
        "get-4k-64c",
        "GET of 4 KiB, 64 connections",
        all_of(("full", "nginx", *OTHERS), read(4 * KIB)),
        connections=64,
        seconds=2,
        again=True,
    ),
    Work(
        "get-1m-8c",
        "GET of 1 MiB, 8 connections",
        all_of(("full", "nginx", *OTHERS), read(MIB)),
        connections=8,
        seconds=2,
        again=True,
        unit="GiB/s",
    ),
    Work(
        "get-1g-1c",
        "GET of 1 GiB, 1 connection",
        all_of(("full", "nginx"), read(GIB)),
        connections=1,
        seconds=2,
        again=True,
        unit="GiB/s",
    ),
    Work(
        "get-1g-4c",
        "GET of 1 GiB, 4 connections",
        all_of(("full", "nginx"), read(GIB)),
        connections=4,
        seconds=2,
        again=True,
        unit="GiB/s",
    ),
    Work(
        "head-64c",
        "HEAD of 4 KiB and GET of metadata, 64 connections",
        [
            Contestant("full", read(4 * KIB, "HEAD"), "HEAD"),
            Contestant("full", metadata, "metadata"),
            Contestant("nginx", read(4 * KIB, "HEAD"), "HEAD"),
        ],
        connections=64,
        seconds=2,
        again=True,
        pairs=((0, 2), (1, 2)),
    ),
    Work(
        "put-1g-1c",
        "upload of 1 GiB, 1 connection",
        all_of(("relaxed", "full", "nginx", "nginx-1m", "bare"), put(GIB)),
        connections=1,
        seconds=60,
        unit="GiB/s",
        stores=True,
        pairs=((0, 2), (0, 3), (0, 4), (1, 0), (1, 2)),
    ),
    Work(
        "put-256m-4c",
        "upload of 4 files of 256 MiB, 4 connections",
        all_of(("relaxed", "bare", "nginx", *OTHERS), put(256 * MIB, files=4)),
        connections=4,
        seconds=60,
        unit="GiB/s",
        stores=True,
    ),
    Work(
        "put-1m-8c",
        "upload of 1 MiB, 8 connections",
        all_of(("relaxed", "nginx", *OTHERS), put(MIB, files=1024)),
        connections=8,
        seconds=2,
        unit="GiB/s",
        stores=True,
    ),
    Work(
        "form-1g-1c",
        "upload of 1 GiB in a form, 1 connection",
        [
            Contestant("relaxed", form(GIB), "form"),
            Contestant("relaxed", put(GIB), "raw"),
        ],
        connections=1,
        seconds=60,
        unit="GiB/s",
        stores=True,
    ),
    Work(
        "session-1g-4c",
        "1 GiB in 64 chunks of 16 MiB, 4 connections, SHA-256 of the file declared",
        [
            Contestant("relaxed", session(hashed=False), "session"),
            Contestant("relaxed", session(hashed=True), "session, chunks declared, too"),
            Contestant("relaxed", put(256 * MIB, files=4), "raw, 4 files of 256 MiB"),
        ],
        connections=4,
        seconds=60,
        unit="GiB/s",
        stores=True,
        pairs=((0, 2), (1, 2)),
        is_session=True,
    ),
    Work(
        "session-1g-1c",
        "1 GiB in 64 chunks of 16 MiB in order, 1 connection, SHA-256 of the file declared",
        [
            Contestant("relaxed", session(hashed=False), "session"),
            Contestant("relaxed", session(hashed=True), "session, chunks declared, too"),
        ],
        connections=1,
        seconds=60,
        unit="GiB/s",
        stores=True,
        pairs=((1, 0),),
        is_session=True,
    ),
    Work(
        "durable-4k-32c",
        "upload of 4 KiB, 32 connections",
        [
            Contestant("full", put(4 * KIB)),
            # The least that is not kept in the database.
            Contestant("full", put(16 * KIB + 1), "16 KiB + 1 byte: a blob each"),
            Contestant("nginx", put(4 * KIB)),
            Contestant("seaweed-fsync", put(4 * KIB)),
        ],
        connections=32,
        seconds=2,
        again=True,
        stores=True,
    ),
    Work(
        "memory-put-64c",
        "64 uploads of 128 MiB at a time",
        all_of(("full",), put(128 * MIB, files=64)),
        connections=64,
        seconds=60,
        unit="GiB/s",
        stores=True,
        once=True,
    ),
    Work(
        "memory-get-64c",
        "64 downloads of 1 GiB at a time",
        all_of(("full",), read(GIB, times=64)),
        connections=64,
        seconds=60,
        unit="GiB/s",
        once=True,
    ),
]
