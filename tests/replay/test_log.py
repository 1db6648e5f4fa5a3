"""What the server writes down at its most talkative, while clients of all dialects send it secrets and control
characters: none of them is in the log, and no secret comes back in an answer."""

import json
import re
import socket
from urllib.parse import quote

import pytest

from harness import Server, curl, parse_answer, wait_for

# Colours, a bell, a line of the log's own look, a title for the terminal, a change of direction.
ODD = [
    "\x1b[31mred\x1b[0m", "a\x07b", "a\r\n2026-01-01T00:00:00Z ERROR forged", "a\nb", "\x1b]0;title\x07",
    "a\0b", "\x7f", "\x9b31m", "\u202egpj.exe", "\u2028", "a\tb",
]
# What may stand in a header as it is: the other control characters end a request.
ODD_IN_HEADERS = [b"a\tb", b"\xc2\x9b31m", b"\x9b31m", "\u202egpj.exe".encode()]

FORM = b"Content-Type: multipart/form-data; boundary=b\r\n"
JSON = b"Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def talkative(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("log") / "data", env={"FILESTORE_LOG": "trace"})
    yield running
    running.stop()


class Conversation:
    """Calls a server, and keeps what it said and which secrets it was told."""

    def __init__(self, server):
        self.server, self.heard = server, []
        self.token = server.token()
        self.secrets = {(server.data / "jwt-secret").read_text().strip()}
        self.keep(self.token)

    def keep(self, token):
        self.secrets |= {token, *(part for part in token.split(".") if len(part) > 16)}

    def raw(self, data, says=()):
        """All that is answered to these bytes; but for what the answer is for, it must tell no secret."""
        with self.server.connect() as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It hung up while we spoke.
            received = b""
            try:
                while more := connection.recv(65_536):
                    received += more
            except OSError:
                pass
        if not says:
            self.heard.append(received)
        return received

    def ask(self, method, target, *headers, body=b"", token=None, **options):
        fields = [b"Host: localhost", b"Connection: close", b"Content-Length: %d" % len(body)]
        if token is not None:
            fields.append(b"Authorization: Bearer " + token.encode("latin-1"))
        head = b"%s %s HTTP/1.1\r\n" % (method.encode(), target.encode()) + b"\r\n".join(fields) + b"\r\n"
        return self.raw(head + b"".join(headers) + b"\r\n" + body, **options)


def form(field, name, content=b"content"):
    name = name.replace("\r", "%0D").replace("\n", "%0A")
    head = f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
    # As they are, too: the parser of forms has to see them.
    return b"--b\r\n" + head.encode() + b"\r\n" + content + b"\r\n--b--\r\n"


def talk(at):
    """Requests of all dialects with odd text wherever a client may put text."""
    for text in ODD:
        within, body = quote(text, safe=""), json.dumps
        for token in (at.token, "garbage-token-of-a-client-" + within):
            at.keep(token)
            for path in ("/jea_web/api/download/", "/jea_web/api/", "/api/files/", "/rest/files?fileRef=",
                         "/rest/entities/", "/rest/files?name=", "/files/", "/files?name=", "/api/v1/projects/",
                         "/api/v1/uploads/", "/api/v1/models/C_Order/1/attachments/", "/"):
                at.ask("GET", path + within, token=token)
            at.ask("DELETE", f"/api/files/{within}", token=token)
            at.ask("POST", f"/rest/files?name={within}", body=b"content", token=token)
            for path in ("/jea_web/api/upload", "/rest/files"):
                at.ask("POST", path, FORM, body=form("file", text), token=token)
                at.ask("POST", path, FORM, body=form(text, "a"), token=token)
            for path, content in [
                ("/files", {"name": text, "source": text}),
                ("/files", {"name": "a", text: text}),
                ("/files", {"name": "a", "metadata": {text: text}}),
                ("/files/list", {"filter": {"name": text}, "cursor": text}),
                ("/files/byids", {"items": [{"externalId": text}]}),
                ("/files/search", {"search": {"name": text}}),
                ("/api/v1/uploads", {"fileName": text, "sha256": text}),
                ("/rest/entities/" + within, {"name": text}),
            ]:
                answer = at.ask("POST", path, JSON, body=body(content).encode(), token=token, says=("uploadUrl",))
                for signed in re.findall(rb'(?:X-ID-CREDENTIAL|X-ID-SIGNATURE)=([\w-]+)', answer):
                    at.secrets.add(signed.decode())
        at.raw(f"GET /{text} HTTP/1.1\r\nHost: {text}\r\n\r\n".encode())
        at.raw(f"{text} / HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    for text in ODD_IN_HEADERS:
        for name in (b"x-molgenis-filename", b"x-molgenis-token", b"Authorization", b"Content-Type", b"Cookie", b"Host",
                     b"Origin", b"Range", b"If-Match", b"If-Modified-Since", b"X-Forwarded-Host", b"Content-Digest",
                     b"Expect", b"X-Total-Chunks", b"User-Agent", b"X-Request-Id"):
            for path in ("/api/files", "/jea_web/api/upload", "/rest/files", "/files", "/api/v1/uploads"):
                at.ask("POST", path, name + b": " + text + b"\r\n", body=b"content", token=at.token)
    at.secrets |= {"session-of-a-client", "cGFzc3dvcmQtb2YtYS1jbGllbnQ="}
    for path in ("/jea_web/api/upload", "/api/files", "/rest/files", "/files", "/api/v1/uploads"):
        at.ask("POST", path, b"Cookie: session_token=session-of-a-client; JSESSIONID=session-of-a-client\r\n", body=b"c")
        at.ask("POST", path, b"Authorization: Basic cGFzc3dvcmQtb2YtYS1jbGllbnQ=\r\n", body=b"c")
        at.ask("POST", path, b"x-molgenis-token: session-of-a-client\r\n", body=b"c")


def use_signed_urls(at):
    """Good and bad signatures, and ones that miss their file."""
    made = at.ask("POST", "/files", JSON, body=b'{"name": "a"}', token=at.token, says=("uploadUrl",))
    url = parse_answer(made).json()["uploadUrl"]
    target = re.sub(r"^http://[^/]+", "", url)
    query = target.split("?")[1]
    at.secrets |= {value for name, value in (pair.split("=") for pair in query.split("&")) if len(value) > 25}
    assert len(at.secrets) > 5
    for changed in (target, target[:-1] + "x", target.replace("/content", "/contents"), "/api/v1/uploads?" + query):
        at.ask("PUT", changed, body=b"content")
        at.ask("GET", changed)


def lose_a_blob(at):
    """A defect on this side of the wire, which is logged with its cause."""
    before = set(at.server.blobs())
    made = parse_answer(at.ask("POST", "/api/files", body=b"x" * 100_000, token=at.token)).json()
    for blob in set(at.server.blobs()) - before:
        blob.unlink()
    answer = parse_answer(at.ask("GET", f"/api/files/{made['id']}?alt=media", token=at.token))
    assert answer.status >= 500
    return made["id"]


def test_nothing_secret_and_no_control_character_is_logged(talkative):
    at = Conversation(talkative)
    talk(at)
    use_signed_urls(at)
    lose_a_blob(at)
    # HTTP/2 has a library of its own, which talks about its frames.
    curl("--http2-prior-knowledge", "-H", f"Authorization: Bearer {at.token}", f"{talkative.url}/api/files/x")
    last = f"/api/files/{'z' * 26}"
    at.ask("GET", last, token=at.token)
    log = wait_for(lambda: (text := talkative.errors.read_bytes()) and last.encode() in text and text, "the log's end")

    # It is the log of all that.
    for part in (b"/jea_web/api", b"/api/files", b"/rest/files", b"/files/", b"/api/v1/uploads", b"ERROR", b"TRACE"):
        assert part in log
    told = [secret for secret in at.secrets if secret.encode("latin-1") in log]
    assert not told, told
    odd = {line for line in log.decode().splitlines() if re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", line)}
    assert not odd, list(odd)[:3]
    # A line that a client wrote does not begin one of the log's.
    assert not re.search(rb"^2026-01-01T00:00:00Z", log, re.M)
    for answer in at.heard:
        told = [secret for secret in at.secrets if secret.encode("latin-1") in answer]
        assert not told, (told, answer)
        head = answer.split(b"\r\n\r\n")[0]
        assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", head), head
