"""Clients that want the server to fall over: many of them, slow ones, and those that misuse HTTP/2. Its memory and its
descriptors stay within bounds meanwhile, and whoever comes with an honest request is served."""

import re
import resource
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
import requests

from harness import Server, bearer, parse_answer, wait_for

SLOTS = 64
# A server that serves this many, and nobody's files but this module's.
FLAGS = ["[limits]", f"max_connections = {SLOTS}"]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    config = folder / "server.toml"
    config.write_text("\n".join(FLAGS))
    running = Server(folder / "data", "--config", config)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def good(small):
    return small.token()


class Watch:
    """What a server has open and in memory."""

    def __init__(self, server):
        self.process = Path(f"/proc/{server.process.pid}")
        self.descriptors, self.memory = self.now()

    def now(self):
        status = (self.process / "status").read_text()
        resident = int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.M)[1]) * 1024
        return len(list((self.process / "fd").iterdir())), resident

    def assert_bounded(self, descriptors, memory):
        open_now, resident = self.now()
        assert open_now <= self.descriptors + descriptors, (self.descriptors, open_now)
        assert resident <= self.memory + memory, (self.memory, resident)


def assert_serves(server, token, within=10):
    """A whole upload and its removal, on connections of their own."""
    began = time.monotonic()
    made = requests.post(f"{server.url}/api/files", data=b"x" * 50_000, headers=bearer(token), timeout=within)
    assert made.status_code == 201
    gone = requests.delete(f"{server.url}/api/files/{made.json()['id']}", headers=bearer(token), timeout=within)
    assert gone.status_code == 204
    assert time.monotonic() - began < within


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    """Those connections that the server has closed stay open on our side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connections(server, count):
    return [server.connect() for _ in range(count)]


def close(held):
    for connection in held:
        connection.close()


@pytest.mark.parametrize(
    "count, beginning",
    [
        (10_000, b""),
        (2000, b"POST /api/files HTTP/1.1\r\nHost:"),
        (2000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"),
    ],
    ids=["nothing", "half a head", "HTTP/2"],
)
def test_idle_connections_give_way(small, good, descriptors, count, beginning):
    if count > descriptors - 500:
        pytest.skip(f"only {descriptors} descriptors are allowed here")
    watch, held = Watch(small), []
    try:
        while len(held) < count:
            some = connections(small, 1000)
            held += some
            for connection in some:
                try:
                    connection.sendall(beginning)
                except OSError:
                    pass  # It gave way already.
            assert_serves(small, good)
            watch.assert_bounded(SLOTS + 8, 64 << 20)
    finally:
        close(held)


def test_idle_connections_of_the_usual_number(start):
    """With as many slots as there are by default: the last thousand stays, everything else gives way."""
    server = start()
    watch, token = Watch(server), server.token()
    held = connections(server, 3000)
    try:
        assert_serves(server, token)
        watch.assert_bounded(1024 + 8, 128 << 20)
    finally:
        close(held)


def test_heads_and_bodies_that_trickle(small, good):
    """Each sends a byte now and then, all of them at once and for some seconds."""
    head = f"POST /api/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {good}\r\n".encode()
    bodies = head + b"Content-Length: 100000\r\n\r\n"
    watch, held = Watch(small), []
    try:
        held = [small.connect() for _ in range(SLOTS * 2)]
        # Half of the slots have a request that runs: they are honest until proven slow.
        for number, connection in enumerate(held):
            connection.sendall(bodies if number < SLOTS // 2 else head)
        for _ in range(20):
            for connection in held:
                try:
                    connection.sendall(b"x")
                except OSError:
                    pass
            assert small.status("/healthz") == 200
        assert_serves(small, good)
        watch.assert_bounded(SLOTS + 8, 64 << 20)
    finally:
        close(held)
    wait_for(lambda: watch.now()[0] <= watch.descriptors + 8, "the slots to be free again")


def test_floods_of_headers(small, good):
    watch = Watch(small)
    for _ in range(50):
        for flood in (
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100_000,
            b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000,
            b"GET /" + b"y" * 1_000_000,
            b"\r\n" * 500_000,
        ):
            with small.connect() as connection:
                try:
                    connection.sendall(flood)
                    connection.recv(1000)
                except OSError:
                    pass
    assert_serves(small, good)
    watch.assert_bounded(16, 64 << 20)


def test_clients_that_leave_at_once(small, good):
    watch = Watch(small)
    request = f"POST /api/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {good}\r\nContent-Length: 100\r\n\r\nabc"
    before = small.stored()
    for number in range(2000):
        connection = small.connect()
        connection.sendall(request.encode()[: number % len(request)])
        if number % 2:  # A reset instead of an orderly end.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    assert_serves(small, good)
    wait_for(lambda: watch.now()[0] <= watch.descriptors + 8, "the slots to be free again")
    watch.assert_bounded(8, 64 << 20)
    assert small.stored() == before


# -- HTTP/2, frame by frame (RFC 9113, section 4.1) -----------------------------------------------

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header without compression and without a place in the table (RFC 7541, section 6.2.2)."""
    assert len(name) < 127 and len(value) < 127
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def get(path):
    return (literal(b":method", b"GET") + literal(b":scheme", b"http")
            + literal(b":path", path) + literal(b":authority", b"a"))


OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0)


class Http2:
    """A connection of HTTP/2 that reads what it gets, until the server has had enough."""

    def __init__(self, server, opening=OPENING):
        self.connection = server.connect(timeout=60)
        self.received = bytearray()
        self.ended = threading.Event()
        self.connection.sendall(opening)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while more := self.connection.recv(65_536):
                self.received += more
        except OSError:
            pass
        self.ended.set()

    def flood(self, data, times):
        """Whether the server stood all of it."""
        for _ in range(times):
            if self.ended.is_set():
                return False
            try:
                self.connection.sendall(data)
            except OSError:
                return False
        return True

    def kinds(self):
        """The frames that came, by kind."""
        at, kinds = 0, []
        while at + 9 <= len(self.received):
            kinds.append(self.received[at + 3])
            at += 9 + int.from_bytes(self.received[at:at + 3])
        return kinds

    def close(self):
        self.connection.close()


def streams(first, count):
    return range(first, first + 2 * count, 2)


def rapid_resets():
    for stream in streams(1, 100_000):
        yield frame(HEADERS, END_STREAM | END_HEADERS, stream, get(b"/healthz")) + frame(
            RST_STREAM, 0, stream, b"\0\0\0\x08")


def continuations():
    yield frame(HEADERS, END_STREAM, 1, get(b"/healthz"))
    for _ in range(100_000):
        yield frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100) * 10)


def empty_continuations():
    yield frame(HEADERS, END_STREAM, 1, get(b"/healthz"))
    for _ in range(1_000_000):
        yield frame(CONTINUATION, 0, 1)


def made_to_reset():
    """The server is made to reset the streams, by updates of their windows that make no sense."""
    for stream in streams(1, 100_000):
        yield frame(HEADERS, END_HEADERS, stream, get(b"/healthz")) + frame(WINDOW_UPDATE, 0, stream, b"\0\0\0\0")


def too_many_streams():
    for stream in streams(1, 100_000):
        yield frame(HEADERS, END_HEADERS, stream, get(b"/api/files/x"))


@pytest.mark.parametrize("flood", [rapid_resets, continuations, empty_continuations, made_to_reset, too_many_streams])
def test_floods_of_http_2_are_cut_off(small, good, flood):
    watch = Watch(small)
    client = Http2(small)
    batch, stood = bytearray(), True
    for data in flood():
        batch += data
        if len(batch) > 50_000:
            stood = client.flood(batch, 1)
            batch.clear()
            if not stood:
                break
    assert client.ended.wait(30) or not stood, f"the server stood all of it: {client.kinds()[:10]}"
    watch.assert_bounded(8, 64 << 20)
    assert_serves(small, good)
    client.close()


@pytest.mark.parametrize(
    "data",
    [
        frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0), frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0" * 100),
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"), frame(0xFA, 0, 0, b"x" * 100), frame(PING, ACK, 0, b"12345678"),
    ],
    ids=["ping", "settings", "large settings", "window", "unknown", "answers to pings"],
)
def test_frames_without_a_request_cost_little(small, good, data):
    """They are stood as long as they are read, or cut off; neither takes memory."""
    watch = Watch(small)
    client = Http2(small)
    client.flood(data * (50_000 // len(data)), 200)
    watch.assert_bounded(8, 64 << 20)
    assert_serves(small, good)
    client.close()


def test_pings_whose_answers_nobody_reads(small, good):
    watch = Watch(small)
    with small.connect() as connection:
        connection.sendall(OPENING)
        connection.settimeout(3)
        try:
            for _ in range(2000):
                connection.sendall(frame(PING, 0, 0, b"12345678") * 1000)
        except OSError:
            pass  # It is not read any more: nobody takes what is written.
        watch.assert_bounded(8, 64 << 20)
        assert_serves(small, good)


def test_answers_that_wait_for_a_window_are_bounded(small, good):
    """A hundred downloads on each connection, and not a byte of them is taken."""
    made = requests.post(f"{small.url}/api/files", data=b"x" * 4_000_000, headers=bearer(good)).json()
    path = f"/api/files/{made['id']}?alt=media".encode()
    token = b"\0\x0dauthorization" + length(len(good) + 7) + b"Bearer " + good.encode()
    no_window = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\0")
    watch, clients = Watch(small), []
    try:
        for _ in range(20):
            clients.append(Http2(small, no_window))
            for stream in streams(1, 100):
                clients[-1].flood(frame(HEADERS, END_STREAM | END_HEADERS, stream, get(path) + token), 1)
        for client in clients:
            wait_for(lambda: client.kinds().count(HEADERS) == 100, "the heads of the answers")
            assert DATA not in client.kinds()
        watch.assert_bounded(30 + 100 * 20, 700 << 20)
        assert_serves(small, good)
    finally:
        for client in clients:
            client.close()
    gone = requests.delete(f"{small.url}/api/files/{made['id']}", headers=bearer(good))
    assert gone.status_code == 204


def length(size):
    """A length of HPACK (RFC 7541, section 5.1), with a prefix of seven bits."""
    if size < 127:
        return bytes([size])
    size, text = size - 127, b"\x7f"
    while size >= 128:
        text, size = text + bytes([size % 128 + 128]), size // 128
    return text + bytes([size])


def test_an_honest_request_of_http_2(small):
    """That the frames above are what they are meant to be."""
    client = Http2(small)
    client.flood(frame(HEADERS, END_STREAM | END_HEADERS, 1, get(b"/healthz")), 1)
    wait_for(lambda: b"ok\n" in client.received, "the answer")
    client.close()


def test_a_refusal_reaches_a_client_that_goes_on_sending(small, good):
    """A proxy in front of it might add to what is asked here, so that it is done by hand."""
    with small.connect() as connection:
        connection.sendall(
            f"POST /api/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {good}\r\n"
            "Content-Length: 999999999999\r\n\r\n".encode())
        try:
            for _ in range(50):
                connection.sendall(b"x" * 10_000)
        except OSError:
            pass
        assert parse_answer(connection.recv(65_536)).status == 413
