"""The page "Upload a File to JEA", line by line."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import time
import zipfile

import pytest
import requests

from harness import CLEAN_ENVIRONMENT, bearer, curl, parse_answer, path_of

HANDLE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def cookies(server, token, tmp_path):
    """The cookie file that the log-on leaves for `curl -b cookies`."""
    line = "\t".join([server.host, "FALSE", "/", "FALSE", "0", "session_token", token])
    (tmp_path / "cookies").write_text(f"# Netscape HTTP Cookie File\n{line}\n")
    return tmp_path


def assert_upload_info(server, info):
    assert list(info) == ["ok", "status", "fileHandle", "callback"]
    assert info["ok"] is True
    assert info["status"] == "File upload accepted"
    assert HANDLE.fullmatch(info["fileHandle"])
    assert info["callback"] == f"{server.url}/jea_web/api/view/{info['fileHandle']}"


def download(server, token, handle):
    return requests.get(f"{server.url}/jea_web/api/download/{handle}", headers=bearer(token))


# "curl -b cookies  -F "file=@dn.png" https://api.ensims.com/jea_web/api/upload"
def test_curl_example(server, token, cookies, png):
    line = f'curl -s -i -b cookies  -F "file=@dn.png" {server.url}/jea_web/api/upload'
    done = subprocess.run(
        ["bash", "-c", line], cwd=cookies, env=CLEAN_ENVIRONMENT, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    answer = parse_answer(done.stdout)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert_upload_info(server, answer.json())
    stored = download(server, token, answer.json()["fileHandle"])
    assert stored.content == png.read_bytes()


def test_cookie_file_in_the_form_of_a_header(server, token, tmp_path, png):
    (tmp_path / "cookies").write_text(f"Set-Cookie: session_token={token}\n")
    url = f"{server.url}/jea_web/api/upload"
    answer = curl("-b", "cookies", "-F", "file=@dn.png", url, cwd=tmp_path)
    assert answer.status == 200
    assert_upload_info(server, answer.json())


# "files = {'file': open('dn.png', 'rb')}" and the line after it
@pytest.mark.parametrize("by", ["cookie", "header", "both"])
def test_requests_example(server, token, png, by):
    headers = {} if by == "cookie" else bearer(token)
    cookies = {} if by == "header" else {"session_token": token}
    url = f"{server.url}/jea_web/api/upload"
    files = {"file": open(png, "rb")}
    r = requests.post(url, headers=headers, files=files, cookies=cookies)
    assert r.status_code == 200
    assert_upload_info(server, r.json())
    assert download(server, token, r.json()["fileHandle"]).content == png.read_bytes()


# "Header: Authorization: "Bearer <existing JWT>", Content-Type: "application/octet-stream""
# beside "Body: File contents as Multi-part Form Data"
def test_header_line_taken_literally(server, token, png):
    headers = bearer(token) | {"Content-Type": "application/octet-stream"}
    with open(png, "rb") as file:
        r = requests.post(
            f"{server.url}/jea_web/api/upload", headers=headers, files={"file": file}
        )
    assert r.status_code == 200
    assert_upload_info(server, r.json())
    assert download(server, token, r.json()["fileHandle"]).content == png.read_bytes()


def test_plain_octet_stream_is_the_file_itself(server, token, png):
    answer = curl(
        "-H", f"Authorization: Bearer {token}",
        "-H", "Content-Type: application/octet-stream",
        "--data-binary", f"@{png}",
        f"{server.url}/jea_web/api/upload",
    )
    assert answer.status == 200
    assert download(server, token, answer.json()["fileHandle"]).content == png.read_bytes()


# "all project files zipped into an archive"
def test_project_archive(server, token, tmp_path):
    archive = tmp_path / "project.zip"
    with zipfile.ZipFile(archive, "w") as out:
        for number in range(50):
            out.writestr(f"case-{number}/in.idf", f"Version,{number};\n" * 2000)
    with open(archive, "rb") as file:
        r = requests.post(
            f"{server.url}/jea_web/api/upload", headers=bearer(token), files={"file": file}
        )
    assert r.status_code == 200
    assert download(server, token, r.json()["fileHandle"]).content == archive.read_bytes()


# "It will not be possible to obtain the original file name from the server"
def test_original_name_never_returns(server, token, tmp_path):
    secret = tmp_path / "quarterly-figures.png"
    secret.write_bytes(b"contents")
    url = f"{server.url}/jea_web/api/upload"
    with open(secret, "rb") as file:
        uploaded = requests.post(url, headers=bearer(token), files={"file": file})
    handle = uploaded.json()["fileHandle"]
    answers = [
        uploaded,
        download(server, token, handle),
        requests.get(uploaded.json()["callback"], headers=bearer(token)),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert "quarterly" not in answer.text + str(answer.headers)
    assert handle in answers[1].headers["Content-Disposition"]
    assert handle in answers[2].headers["Content-Disposition"]
    database = (server.data / "metadata.sqlite").read_bytes()
    database += (server.data / "metadata.sqlite-wal").read_bytes()
    assert b"quarterly" not in database, "the name must not even be kept"


# "stored with an auto-generated file ID": the same content twice is two files
def test_each_upload_has_its_own_handle(server, token, png):
    url = f"{server.url}/jea_web/api/upload"
    handles = set()
    for _ in range(2):
        with open(png, "rb") as file:
            r = requests.post(url, headers=bearer(token), files={"file": file})
        handles.add(r.json()["fileHandle"])
    assert len(handles) == 2


# "Subsequent download operations must reference this ID"
def test_download_view_and_delete_by_handle(server, token, png):
    url = f"{server.url}/jea_web/api"
    with open(png, "rb") as file:
        r = requests.post(f"{url}/upload", headers=bearer(token), files={"file": file})
    handle = r.json()["fileHandle"]
    for by in [{"headers": bearer(token)}, {"cookies": {"session_token": token}}]:
        got = requests.get(f"{url}/download/{handle}", **by)
        assert got.status_code == 200
        assert got.headers["Content-Length"] == str(png.stat().st_size)
        assert got.headers["X-Content-Type-Options"] == "nosniff"
        assert got.content == png.read_bytes()
    part = requests.get(f"{url}/download/{handle}", headers=bearer(token) | {"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    assert requests.delete(f"{url}/files/{handle}", headers=bearer(token)).json() == {
        "ok": True, "status": f"{handle} has been deleted",
    }
    gone = download(server, token, handle)
    assert gone.status_code == 404
    assert gone.json()["ok"] is False


# "or the transaction will be rejected with an HTTP 401 Unauthorized error code"
@pytest.mark.parametrize("kind", ["none", "garbage", "expired", "unsigned", "foreign", "bad cookie"])
def test_401(server, token, png, kind):
    head, claims, _ = token.split(".")
    cookies = {}
    match kind:
        case "none":
            headers = {}
        case "garbage":
            headers = bearer("garbage")
        case "expired":
            headers = bearer(expired(server))
        case "unsigned":
            headers = bearer(f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.")
        case "foreign":
            headers = bearer(f"{head}.{claims}.{'A' * 43}")
        case "bad cookie":
            headers, cookies = {}, {"session_token": f"{head}.{claims}.{'A' * 43}"}
    before = server.stored()
    with open(png, "rb") as file:
        r = requests.post(
            f"{server.url}/jea_web/api/upload",
            headers=headers, cookies=cookies, files={"file": file},
        )
    assert r.status_code == 401
    assert r.json() == {"ok": False, "status": "Unauthorized"}
    assert r.headers["WWW-Authenticate"].startswith("Bearer")
    assert server.stored() == before


def expired(server):
    """A token of this server's secret that ended before the leeway of a minute."""
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    secret = (server.data / "jwt-secret").read_text().strip().encode()
    head = encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = encode(json.dumps({"sub": "me", "exp": int(time.time()) - 120}).encode())
    signature = hmac.digest(secret, head + b"." + claims, hashlib.sha256)
    return b".".join([head, claims, encode(signature)]).decode()


def test_a_bad_header_is_401_beside_a_good_cookie(server, token, png):
    with open(png, "rb") as file:
        r = requests.post(
            f"{server.url}/jea_web/api/upload",
            headers=bearer("garbage"), cookies={"session_token": token}, files={"file": file},
        )
    assert r.status_code == 401


def test_cookie_of_a_foreign_page_writes_nothing(server, token, png):
    before = server.stored()
    with open(png, "rb") as file:
        r = requests.post(
            f"{server.url}/jea_web/api/upload",
            headers={"Origin": "https://elsewhere.example"},
            cookies={"session_token": token}, files={"file": file},
        )
    assert r.status_code == 403
    assert server.stored() == before


def test_refusals(server, token, reader, png):
    url = f"{server.url}/jea_web/api/upload"
    before = server.stored()
    with open(png, "rb") as file:
        other = requests.post(url, headers=bearer(token), files={"other": file})
    with open(png, "rb") as file:
        forbidden = requests.post(url, headers=bearer(reader), files={"file": file})
    two = requests.post(
        url, headers=bearer(token), files=[("file", ("a", b"a")), ("file", ("b", b"b"))]
    )
    text = requests.post(
        url, headers=bearer(token) | {"Content-Type": "text/plain"}, data=b"text"
    )
    assert other.status_code == 400
    assert forbidden.status_code == 403
    assert two.status_code == 400
    assert text.status_code == 415
    for answer in [other, forbidden, two, text]:
        assert answer.json()["ok"] is False
        assert answer.json()["status"]
    assert server.stored() == before


def test_callback_is_built_on_the_public_url(start):
    own = start("--public-url", "https://files.example")
    r = requests.post(
        f"{own.url}/jea_web/api/upload",
        headers=bearer(own.token()), files={"file": ("dn.png", b"x")},
    )
    info = r.json()
    assert info["callback"] == f"https://files.example/jea_web/api/view/{info['fileHandle']}"
    seen = requests.get(own.url + path_of(info["callback"]), headers=bearer(own.token()))
    assert seen.content == b"x"
