"""The page "iDempiere Uploads API", line by line."""

import base64
import os
import random
import re
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness import CLEAN_ENVIRONMENT, REPOSITORY, bearer, sha256, wait_for

UNKNOWN = "01890000-0000-7000-8000-000000000000"
PARAMETERS = ["X-ID-CREDENTIAL", "X-ID-DATE", "X-ID-EXPIRES", "X-ID-SIGNATURE"]
STATUS = [
    "uploadId", "fileName", "fileSize", "imageId", "chunkSize", "status", "uploadedChunks",
    "totalReceivedSize", "message", "presignedURL",
]


def uploads(server, id="", below=""):
    return f"{server.url}/api/v1/uploads" + (f"/{id}{below}" if id else "")


def begin(server, api, content, **fields):
    body = {"fileName": "a.bin", "fileSize": len(content), "sha256": sha256(content)} | fields
    answer = api.post(uploads(server), json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def put(url, order, total, piece, session=requests, **headers):
    """A chunk, as the page's headers describe it."""
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Total-Chunks": str(total),
        "X-Content-SHA256": sha256(piece),
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    return session.put(url.replace("{chunkOrder}", str(order)), data=piece, headers=headers)


def chunk(server, api, id, order, total, piece, **headers):
    return put(uploads(server, id, f"/chunks/{order}"), order, total, piece, api, **headers)


def uploaded(server, api, content, pieces=1, **fields):
    """A completed upload that came in so many chunks."""
    id = begin(server, api, content, **fields)["uploadId"]
    size = -(-len(content) // pieces) or 1
    for order in range(1, pieces + 1):
        piece = content[(order - 1) * size : order * size]
        answer = chunk(server, api, id, order, pieces, piece)
        assert answer.status_code == 200, answer.text
        assert answer.json()["isLastChunk"] is (order == pieces)
    return id


def status(server, api, id):
    answer = api.get(uploads(server, id))
    assert answer.status_code == 200, answer.text
    assert list(answer.json()) == STATUS
    return answer.json()


def content(server, api, id):
    answer = api.get(uploads(server, id, "/file"))
    assert answer.status_code == 200, answer.text
    return answer.content


def refused(answer, status, title=None):
    assert answer.status_code == status, answer.text
    said = answer.json()
    if list(said) == ["error"]:
        assert status == 400 and said["error"]
    else:
        assert said["status"] == status and said["title"]
    if title is not None:
        assert said.get("title", said.get("error")).startswith(title), said


# -- POST /api/v1/uploads ------------------------------------------------------------------------


# "fileName, contentType (e.g. image/png), fileSize, chunkSize, sha256, uploadLocation: One of ARCHIVE,
# ATTACHMENT, or IMAGE, expiresInSeconds". "Returns: uploadId, chunkSize, expiresAt, presignedURL"
@pytest.mark.parametrize("location", ["ARCHIVE", "ATTACHMENT", "IMAGE"])
def test_new_upload_session(server, api, location):
    data = os.urandom(292_287)
    answer = api.post(uploads(server), json={
        "fileName": "emoji_wallpaper.png", "contentType": "image/png", "fileSize": len(data),
        "chunkSize": 146_144, "sha256": sha256(data), "uploadLocation": location,
        "expiresInSeconds": 3600,
    })
    assert answer.status_code == 201, answer.text
    session = answer.json()
    assert list(session) == ["uploadId", "chunkSize", "expiresAt", "presignedURL"]
    assert str(uuid.UUID(session["uploadId"])) == session["uploadId"]
    assert session["chunkSize"] == 146_144
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", session["expiresAt"])
    assert status(server, api, session["uploadId"])["status"] == "INITIATED"
    for order, piece in [(1, data[:146_144]), (2, data[146_144:])]:
        sent = chunk(server, api, session["uploadId"], order, 2, piece)
        assert sent.status_code == 200, sent.text
    done = status(server, api, session["uploadId"])
    assert done["status"] == "COMPLETED"
    assert (done["imageId"] > 0) == (location == "IMAGE")
    assert content(server, api, session["uploadId"]) == data


# docs/dialects/idempiere.md, "Clients"
def test_lines_of_our_documentation(server, token, tmp_path):
    documented = (REPOSITORY / "docs/dialects/idempiere.md").read_text()
    [lines] = re.findall(r"## Clients.*?```sh\n(.*?)```", documented, re.S)
    lines = lines.replace("http://127.0.0.1:8080", server.url)
    (tmp_path / "README.md").write_bytes(b"# a file\n" * 1000)
    done = subprocess.run(
        ["bash", "-e", "-c", f"TOKEN={token}\n{lines}"],
        cwd=tmp_path, env=CLEAN_ENVIRONMENT, capture_output=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer, _, file = done.stdout.partition(b"}")
    assert b'"isLastChunk":true' in answer
    assert file == (tmp_path / "README.md").read_bytes()


# "presignedURL: pre-signed URL for PUT api/v1/upload/{uploadId}/chunks/{chunkOrder}", used as
# http://{host}/api/{presignedURL}
def test_presigned_chunks(server, api):
    data = os.urandom(50_000)
    session = begin(server, api, data)
    url = session["presignedURL"]
    path, _, query = url.partition("?")
    assert path == f"v1/uploads/{session['uploadId']}/chunks/{{chunkOrder}}"
    assert [pair.split("=")[0] for pair in query.split("&")] == PARAMETERS
    for order, piece in [(2, data[20_000:]), (1, data[:20_000])]:
        answer = put(f"{server.url}/api/{url}", order, 2, piece)
        assert answer.status_code == 200, answer.text
    assert content(server, api, session["uploadId"]) == data
    # It is good for this upload's chunks only.
    other = begin(server, api, data)["uploadId"]
    for wrong in [
        requests.put(f"{uploads(server, other, '/chunks/1')}?{query}", data=b"x"),
        requests.get(f"{uploads(server, session['uploadId'])}?{query}"),
        requests.delete(f"{uploads(server, session['uploadId'])}?{query}"),
        put(f"{server.url}/api/{url[:-1]}{'0' if url[-1] != '0' else '1'}", 1, 2, b"x"),
    ]:
        refused(wrong, 401, "Signature mismatch")


@pytest.mark.parametrize(
    "fields",
    [
        {"fileName": None}, {"fileName": ""}, {"fileName": "x" * 256}, {"fileSize": -1},
        {"fileSize": "7"}, {"sha256": None}, {"sha256": "abc"}, {"sha256": "g" * 64},
        {"contentType": "x" * 256}, {"uploadLocation": "DESK"}, {"uploadLocation": "archive"},
    ],
)
def test_sessions_that_cannot_be(server, api, fields):
    body = {"fileName": "a", "fileSize": 1, "sha256": sha256(b"x")} | fields
    answer = api.post(uploads(server), json=body)
    title = "Invalid uploadLocation in request." if "uploadLocation" in fields else None
    refused(answer, 400, title)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"])
def test_bodies_that_are_none(server, api, body):
    refused(api.post(uploads(server), data=body), 400)


# "expiresInSeconds: Expiration time for the session"
def test_expiry(server, api):
    session = begin(server, api, b"some content", expiresInSeconds=1)
    id, url = session["uploadId"], session["presignedURL"]
    chunks = (chunk(server, api, id, 1, 2, b"some ") for _ in iter(int, 1))
    wait_for(lambda: next(chunks).status_code != 200, "the end of the session")
    refused(next(chunks), 410, "Upload session has expired")
    refused(put(f"{server.url}/api/{url}", 1, 2, b"some "), 401, "Presigned URL has expired")
    shown = status(server, api, id)
    assert (shown["status"], shown["message"]) == ("FAILED", "Upload session has expired.")
    refused(api.get(uploads(server, id, "/file")), 400, "GET Error")
    refused(copy(server, api, id, copyLocation="IMAGE"), 400)


# -- PUT /api/v1/uploads/{uploadId}/chunks/{chunkOrder} ------------------------------------------


# "X-Total-Chunks: Total expected number of chunks. X-Content-SHA256: Hash of the chunk". "Returns:
# uploadId, chunkOrder, receivedSize, message, isLastChunk"
def test_chunk(server, api):
    id = begin(server, api, b"some content")["uploadId"]
    answer = chunk(server, api, id, 2, 2, b"content")
    assert answer.status_code == 200
    expected = {
        "uploadId": id, "chunkOrder": 2, "receivedSize": 7,
        "message": "Chunk 2 uploaded successfully.", "isLastChunk": False,
    }
    assert list(answer.json().items()) == list(expected.items())
    again = chunk(server, api, id, 1, 2, b"some ")
    assert again.json()["isLastChunk"] is True


# "isLastChunk: true if the just uploaded chunk is the last chunk receive"
def test_chunks_in_any_order_and_parallel_and_again(server, token):
    data = os.urandom(1_000_003)
    pieces = [data[at : at + 50_000] for at in range(0, len(data), 50_000)]
    with requests.Session() as session:
        session.headers.update(bearer(token))
        id = begin(server, session, data)["uploadId"]
        # Wrong bytes first, to be replaced; the last chunk is not among them.
        for order in [3, 1, 7]:
            sent = chunk(server, session, id, order, len(pieces), b"wrong")
            assert sent.json()["isLastChunk"] is False
        shown = status(server, session, id)
        assert shown["uploadedChunks"] == [
            {"chunkOrder": order, "receivedSize": 5} for order in [1, 3, 7]
        ]
        orders = list(range(1, len(pieces) + 1))
        random.Random(7).shuffle(orders)

        # Each on a connection of its own.
        def send(order):
            return put(
                uploads(server, id, f"/chunks/{order}"), order, len(pieces), pieces[order - 1],
                Authorization=f"Bearer {token}",
            )

        # The right bytes of all but the last one, then that one from several at once.
        with ThreadPoolExecutor(max_workers=8) as pool:
            for answer in pool.map(send, orders[:-1]):
                assert answer.status_code == 200, answer.text
                assert answer.json()["isLastChunk"] is False
            last = list(pool.map(send, [orders[-1]] * 4))
        assert {answer.status_code for answer in last} <= {200, 409}
        assert sum(answer.status_code == 200 and answer.json()["isLastChunk"] for answer in last) == 1
        done = status(server, session, id)
        assert (done["status"], done["uploadedChunks"]) == ("COMPLETED", [])
        assert done["totalReceivedSize"] == len(data)
        assert content(server, session, id) == data


@pytest.mark.parametrize(
    "order, total, expected, title",
    [
        ("0", "2", 400, "Chunk order must be between 1 and 2"),
        ("-1", "2", 400, "Chunk order must be between 1 and 2"),
        ("3", "2", 400, "Chunk order must be between 1 and 2"),
        ("one", "2", 404, None),
        ("1.5", "2", 404, None),
        ("1", "0", 400, "Total chunks must be greater than 0"),
        ("1", "-2", 400, "Total chunks must be greater than 0"),
        ("1", "two", 400, "Total chunks must be greater than 0"),
        ("1", None, 400, "Total chunks must be greater than 0"),
        ("1", "4000000000", 400, None),
    ],
)
def test_orders_and_totals(server, api, order, total, expected, title):
    id = begin(server, api, b"some content")["uploadId"]
    answer = chunk(server, api, id, order, 2, b"some ", X_Total_Chunks=total)
    refused(answer, expected, title)
    assert status(server, api, id)["status"] == "INITIATED"


def test_total_is_remembered(server, api):
    id = begin(server, api, b"some content")["uploadId"]
    assert chunk(server, api, id, 1, 3, b"some ").status_code == 200
    assert chunk(server, api, id, 3, 3, b"content").status_code == 200
    for total in [2, 4]:
        refused(chunk(server, api, id, 1, total, b"some "), 409)
    assert status(server, api, id)["status"] == "UPLOADING"
    assert chunk(server, api, id, 2, 3, b"").json()["isLastChunk"] is True
    assert content(server, api, id) == b"some content"


def test_wrong_hashes(server, api):
    id = begin(server, api, b"some content")["uploadId"]
    for declared in [sha256(b"other"), "nonsense"]:
        refused(chunk(server, api, id, 1, 2, b"some ", X_Content_SHA256=declared), 400)
    assert status(server, api, id)["uploadedChunks"] == []
    upper = sha256(b"some ").upper()
    assert chunk(server, api, id, 1, 2, b"some ", X_Content_SHA256=upper).status_code == 200
    # The chunk is what it says, and the file is not.
    refused(chunk(server, api, id, 2, 2, b"CONTENT"), 400)
    assert status(server, api, id)["status"] == "FAILED"
    refused(chunk(server, api, id, 2, 2, b"content"), 409, "Upload session is already: failed")
    refused(api.get(uploads(server, id, "/file")), 400)


def test_sizes_that_do_not_add_up(server, api):
    id = begin(server, api, b"some content")["uploadId"]
    assert chunk(server, api, id, 1, 2, b"some ").status_code == 200
    answer = chunk(server, api, id, 2, 2, b"more content")
    assert answer.status_code == 400
    assert answer.json()["isLastChunk"] is False
    assert status(server, api, id)["status"] == "UPLOADING"
    assert chunk(server, api, id, 2, 2, b"content").json()["isLastChunk"] is True
    assert content(server, api, id) == b"some content"


def test_chunk_that_breaks_off(server, token, api):
    id = begin(server, api, b"some content")["uploadId"]
    assert chunk(server, api, id, 1, 2, b"some ").status_code == 200
    head = (
        f"PUT /api/v1/uploads/{id}/chunks/1 HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        f"Authorization: Bearer {token}\r\nX-Total-Chunks: 2\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: 100\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode() + b"broken off")
    assert chunk(server, api, id, 2, 2, b"content").status_code == 200
    assert content(server, api, id) == b"some content"


@pytest.mark.parametrize("media", ["image/png", "multipart/form-data; boundary=x"])
def test_media_types_of_chunks(server, api, media):
    id = begin(server, api, b"content")["uploadId"]
    refused(chunk(server, api, id, 1, 1, b"content", Content_Type=media), 415)


def test_chunk_after_the_end(server, api):
    done = uploaded(server, api, b"content")
    refused(chunk(server, api, done, 1, 1, b"content"), 409, "Upload session is already: completed")
    canceled = begin(server, api, b"content")["uploadId"]
    assert api.delete(uploads(server, canceled)).status_code == 200
    for id in [canceled, done]:
        api.delete(uploads(server, id))
        title = "Upload session has been canceled"
        refused(chunk(server, api, id, 1, 1, b"content"), 400, title)
    refused(chunk(server, api, UNKNOWN, 1, 1, b"content"), 404, "Upload session not found")


# A session is as durable as a file.
def test_session_outlives_the_server(start):
    own = start()
    data = os.urandom(100_000)
    with requests.Session() as api:
        api.headers.update(bearer(own.token()))
        session = begin(own, api, data)
        id = session["uploadId"]
        assert chunk(own, api, id, 2, 2, data[60_000:]).status_code == 200
        own.kill()
        own.start()
        shown = status(own, api, id)
        assert shown["uploadedChunks"] == [{"chunkOrder": 2, "receivedSize": 40_000}]
        sent = put(f"{own.url}/api/{session['presignedURL']}", 1, 2, data[:60_000])
        assert sent.json()["isLastChunk"] is True
        assert content(own, api, id) == data


# -- GET /api/v1/uploads/{uploadId} --------------------------------------------------------------


# "Upload session metadata, uploaded chunk info, image Id (for IMAGE upload location), optional
# presignedURL"
def test_status(server, api):
    id = begin(server, api, b"some content", chunkSize=7, contentType="text/plain")["uploadId"]
    assert chunk(server, api, id, 2, 2, b"content").status_code == 200
    assert status(server, api, id) == {
        "uploadId": id, "fileName": "a.bin", "fileSize": 12, "imageId": 0, "chunkSize": 7,
        "status": "UPLOADING", "uploadedChunks": [{"chunkOrder": 2, "receivedSize": 7}],
        "totalReceivedSize": 7, "message": "Upload in progress.", "presignedURL": None,
    }
    refused(api.get(uploads(server, UNKNOWN)), 404, "Upload session not found")


# "pre-signed URL for GET api/v1/uplods/{uploadId} and GET api/v1/uplods/{uploadId}/file if a positive
# value is provided for the expireInSeconds query parameter"
@pytest.mark.parametrize("name", ["expiresInSeconds", "expireInSeconds"])
def test_presigned_status_and_file(server, api, name):
    id = uploaded(server, api, b"content")
    for none in ["", f"?{name}=0", f"?{name}=-5"]:
        assert api.get(uploads(server, id) + none).json()["presignedURL"] is None
    url = api.get(f"{uploads(server, id)}?{name}=600").json()["presignedURL"]
    shown, _, rest = url.partition(",")
    file, _, query = rest.partition("?")
    assert (shown, file) == (f"v1/uploads/{id}", f"v1/uploads/{id}/file")
    assert [pair.split("=")[0] for pair in query.split("&")] == PARAMETERS
    assert requests.get(f"{server.url}/api/{shown}?{query}").json()["status"] == "COMPLETED"
    assert requests.get(f"{server.url}/api/{file}?{query}").content == b"content"
    assert requests.get(f"{server.url}/api/{file}?{query}&asJson=true").json()["data"]
    refused(requests.delete(f"{server.url}/api/{shown}?{query}"), 401)
    refused(requests.get(f"{server.url}/api/{shown}?{query.replace('=600', '=601')}"), 401)


# -- DELETE /api/v1/uploads/{uploadId} -----------------------------------------------------------


# "Cancels an upload session and deletes temporary data. Returns: message"
def test_cancel(server, api):
    initiated = begin(server, api, b"some content")["uploadId"]
    uploading = begin(server, api, b"some content")["uploadId"]
    assert chunk(server, api, uploading, 1, 2, b"some ").status_code == 200
    completed = uploaded(server, api, b"some content")
    for id in [initiated, uploading, completed]:
        answer = api.delete(uploads(server, id))
        assert answer.status_code == 200
        assert answer.json() == {"message": f"Upload {id} canceled successfully."}
        assert status(server, api, id)["status"] == "CANCELED"
        assert api.get(uploads(server, id, "/file")).status_code in (400, 404)
        refused(api.delete(uploads(server, id)), 400, "Upload session has been canceled")
    refused(api.delete(uploads(server, UNKNOWN)), 404, "Upload session not found")


# -- GET /api/v1/uploads/{uploadId}/file ---------------------------------------------------------


# "File data in application/octet-stream, text/plain, or text/html"
@pytest.mark.parametrize(
    "name, declared, served",
    [
        ("a.bin", None, "application/octet-stream"),
        ("a.txt", None, "text/plain"),
        ("a.csv", None, "text/plain"),
        ("a.html", None, "text/html"),
        ("a.html", "image/png", "image/png"),
    ],
)
def test_file(server, api, name, declared, served):
    data = os.urandom(70_000)
    id = uploaded(server, api, data, 3, fileName=name, contentType=declared)
    answer = api.get(uploads(server, id, "/file"), headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["Content-Type"] == served
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    part = api.get(uploads(server, id, "/file"), headers={"Range": "bytes=20000-50000"})
    assert (part.status_code, part.content) == (206, data[20_000:50_001])


# "asJson: Return as base64 JSON instead of binary"
@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_file_as_json(server, api, size):
    data = os.urandom(size)
    id = uploaded(server, api, data)
    for query in ["asJson=true", "asJson", "json=1"]:
        answer = api.get(f"{uploads(server, id, '/file')}?{query}")
        assert answer.headers["Content-Type"] == "application/json"
        assert list(answer.json()) == ["data"]
        assert base64.b64decode(answer.json()["data"], validate=True) == data
    assert api.get(f"{uploads(server, id, '/file')}?asJson=false").content == data


def test_file_of_an_upload_that_is_not_completed(server, api):
    id = begin(server, api, b"content")["uploadId"]
    refused(api.get(uploads(server, id, "/file")), 400, "GET Error")
    refused(api.get(uploads(server, UNKNOWN, "/file")), 404, "Upload session not found")


# -- GET /api/v1/uploads -------------------------------------------------------------------------


# "Lists pending uploads for the current user. Upload status for all pending upload sessions"
def test_pending_uploads_of_the_current_user(server, api):
    with requests.Session() as jane:
        jane.headers.update(bearer(server.token("jane")))
        initiated = begin(server, jane, b"some content")["uploadId"]
        uploading = begin(server, jane, b"some content")["uploadId"]
        assert chunk(server, jane, uploading, 1, 2, b"some ").status_code == 200
        uploaded(server, jane, b"content")
        canceled = begin(server, jane, b"content")["uploadId"]
        assert jane.delete(uploads(server, canceled)).status_code == 200
        mine = begin(server, api, b"content")["uploadId"]
        listed = jane.get(uploads(server)).json()
        assert list(listed) == ["uploads"]
        shown = {upload["uploadId"]: upload for upload in listed["uploads"]}
        assert shown == {id: status(server, jane, id) for id in [initiated, uploading]}
        refused(jane.get(uploads(server, mine)), 404, "Upload session not found")
        refused(jane.delete(uploads(server, mine)), 404)


# -- POST /api/v1/uploads/{uploadId}/copy --------------------------------------------------------


def copy(server, api, id, **body):
    return api.post(uploads(server, id, "/copy"), json=body)


# "copyLocation: Destination type (ARCHIVE, IMAGE, ATTACHMENT), tableName (optional), recordId
# (optional): Record ID or UUID. Returns: Upload session id and destination record metadata (table
# name, id and uuid)"
def test_copy(server, api):
    id = uploaded(server, api, b"content", fileName="invoice 7.pdf", contentType="application/pdf")
    record = str(random.SystemRandom().randrange(1, 2**31))
    copies = []
    for location, table in [
        ("ATTACHMENT", "C_Invoice"), ("ARCHIVE", "AD_Archive"), ("IMAGE", "AD_Image"),
    ]:
        target = {} if location == "IMAGE" else {"tableName": "C_Invoice", "recordId": record}
        answer = copy(server, api, id, copyLocation=location, **target)
        assert answer.status_code == 200, answer.text
        copied = answer.json()
        assert copied == {
            "uploadId": id, "tableName": table, "recordId": copied["recordId"],
            "recordUU": str(uuid.UUID(copied["recordUU"])), "copyLocation": location,
            "fileName": "invoice 7.pdf", "contentType": "application/pdf", "fileSize": 7,
        }
        assert location != "ATTACHMENT" or copied["recordId"] == int(record)
        copies.append(copied)
    by_uuid = {
        "copyLocation": "ATTACHMENT", "tableName": "C_Invoice", "recordId": copies[0]["recordUU"]
    }
    assert copy(server, api, id, **by_uuid).json()["recordId"] == int(record)
    # They outlive the upload.
    assert api.delete(uploads(server, id)).status_code == 200
    for copied in copies:
        for name in [copied["recordId"], copied["recordUU"]]:
            url = f"{server.url}/api/v1/models/{copied['tableName']}/{name}/attachments"
            assert api.get(url).json()["attachments"] == [
                {"name": "invoice 7.pdf", "contentType": "application/pdf", "size": 7}
            ]
            assert api.get(f"{url}/invoice%207.pdf").content == b"content"


def test_copies_that_cannot_be(server, api):
    id = uploaded(server, api, b"content")
    record = {"tableName": "C_Order", "recordId": "1"}
    cases = [
        ({}, 400, "copyLocation is required in request."),
        ({"copyLocation": "DESK"}, 400, "Invalid copyLocation in request."),
        ({"copyLocation": "ARCHIVE"}, 400, "tableName and recordId are required in request."),
        (record | {"copyLocation": "ARCHIVE", "tableName": "../x"}, 404, "Invalid table name"),
        (record | {"copyLocation": "ARCHIVE", "recordId": "one"}, 404, "Record not found"),
    ]
    for body, expected, title in cases:
        refused(copy(server, api, id, **body), expected, title)
    open_session = begin(server, api, b"content")["uploadId"]
    refused(copy(server, api, open_session, copyLocation="IMAGE"), 400)
    refused(copy(server, api, UNKNOWN, copyLocation="IMAGE"), 404, "Upload session not found")


# -- who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, bearer("garbage"), {"Authorization": "Basic x"}])
def test_401(server, api, headers):
    id = begin(server, api, b"content")["uploadId"]
    for answer in every_route(server, requests, id, headers):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert status(server, api, id)["status"] == "INITIATED"


def test_403(server, reader, writer):
    with requests.Session() as api:
        api.headers.update(bearer(writer))
        id = begin(server, api, b"content")["uploadId"]
    reads = ["GET /", "GET ", "GET /file"]
    for route, answer in zip(ROUTES, every_route(server, requests, id, bearer(writer))):
        if route in reads:
            refused(answer, 403)
    for route, answer in zip(ROUTES, every_route(server, requests, id, bearer(reader))):
        if route not in reads:
            refused(answer, 403)


ROUTES = ["POST ", "PUT /chunks/1", "GET ", "GET /", "GET /file", "POST /copy", "DELETE /"]


def every_route(server, session, id, headers):
    """All routes of the page, asked one after the other; a slash stands for the upload itself."""
    for route in ROUTES:
        method, below = route.split(" ")
        url = uploads(server, id, below.rstrip("/")) if below else uploads(server)
        headers = headers | {"Content-Type": "application/octet-stream", "X-Total-Chunks": "1"}
        yield session.request(method, url, data=b"{}", headers=headers)
