"""Works, done by their contestants in turn."""

import os
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass

from exchange import drive
from servers import SERVERS

# As many requests as there are numbers of eight digits.
ENDLESS = 10**8


@dataclass(frozen=True)
class Measure:
    """One round of one contestant."""

    work: str
    contestant: str
    round: int
    requests: int
    seconds: float
    # Bytes of bodies, in both directions.
    bytes: int
    p50_us: int
    p99_us: int
    last_us: int
    cpu_seconds: float
    # From files, by the server.
    bytes_read: int
    peak_memory: int


class Out:
    """Why a contestant of a work, or a server, is out."""

    def __init__(self, unwanted=()):
        self.unwanted = set(unwanted)
        self.reasons = {}

    def tell(self, who, reason):
        print(f"OUT: {who}: {reason}", flush=True)
        self.reasons[who] = reason


def do(work, scale, rounds, payload, home, out):
    """Every measure of a work; whoever fails is out for the rest of it, and loudly."""
    gone = out.unwanted | out.reasons.keys()
    contestants = [one for one in work.contestants if one.server not in gone]
    play = _anew if work.stores else _side_by_side
    measures = []
    with ExitStack() as stack:
        ready = play(stack, work, contestants, scale, payload, home, out)
        for turn in range(1 if work.once else rounds):
            for contestant in contestants:
                if f"{work.name} {contestant.key}" in out.reasons:
                    continue
                with _excused(work, contestant, out), ready(contestant) as (running, exchanges):
                    measure = _measure(work, contestant, turn, running, exchanges, scale, payload)
                    measures.append(asdict(measure))
                    print(told(measure), flush=True)
    return measures


@contextmanager
def _excused(work, contestant, out):
    try:
        yield
    except Exception as error:
        out.tell(f"{work.name} {contestant.key}", f"failed: {error}")


def _anew(_stack, work, _contestants, scale, payload, home, _out):
    """Each round on an empty folder: no server is slowed down by what it stored in the last."""

    @contextmanager
    def ready(contestant):
        server = SERVERS[contestant.server]
        with folder_in(home) as folder, server.start(folder) as running:
            exchanges = contestant.requests(server, running, payload, scale)
            # What others left to be written is not to be this one's burden.
            os.sync()
            yield running, exchanges

    return ready


def _side_by_side(stack, work, contestants, scale, payload, home, out):
    """All are started at once, and those that are not asked wait."""
    started = {}
    for number, contestant in enumerate(contestants):
        with _excused(work, contestant, out):
            server = SERVERS[contestant.server]
            folder = stack.enter_context(folder_in(home, number))
            running = stack.enter_context(server.start(folder))
            exchanges = contestant.requests(server, running, payload, scale)
            started[contestant.key] = running, exchanges
    os.sync()

    @contextmanager
    def ready(contestant):
        yield started[contestant.key]

    return ready


@contextmanager
def folder_in(home, number=0):
    folder = home / str(number)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _measure(work, contestant, turn, running, exchanges, scale, payload):
    count = ENDLESS if work.again else len(exchanges)
    report = measured(running, payload, exchanges, work.connections, count, work.seconds * scale.time)
    return Measure(work.name, contestant.key, turn, **report)


def measured(running, payload, exchanges, connections, count, seconds):
    """What `Measure` has of a load."""
    running.forget_peak()
    before = running.usage()
    try:
        report = drive(running, payload, exchanges, connections, count, seconds)
    except RuntimeError as error:
        if running.has_ended():
            raise RuntimeError(f"{error}: the server ended with {running.last_words()}") from error
        raise
    after = running.usage()
    return {name: report[name] for name in ("requests", "seconds", "p50_us", "p99_us", "last_us")} | {
        "bytes": report["sent"] + report["received"],
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "bytes_read": after.bytes_read - before.bytes_read,
        "peak_memory": running.peak_memory(),
    }


def told(measure):
    speed = measure.bytes / measure.seconds / 2**30
    return (
        f"{measure.work:16} {measure.contestant:44} "
        f"{measure.requests / measure.seconds:10.0f}/s {speed:8.3f} GiB/s "
        f"{measure.cpu_seconds:6.2f} s of CPU {measure.peak_memory / 2**20:6.0f} MiB"
    )
