"""Fixtures: one server for the tests that only talk to it, and a starter for those that need
their own."""

import os
import sys

import pytest
import requests

from harness import BINARY, CLEAN_ENVIRONMENT, Server, bearer

# The test programs call the loopback only.
os.environ["NO_PROXY"] = CLEAN_ENVIRONMENT["NO_PROXY"]

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c63606060f80f0001040100"
    "5fe5c34b0000000049454e44ae426082"
)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 300 + b"\xff\xd9"


def pytest_sessionstart():
    if not BINARY.exists():
        sys.exit(f"{BINARY} is not there: build it by cargo build --release --example server")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("shared") / "data")
    yield running
    running.stop()


@pytest.fixture
def start(tmp_path):
    """Starts servers on folders below the test's own; those still running end gracefully."""
    running = []

    def start(*flags, name="data", **options):
        running.append(Server(tmp_path / name, *flags, **options))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.stop()


@pytest.fixture(scope="session")
def token(server):
    return server.token()


@pytest.fixture(scope="session")
def reader(server):
    return server.token("reader", "--scope", "files:read")


@pytest.fixture(scope="session")
def writer(server):
    return server.token("writer", "--scope", "files:write")


@pytest.fixture
def api(server, token):
    """A session of Python Requests with the token in its header."""
    with requests.Session() as session:
        session.headers.update(bearer(token))
        yield session


@pytest.fixture
def png(tmp_path):
    """The file that the JEA page uploads."""
    path = tmp_path / "dn.png"
    path.write_bytes(PNG)
    return path


@pytest.fixture
def cat(tmp_path):
    """The file that the Jmix page uploads, of about its size."""
    path = tmp_path / "cat.jpg"
    path.write_bytes(JPEG)
    return path
