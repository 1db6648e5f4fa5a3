"""A page of a list among many files, over HTTP and as the bare query of the same database."""

import json
import os
import resource
import subprocess
from dataclasses import asdict

from exchange import drive
from rounds import ENDLESS, Measure, folder_in, measured, told
from servers import SERVERS
from works import Contestant, Work

SOURCES = [f"source {number:03}" for number in range(200)]
SOURCE = SOURCES[7]
LIMIT = 100
# Making files may take so long at most.
FILLING = 400

LISTS = Work(
    "list-100-8c",
    "page of 100 files by an indexed filter among 1,000,000, 8 connections",
    [Contestant("relaxed", None, "HTTP"), Contestant("relaxed", None, "bare SQL, no HTTP")],
    connections=8,
    seconds=2,
)


def do_lists(scale, rounds, payload, home, out):
    """As `rounds.do`, whose contestants are servers; this one's other is none."""
    server = SERVERS["relaxed"]
    measures = []
    try:
        with folder_in(home) as folder, server.start(folder) as running:
            files = server.reserve(running, SOURCES)
            made = drive(running, payload, files, 64, scale.files, FILLING)
            print(f"{made['requests']} files made in {made['seconds']:.0f} s", flush=True)
            if made["requests"] < scale.files:
                raise RuntimeError(f"{made['requests']} files in {FILLING} s: the machine is too slow")
            os.sync()
            for turn in range(rounds):
                for contestant, ask in zip(LISTS.contestants, (_over_http, _bare), strict=True):
                    report = ask(server, running, payload, LISTS.seconds * scale.time)
                    measure = Measure(LISTS.name, contestant.key, turn, **report)
                    measures.append(asdict(measure))
                    print(told(measure), flush=True)
    except Exception as error:
        out.tell(LISTS.name, f"failed: {error}")
    return measures


def _over_http(server, running, payload, seconds):
    page = server.page(running, SOURCE, LIMIT)
    return measured(running, payload, [page], LISTS.connections, ENDLESS, seconds)


def _bare(_server, running, _payload, seconds):
    command = [os.environ["FILESTORE_QUERY_BIN"], running.database, SOURCE, LIMIT]
    command = [*map(str, command), str(LISTS.connections), str(seconds)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    nothing = dict.fromkeys(("bytes", "p50_us", "p99_us", "last_us", "bytes_read", "peak_memory"), 0)
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    return json.loads(done.stdout) | nothing | {"cpu_seconds": spent}
