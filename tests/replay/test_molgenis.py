"""The page "MOLGENIS Files api", line by line."""

import re
import subprocess

import pytest
import requests

from harness import CLEAN_ENVIRONMENT, bearer, curl, parse_answer

ID = re.compile(r"[a-z2-7]{26}")
PROBLEM = "application/problem+json"


def files(server):
    return f"{server.url}/api/files"


def with_token(token, **headers):
    return {"x-molgenis-token": token} | {k.replace("_", "-"): v for k, v in headers.items()}


def upload(server, token, content=b"content", **headers):
    answer = requests.post(files(server), data=content, headers=with_token(token, **headers))
    assert answer.status_code == 201, answer.text
    return answer


# "curl -H 'Content-Type: application/octet-stream' --data-binary @my.file /api/files",
# authenticated as the header table says: by the token, or by the session cookie if supplied
@pytest.mark.parametrize("by", ["-H 'x-molgenis-token: {}'", "-b JSESSIONID={}"])
def test_curl_example(server, token, tmp_path, by):
    (tmp_path / "my.file").write_bytes(bytes(range(256)) * 10)
    line = "curl -s -i {} -H 'Content-Type: application/octet-stream' --data-binary @my.file {}"
    done = subprocess.run(
        ["bash", "-c", line.format(by.format(token), files(server))],
        cwd=tmp_path, env=CLEAN_ENVIRONMENT, capture_output=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer = parse_answer(done.stdout)
    assert answer.status == 201
    meta = answer.json()
    assert list(meta) == ["id", "filename", "contentType", "size"]
    assert ID.fullmatch(meta["id"])
    assert meta["filename"] == "unknown"
    assert meta["contentType"] == "application/octet-stream"
    assert meta["size"] == 2560
    assert answer.headers["location"] == f"{files(server)}/{meta['id']}?alt=media"
    stored = requests.get(answer.headers["location"], headers=with_token(token))
    assert stored.content == (tmp_path / "my.file").read_bytes()


# The JavaScript example: what a browser's XMLHttpRequest puts on the wire.
def test_javascript_example(server, token, png):
    headers = {
        "Content-Type": "image/png",
        "Content-Length": str(png.stat().st_size),
        "x-molgenis-filename": "logo_green.png",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate, br",
        "Origin": server.url,
        "Referer": f"{server.url}/",
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "same-origin",
        "Cookie": f"JSESSIONID={token}",
    }
    answer = requests.post(files(server), data=png.read_bytes(), headers=headers)
    assert answer.status_code == 201
    assert answer.json() == {
        "id": answer.json()["id"],
        "filename": "logo_green.png",
        "contentType": "image/png",
        "size": png.stat().st_size,
    }


# "Content-Type: No | application/octet-stream", "x-molgenis-filename: No | unknown"
def test_defaults_of_the_header_table(server, token):
    answer = curl(
        "-X", "POST", "-H", "Content-Type:", "-H", f"x-molgenis-token: {token}",
        "--data-binary", "x", files(server),
    )
    assert answer.status == 201
    assert answer.json()["filename"] == "unknown"
    assert answer.json()["contentType"] == "application/octet-stream"


# "Content-Length: No"
def test_upload_without_a_length(server, token):
    answer = requests.post(
        files(server), data=iter([b"one", b"two", b"three"]), headers=with_token(token)
    )
    assert answer.status_code == 201
    assert answer.json()["size"] == 11


# "All media types with the exception of ..."
@pytest.mark.parametrize("media", ["image/png", "text/plain;charset=utf-8", "None", "a/b;c=d"])
def test_media_types_that_are_allowed(server, token, media):
    answer = upload(server, token, Content_Type=media)
    stored = requests.get(answer.headers["Location"], headers=with_token(token))
    assert stored.status_code == 200
    assert stored.content == b"content"


@pytest.mark.parametrize(
    "media",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "Multipart/Form-Data"],
)
def test_form_types_are_refused(server, token, media):
    before = server.stored()
    answer = requests.post(
        files(server), data=b"a=b", headers=with_token(token, Content_Type=media)
    )
    assert answer.status_code == 415
    assert answer.headers["Content-Type"] == PROBLEM
    assert answer.json()["detail"]
    assert server.stored() == before


# "Filemeta as returned by the 'Retrieve file metadata' endpoint."
def test_metadata(server, token):
    uploaded = upload(
        server, token, b"x" * 11189, x_molgenis_filename="logo_green.png", Content_Type="image/png"
    )
    answer = requests.get(f"{files(server)}/{uploaded.json()['id']}", headers=with_token(token))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.json() == uploaded.json()
    assert answer.json() | {"id": ""} == {
        "id": "", "filename": "logo_green.png", "contentType": "image/png", "size": 11189,
    }


# "GET /api/files/myFileId?alt=media"
def test_download(server, token):
    uploaded = upload(
        server, token, b"hello", x_molgenis_filename='a "quoted" name.txt', Content_Type="text/html"
    )
    url = f"{files(server)}/{uploaded.json()['id']}?alt=media"
    answer = requests.get(url, headers=with_token(token, Accept="application/json"))
    assert answer.status_code == 200
    assert answer.content == b"hello"
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    head = requests.head(url, headers=with_token(token))
    assert head.status_code == 200
    assert head.headers["Content-Length"] == "5"
    again = requests.get(url, headers=with_token(token, If_None_Match=answer.headers["ETag"]))
    assert again.status_code == 304
    part = requests.get(url, headers=with_token(token, Range="bytes=-2"))
    assert (part.status_code, part.content) == (206, b"lo")


# "DELETE /api/files/myFileId"
def test_delete(server, token):
    url = f"{files(server)}/{upload(server, token).json()['id']}"
    deleted = requests.delete(url, headers=with_token(token))
    assert deleted.status_code == 204
    assert deleted.content == b""
    for gone in [
        requests.get(url, headers=with_token(token)),
        requests.get(f"{url}?alt=media", headers=with_token(token)),
        requests.delete(url, headers=with_token(token)),
    ]:
        assert gone.status_code == 404


# "404 Not Found: If the file identifier is unknown"
@pytest.mark.parametrize("name", ["aaaac2mp6yoxgaavluayxfiaae", "myFileId", "x" * 3000])
@pytest.mark.parametrize("request_line", ["GET ?alt=media", "GET ", "DELETE "])
def test_unknown_identifier(server, token, name, request_line):
    method, query = request_line.split(" ")
    answer = requests.request(method, f"{files(server)}/{name}{query}", headers=with_token(token))
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == 404
    assert problem["title"] == "Not Found"
    assert problem["type"] == f"{server.url}/problem"
    assert problem["errorCode"] == "D02a"
    assert problem["detail"]


def test_identifiers_that_climb(server, token):
    answer = requests.get(f"{files(server)}/..%2f..%2fetc", headers=with_token(token))
    assert answer.status_code in (400, 404)
    assert answer.headers["Content-Type"] == PROBLEM


# "403 Forbidden: If the authenticated user does not have WRITE / READ permissions"
def test_403(server, token, reader, writer):
    url = f"{files(server)}/{upload(server, token).json()['id']}"
    before = server.stored()
    answers = [
        requests.post(files(server), data=b"x", headers=with_token(reader)),
        requests.delete(url, headers=with_token(reader)),
        requests.get(url, headers=with_token(writer)),
        requests.get(f"{url}?alt=media", headers=with_token(writer)),
    ]
    for answer in answers:
        assert answer.status_code == 403
        assert answer.headers["Content-Type"] == PROBLEM
        assert answer.json()["errorCode"] == "DS04a"
        assert "sys_FileMeta" in answer.json()["detail"]
    assert server.stored() == before


@pytest.mark.parametrize("headers", [{}, {"x-molgenis-token": "garbage"}, bearer("garbage")])
def test_401(server, headers):
    before = server.stored()
    answers = [
        requests.post(files(server), data=b"x", headers=headers),
        requests.get(f"{files(server)}/aaaac2mp6yoxgaavluayxfiaae", headers=headers),
    ]
    for answer in answers:
        assert answer.status_code == 401
        assert answer.headers["Content-Type"] == PROBLEM
    assert server.stored() == before


def test_bearer_and_an_empty_token_header(server, token):
    headers = bearer(token) | {"x-molgenis-token": ""}
    assert requests.post(files(server), data=b"x", headers=headers).status_code == 201


def test_cookie_of_a_foreign_page_writes_nothing(server, token):
    before = server.stored()
    answer = requests.post(
        files(server), data=b"x",
        headers={"Origin": "https://elsewhere.example"}, cookies={"JSESSIONID": token},
    )
    assert answer.status_code == 403
    assert server.stored() == before


def test_other_tenants_file_is_unknown(server, token):
    stranger = server.token("me", "--tenant", "other")
    url = f"{files(server)}/{upload(server, token).json()['id']}"
    for method in ["GET", "DELETE"]:
        assert requests.request(method, url, headers=with_token(stranger)).status_code == 404
    assert requests.get(url, headers=with_token(token)).status_code == 200
