"""Bodies as real programs make them, and files under each of their names."""

import base64
import datetime
import json
import os
import subprocess
import uuid
from pathlib import Path
from urllib.parse import quote_plus

import pytest
import requests
import urllib3

from harness import CLEAN_ENVIRONMENT, bearer, curl, sha256, tool

CLIENTS = Path(__file__).parent / "clients"
KIB = 1024
# Around what is stored inline, one frame, one batch of writes, and several of them.
SIZES = [0, 1, 16 * KIB - 1, 16 * KIB, 16 * KIB + 1, 256 * KIB + 1, 9_000_001]
NAMES = [
    "plain.txt",
    "two words.txt",
    "naïve café.txt",
    "猫の写真.jpg",
    "🐈.png",
    'double"quote.txt',
    "percent%20sign.txt",
    "semi;colon=equals.txt",
    "back\\slash.txt",
    "../../etc/passwd",
    "plus+and&.txt",
]


def assert_stored(server, token, answer, name, content):
    info = answer.json()
    assert info["name"] == name
    assert info["size"] == len(content)
    url = f"{server.url}/rest/files?fileRef={quote_plus(info['fileRef'])}"
    stored = requests.get(url, headers=bearer(token))
    assert stored.status_code == 200
    assert sha256(stored.content) == sha256(content)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_requests(server, token, api, name):
    answer = api.post(f"{server.url}/rest/files", files={"file": (name, b"content")})
    assert answer.status_code == 201, answer.text
    assert_stored(server, token, answer, name, b"content")


@pytest.mark.parametrize("name", NAMES)
def test_names_of_curl(server, token, tmp_path, name):
    (tmp_path / "source").write_bytes(b"content")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    answer = curl(
        "-H", f"Authorization: Bearer {token}",
        "-F", f'file=@source;filename="{escaped}"', f"{server.url}/rest/files",
        cwd=tmp_path,
    )
    assert answer.status == 201, answer.body
    assert_stored(server, token, answer, name, b"content")


@pytest.mark.parametrize("name", NAMES)
def test_names_in_the_parameter(server, token, api, name):
    answer = api.post(f"{server.url}/rest/files", params={"name": name}, data=b"content")
    assert answer.status_code == 201, answer.text
    assert_stored(server, token, answer, name, b"content")


# Older ones of urllib3, and thereby of Requests, send RFC 2231's form for such names.
def test_name_in_the_extended_form(server, token):
    body = (
        b"--b\r\nContent-Disposition: form-data; name=\"file\"; "
        b"filename*=utf-8''na%C3%AFve.txt\r\n\r\ncontent\r\n--b--\r\n"
    )
    answer = requests.post(
        f"{server.url}/rest/files", data=body,
        headers=bearer(token) | {"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.status_code == 201
    assert_stored(server, token, answer, "naïve.txt", b"content")


@pytest.mark.parametrize("size", SIZES)
def test_sizes_of_requests(server, token, api, size):
    content = os.urandom(size)
    whole = api.post(f"{server.url}/rest/files", files={"file": ("a.bin", content)})
    assert_stored(server, token, whole, "a.bin", content)
    frames = (content[at : at + 7919] for at in range(0, size, 7919))
    chunked = api.post(f"{server.url}/rest/files?name=a.bin", data=frames)
    assert_stored(server, token, chunked, "a.bin", content)


@pytest.mark.parametrize("size", SIZES)
def test_urllib3_form_with_further_fields(server, token, size):
    content = os.urandom(size)
    fields = [
        ("comment", "before the file"),
        ("file", ("a.bin", content, "application/x-thing")),
        ("after", "\r\n--not-the-boundary\r\n"),
    ]
    with urllib3.PoolManager() as pool:
        answer = pool.request(
            "POST", f"{server.url}/rest/files", fields=fields, headers=bearer(token)
        )
    assert answer.status == 201, answer.data
    assert_stored(server, token, answer, "a.bin", content)


@pytest.mark.parametrize("http", ["--http1.1", "--http1.0", "--http2-prior-knowledge"])
@pytest.mark.parametrize("size", SIZES)
def test_ways_of_curl(server, token, tmp_path, size, http):
    if http == "--http2-prior-knowledge" and "HTTP2" not in curl_features():
        pytest.skip("this curl speaks no HTTP/2")
    content = os.urandom(size)
    source = tmp_path / "a.bin"
    source.write_bytes(content)
    ways = [
        ["-F", f"file=@{source}"],
        ["-H", "Content-Type: image/png", "--data-binary", f"@{source}"],
        ["-X", "POST", "-T", source],
        ["-X", "POST", "-H", "Expect: 100-continue", "-T", source],
    ]
    if http != "--http1.0":
        ways.append(["-X", "POST", "-T", "-"])
    # Of an empty file, curl 7.88 forgets to send the chunk that ends it.
    if http != "--http1.0" and size > 0:
        ways.append(["-X", "POST", "-H", "Transfer-Encoding: chunked", "-T", source])
    for way in ways:
        answer = curl(
            http, "-H", f"Authorization: Bearer {token}", *way,
            f"{server.url}/rest/files?name=a.bin", stdin=content,
        )
        assert answer.status == 201, (way, answer.body)
        assert_stored(server, token, answer, "a.bin", content)


def curl_features():
    done = subprocess.run(["curl", "-q", "--version"], capture_output=True, text=True)
    return done.stdout


def test_compressed_answers_are_not_asked_for_in_vain(server, token, api):
    answer = api.post(f"{server.url}/rest/files?name=a.txt", data=b"a" * 100_000)
    url = f"{server.url}/rest/files?fileRef={quote_plus(answer.json()['fileRef'])}"
    got = curl("--compressed", "-H", f"Authorization: Bearer {token}", url)
    assert got.body == b"a" * 100_000


def test_node(server, token):
    if tool("node") is None:
        pytest.skip("node is not installed")
    done = subprocess.run(
        ["node", CLIENTS / "upload.mjs", server.url, token],
        env=CLEAN_ENVIRONMENT, capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"jea": True, "molgenis": True, "jmix": True, "stream": True}


# One file, five names: each dialect reads what any of them stored, and a deletion is one in all.
@pytest.mark.parametrize("origin", ["jea", "molgenis", "jmix", "idempiere", "cdf"])
@pytest.mark.parametrize("deletes", ["jea", "molgenis", "idempiere", "cdf"])
def test_one_file_under_each_dialects_name(server, token, api, origin, deletes):
    content = os.urandom(50_000)
    match origin:
        case "jea":
            made = api.post(f"{server.url}/jea_web/api/upload", files={"file": ("a.jpg", content)})
            raw = bytes.fromhex(made.json()["fileHandle"])
        case "molgenis":
            made = api.post(
                f"{server.url}/api/files", data=content, headers={"x-molgenis-filename": "a.jpg"}
            )
            raw = base64.b32decode(made.json()["id"].upper() + "======")
        case "jmix":
            made = api.post(f"{server.url}/rest/files?name=a.jpg", data=content)
            raw = uuid.UUID(made.json()["fileRef"].split("/")[5][:36]).bytes
        case "idempiere":
            body = {"fileName": "a.jpg", "sha256": sha256(content)}
            made = api.post(f"{server.url}/api/v1/uploads", json=body).json()
            raw = uuid.UUID(made["uploadId"]).bytes
            for order, piece in [(2, content[20_000:]), (1, content[:20_000])]:
                url = f"{server.url}/api/v1/uploads/{made['uploadId']}/chunks/{order}"
                assert api.put(url, data=piece, headers={"X-Total-Chunks": "2"}).status_code == 200
        case "cdf":
            made = api.post(f"{server.url}/files", json={"name": "a.jpg"}).json()
            assert requests.put(made["uploadUrl"], data=content).status_code == 200
            raw = server.look_up("SELECT id FROM file WHERE number = ?", made["id"])
    name = raw.hex() if origin == "jea" else "a.jpg"
    base32 = base64.b32encode(raw).decode().rstrip("=").lower()
    day = uuid_day(raw)
    extension = "" if origin == "jea" else ".jpg"
    reference = f"fs://{day}/{uuid.UUID(bytes=raw)}{extension}?name={name}"
    number = server.look_up("SELECT number FROM file WHERE id = ?", raw)

    meta = api.get(f"{server.url}/api/files/{base32}").json()
    assert (meta["filename"], meta["size"]) == (name, len(content))
    file = api.get(f"{server.url}/files/{number}").json()
    assert (file["name"], file["uploaded"]) == (name, True)
    upload = api.get(f"{server.url}/api/v1/uploads/{uuid.UUID(bytes=raw)}").json()
    assert (upload["fileName"], upload["status"]) == (name, "COMPLETED")
    urls = [
        f"{server.url}/jea_web/api/download/{raw.hex()}",
        f"{server.url}/jea_web/api/view/{raw.hex()}",
        f"{server.url}/api/files/{base32}?alt=media",
        f"{server.url}/rest/files?fileRef={quote_plus(reference)}",
        f"{server.url}/api/v1/uploads/{uuid.UUID(bytes=raw)}/file",
        f"{server.url}/files/{number}/content",
    ]
    tags = set()
    for url in urls:
        answer = api.get(url)
        assert answer.status_code == 200, (url, answer.text)
        assert answer.content == content
        digest = base64.b64encode(bytes.fromhex(sha256(content))).decode()
        assert answer.headers["Repr-Digest"] == f"sha-256=:{digest}:"
        tags.add(answer.headers["ETag"])
    assert len(tags) == 1

    match deletes:
        case "jea":
            gone = api.delete(f"{server.url}/jea_web/api/files/{raw.hex()}")
        case "molgenis":
            gone = api.delete(f"{server.url}/api/files/{base32}")
        case "idempiere":
            gone = api.delete(f"{server.url}/api/v1/uploads/{uuid.UUID(bytes=raw)}")
        case "cdf":
            gone = api.post(f"{server.url}/files/delete", json={"items": [{"id": number}]})
    assert gone.ok, gone.text
    for url in urls:
        assert api.get(url).status_code == (400 if "/content" in url else 404), url


def uuid_day(raw):
    """The day in which a UUID of version 7 was made, as references write it."""
    moment = datetime.datetime.fromtimestamp(int.from_bytes(raw[:6]) / 1000, datetime.UTC)
    return moment.strftime("%Y/%m/%d")
