"""Requests, as the load client takes them, and single ones made here."""

import hashlib
import json
import os
import random
import socket
import subprocess
from dataclasses import asdict, dataclass
from functools import cache
from http.client import HTTPResponse

MIB = 1 << 20
GIB = 1 << 30
# In a head or prefix: the number of the request, in eight digits.
TURN = "{turn}"


@dataclass(frozen=True)
class Exchange:
    head: str
    prefix: str = ""
    content: int = 0
    suffix: str = ""

    @classmethod
    def of(cls, method, path, running, headers=None, content=0, prefix="", suffix=""):
        fields = {"Host": running.address} | (headers or {})
        length = len(prefix.replace(TURN, "0" * 8)) + content + len(suffix)
        if length or method in ("PUT", "POST"):
            fields["Content-Length"] = length
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return cls("\r\n".join(lines) + "\r\n\r\n", prefix, content, suffix)


class Payload:
    """The bytes of all bodies: one block over and over, seeded, which no compression makes smaller.

    Whoever compresses or merges what is equal looks at less than a block at a time, or at whole
    files."""

    def __init__(self, folder, seed=1):
        self.block = random.Random(seed).randbytes(MIB)
        self.path = folder / "block"
        self.path.write_bytes(self.block)
        self.sha256 = cache(self._sha256)

    def take(self, size):
        whole, rest = divmod(size, len(self.block))
        for _ in range(whole):
            yield self.block
        yield self.block[:rest]

    def _sha256(self, size):
        digest = hashlib.sha256()
        for piece in self.take(size):
            digest.update(piece)
        return digest.hexdigest()


def perform(exchange, running, payload=None):
    """The head and body of one request's answer, which must be a success."""
    with socket.create_connection(("127.0.0.1", running.port), timeout=120) as connection:
        connection.sendall((exchange.head + exchange.prefix).encode())
        for piece in payload.take(exchange.content) if exchange.content else ():
            connection.sendall(piece)
        connection.sendall(exchange.suffix.encode())
        answer = HTTPResponse(connection, method=exchange.head.split(" ")[0])
        answer.begin()
        body = answer.read()
    if not 200 <= answer.status < 300:
        line = exchange.head.splitlines()[0]
        raise RuntimeError(f"{line}: {answer.status} {body[:200].decode(errors='replace')}")
    return answer, body


def drive(running, payload, exchanges, connections, count, seconds):
    """What the load client measured, all of whose requests must have been answered well: they are
    asked in turn, `count` in all, none after so many seconds."""
    plan = {
        "address": running.address,
        "connections": connections,
        "seconds": seconds,
        "requests": [asdict(exchange) for exchange in exchanges],
        "count": count,
        "block": str(payload.path),
    }
    done = subprocess.run(
        [os.environ["FILESTORE_LOAD_BIN"]],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        timeout=seconds + 120,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    report = json.loads(done.stdout)
    if bad := report.pop("bad"):
        raise RuntimeError(f"{len(bad)} of {report['requests']} answers were bad, as {bad[0]}")
    return report
