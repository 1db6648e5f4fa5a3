"""Bytes that no proper client sends. The server answers or hangs up, lives, and stores nothing."""

import socket

import pytest
import requests

from harness import Server, bearer, parse_answer

HOST = "Host: localhost"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server whose files are this module's alone."""
    running = Server(tmp_path_factory.mktemp("bad") / "data")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def good(own):
    return own.token()


@pytest.fixture(autouse=True)
def unharmed(own, good):
    before = own.stored()
    yield
    assert own.status("/readyz") == 200
    assert own.stored() == before
    made = requests.post(f"{own.url}/api/files", data=b"fine", headers=bearer(good))
    assert made.status_code == 201
    assert requests.delete(
        f"{own.url}/api/files/{made.json()['id']}", headers=bearer(good)
    ).status_code == 204


def talk(server, data, end=True):
    """All that is answered to raw bytes. `end` closes our side behind them."""
    with server.connect(timeout=45) as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It hung up while we spoke.
        received = b""
        try:
            while more := connection.recv(65_536):
                received += more
        except ConnectionResetError:
            pass
        return received


def request(line, *headers, body=b""):
    return "\r\n".join([line, *headers, "", ""]).encode("latin-1") + body


def post(token, *headers, body=b"", path="/api/files"):
    return request(
        f"POST {path} HTTP/1.1", HOST, f"Authorization: Bearer {token}", "Connection: close",
        *headers, body=body,
    )


def assert_refused(raw):
    """A hang-up, or an answer that blames the client."""
    if raw:
        assert_blamed(raw)


def assert_blamed(raw):
    assert 400 <= parse_answer(raw).status < 500, raw


def form(*parts, end=b"--b--\r\n"):
    return b"".join(b"--b\r\n" + head + b"\r\n\r\n" + body + b"\r\n" for head, body in parts) + end


FILE = b'Content-Disposition: form-data; name="file"; filename="a.txt"'
FORM = "Content-Type: multipart/form-data; boundary=b"


@pytest.mark.parametrize("path", ["/api/files", "/rest/files?name=a", "/jea_web/api/upload"])
@pytest.mark.parametrize("sent", [0, 1, 5_000, 99_999])
def test_less_than_declared(own, good, path, sent):
    stream = "Content-Type: application/octet-stream"
    assert_refused(
        talk(own, post(good, stream, "Content-Length: 100000", body=b"x" * sent, path=path))
    )


@pytest.mark.parametrize("path", ["/api/files", "/rest/files?name=a"])
def test_chunks_without_an_end(own, good, path):
    chunked = "Transfer-Encoding: chunked"
    for body in [b"", b"5\r\nhello\r\n", b"5\r\nhel", b"5\r\nhello\r\nzz\r\n", b"-1\r\n\r\n",
                 b"ffffffffffffffffff\r\nx\r\n"]:
        assert_refused(talk(own, post(good, chunked, body=body, path=path)))


def test_more_than_declared_is_no_part_of_the_file(own, good):
    raw = talk(own, post(good, "Content-Length: 3", body=b"abcdef"), end=False)
    made = parse_answer(raw)
    assert made.status == 201
    assert made.json()["size"] == 3
    at = f"{own.url}/api/files/{made.json()['id']}"
    assert requests.get(f"{at}?alt=media", headers=bearer(good)).content == b"abc"
    assert requests.delete(at, headers=bearer(good)).status_code == 204


@pytest.mark.parametrize("path", ["/api/files", "/rest/files?name=a", "/jea_web/api/upload"])
@pytest.mark.parametrize(
    "length", [str(1 << 40), str((1 << 63) - 1), str((1 << 64) - 1), "9" * 30]
)
def test_huge_declared_length(own, good, path, length):
    stream = "Content-Type: application/octet-stream"
    with own.connect() as connection:
        connection.sendall(post(good, stream, f"Content-Length: {length}", path=path))
        # Not a byte of the body is waited for; hyper itself refuses what fits no number.
        connection.settimeout(10)
        assert parse_answer(connection.recv(65_536)).status in (400, 413, 431)


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: 1", "Content-Length: 2"],
        ["Content-Length: 1, 2"],
        ["Content-Length: -1"],
        ["Content-Length: +1"],
        ["Content-Length: one"],
        ["Content-Length:"],
        ["Content-Length: 1", "Transfer-Encoding: chunked", "Transfer-Encoding: identity"],
        ["Transfer-Encoding: gzip"],
        ["Content Length: 1"],
        ["x-molgenis-filename: a\rb", "Content-Length: 1"],
        ["x-molgenis-filename: a\0b", "Content-Length: 1"],
        ["x-molgenis-filename: a\x7fb", "Content-Length: 1"],
        ["x-molgenis-filename: " + "n" * 10_000, "Content-Length: 1"],
        ["x-molgenis-filename: " + "n" * 1_000_000, "Content-Length: 1"],
        [f"x-filler-{number}: x" for number in range(5_000)],
    ],
    ids=lambda headers: headers[0][:40],
)
def test_bad_headers(own, good, headers):
    assert_refused(talk(own, post(good, *headers, body=b"x"), end=False))


def test_duplicate_credentials(own, good):
    for headers in [
        [f"Authorization: Bearer {good}", f"Authorization: Bearer {good}"],
        [f"x-molgenis-token: {good}", "x-molgenis-token: other"],
    ]:
        raw = request(
            "POST /api/files HTTP/1.1", HOST, "Connection: close", "Content-Length: 1", *headers,
            body=b"x",
        )
        assert parse_answer(talk(own, raw, end=False)).status in (400, 401)


@pytest.mark.parametrize(
    "raw",
    [
        b"\0\0\0\0\0\0\0\0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELO there\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"G\xc3\x84T / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/files/%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/files/%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/files/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\r\n" * 1000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 100,
        b"x" * 1_000_000,
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_garbage(own, raw):
    answer = talk(own, raw)
    if answer.startswith(b"HTTP/1"):
        assert 400 <= parse_answer(answer).status < 506


@pytest.mark.parametrize("path", ["/rest/files", "/jea_web/api/upload"])
@pytest.mark.parametrize(
    "body, header",
    [
        (b"", FORM),
        (b"--b", FORM),
        (b"--b--\r\n", FORM),
        (form((FILE, b"content"), end=b""), FORM),
        (form((FILE, b"content"), end=b"--b"), FORM),
        (form((FILE, b"content")), "Content-Type: multipart/form-data; boundary=other"),
        (form((FILE, b"content")), "Content-Type: multipart/form-data"),
        (form((FILE, b"content")), "Content-Type: multipart/form-data; boundary=" + "b" * 100),
        (form((b'Content-Disposition: form-data; name="photo"', b"content")), FORM),
        (form((b"X: y", b"content")), FORM),
        (form((FILE, b"one"), (FILE, b"two")), FORM),
        (form((FILE + b"\r\nX: " + b"y" * 100_000, b"content")), FORM),
        (form(*[(b'Content-Disposition: form-data; name="a"', b"b")] * 5_000, (FILE, b"c")), FORM),
        (b"--b\r\n" + FILE + b"\r\n\r\n" + b"x" * 300_000, FORM),
    ],
    ids=range(14),
)
def test_bad_forms(own, good, path, body, header):
    raw = post(good, header, f"Content-Length: {len(body)}", body=body, path=path)
    assert_blamed(talk(own, raw, end=False))


def test_form_cut_anywhere(own, good):
    body = form((FILE, b"content of the file"))
    # What follows the dashes that end the last boundary is of no importance (RFC 2046, 5.1.1).
    for end in range(len(body) - 2):
        for path in ["/rest/files", "/jea_web/api/upload"]:
            head = post(good, FORM, f"Content-Length: {end}", path=path)
            assert_blamed(talk(own, head + body[:end], end=False))


def test_unauthenticated_bodies_are_not_waited_for(own):
    raw = talk(
        own,
        request(
            "POST /api/files HTTP/1.1", HOST, "Content-Length: 1000000000", "Expect: 100-continue"
        ),
        end=False,
    )
    assert parse_answer(raw).status == 401
    assert not raw.startswith(b"HTTP/1.1 100 ")


def test_many_bad_connections_at_once(own, good):
    held = [own.connect() for _ in range(200)]
    try:
        for number, connection in enumerate(held):
            connection.sendall(post(good, "Content-Length: 100000")[: 20 + number])
        assert own.status("/healthz") == 200
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd", "a/b/c", ".", "..", "~root", "con"]
)
def test_names_are_data_and_never_paths(own, good, name):
    made = requests.post(
        f"{own.url}/api/files", data=b"x" * 100_000,
        headers=bearer(good) | {"x-molgenis-filename": name},
    )
    assert made.status_code == 201
    at = f"{own.url}/api/files/{made.json()['id']}"
    assert requests.get(at, headers=bearer(good)).json()["filename"] == name
    top = {"blobs", "jwt-secret", "lock"}
    top |= {f"metadata.sqlite{part}" for part in ("", "-shm", "-wal", "-reserve")}
    assert {path.name for path in own.data.iterdir()} == top
    assert all(len(path.name) == 32 for path in own.blobs())
    assert requests.delete(at, headers=bearer(good)).status_code == 204
