"""The page "Cognite CDF Files" ("Upload file"), line by line, at its own bare `/files`; then the routes
beside it, with bodies as the official clients send them, where those look for them."""

import gzip
import json
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from harness import CLEAN_ENVIRONMENT, bearer, curl, parse_answer, path_of

MAX_ID = 9007199254740991
# What the page shows of an answer, but for what only the server can say. Its point has a single
# coordinate, which GeoJSON does not allow.
EXAMPLE = {
    "name": "examplefile.jpg",
    "directory": "/absolute/unix-style",
    "source": "<string>",
    "mimeType": "image/jpeg",
    "metadata": {"key": "value"},
    "assetIds": [4503599627370496],
    "dataSetId": 4503599627370496,
    "sourceCreatedTime": 1730204346000,
    "sourceModifiedTime": 1730204346000,
    "securityCategories": [4503599627370496],
    "labels": [{"externalId": "my.known.id"}],
    "geoLocation": {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [123, 4.5]},
        "properties": {},
    },
}
ONLY_FROM_THE_SERVER = {"id", "uploaded", "createdTime", "lastUpdatedTime", "uploadUrl"}


def unique():
    return f"my.known.id-{uuid.uuid4()}"


@pytest.fixture(params=["/files", "/api/v1/projects/default/files"])
def files(server, request):
    """The page's own path, and that of the project."""
    return server.url + request.param


def create(api, files, status=201, overwrite=None, **fields):
    query = "" if overwrite is None else f"?overwrite={overwrite}"
    answer = api.post(files + query, json={"name": "a.txt"} | fields)
    assert answer.status_code == status, answer.text
    return answer.json()


def put(url, content):
    """Content as a client without any credentials sends it."""
    answer = requests.put(url, data=content)
    assert answer.status_code == 200, answer.text


def stored(api, files, content, **fields):
    file = create(api, files, **fields)
    put(file["uploadUrl"], content)
    return file


def show(api, files, file):
    answer = api.get(f"{files}/{file['id']}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def content(api, files, **item):
    links = ask(api, files, "downloadlink", items=[item])
    [link] = links["items"]
    assert link | {"downloadUrl": ""} == item | {"downloadUrl": ""}
    answer = requests.get(link["downloadUrl"])
    assert answer.status_code == 200, answer.text
    return answer.content


def ask(api, files, path, status=200, **body):
    answer = api.post(f"{files}/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if status < 400 else error(answer, status)


def error(answer, status):
    assert answer.status_code == status, answer.text
    said = answer.json()["error"]
    assert said["code"] == status
    assert said["message"]
    return said


# -- the page -----------------------------------------------------------------------------------


# "POST /files", and the object below it
def test_upload_file(server, api):
    files = f"{server.url}/files"
    external_id = unique()
    answer = api.post(files, json=EXAMPLE | {"externalId": external_id})
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert set(file) == ONLY_FROM_THE_SERVER | set(EXAMPLE) | {"externalId"}
    assert {name: file[name] for name in EXAMPLE} == EXAMPLE
    assert file["externalId"] == external_id
    assert 1 <= file["id"] <= MAX_ID
    assert file["uploaded"] is False
    assert file["createdTime"] == file["lastUpdatedTime"]
    assert file["uploadUrl"].startswith(f"{server.url}/files/")
    put(file["uploadUrl"], b"file data here")
    shown = show(api, files, file)
    assert shown.pop("uploadedTime") >= file["createdTime"]
    del file["uploadUrl"]
    assert shown == file | {"uploaded": True}
    assert content(api, files, id=file["id"]) == b"file data here"


def test_upload_file_by_curl(server, token, tmp_path):
    (tmp_path / "examplefile.jpg").write_bytes(bytes(range(256)) * 400)
    line = (
        f"curl -s -i -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' "
        """-d '{"name": "examplefile.jpg", "mimeType": "image/jpeg"}' """ + f"{server.url}/files"
    )
    done = subprocess.run(
        ["bash", "-c", line], env=CLEAN_ENVIRONMENT, capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    made = parse_answer(done.stdout)
    assert made.status == 201
    url = made.json()["uploadUrl"]
    assert curl("-T", tmp_path / "examplefile.jpg", url).status == 200
    body = json.dumps({"items": [{"id": made.json()["id"]}]})
    url = f"{server.url}/files/downloadlink"
    links = curl("-H", f"Authorization: Bearer {token}", "-d", body, url)
    got = curl(links.json()["items"][0]["downloadUrl"])
    assert got.status == 200
    assert got.headers["content-type"] == "image/jpeg"
    assert got.body == (tmp_path / "examplefile.jpg").read_bytes()


# "client.files.upload({name: 'examplefile.jpg', mimeType: 'image/jpeg'}, fileContent)", as that
# client puts it on the wire: a slash at the end, JSON in lines, the type of the file at the PUT
def test_javascript_automatic_upload(server, token):
    headers = bearer(token) | {
        "x-cdp-app": "tests", "x-cdp-sdk": "CogniteJavaScriptSDK:10.5.0", "cdf-version": "V20210406",
        "Accept": "application/json", "Content-Type": "application/json",
    }
    body = json.dumps({"name": "examplefile.jpg", "mimeType": "image/jpeg"}, indent=2)
    url = f"{server.url}/api/v1/projects/default/files/?overwrite=false"
    made = requests.post(url, data=body, headers=headers, allow_redirects=False)
    assert made.status_code == 201, made.text
    sent = requests.put(
        made.json()["uploadUrl"], data="file data here",
        headers={"Content-Type": "image/jpeg", "Accept": "application/json"},
    )
    assert sent.status_code in (200, 201)
    byids = f"{server.url}/api/v1/projects/default/files/byids"
    found = requests.post(byids, json={"items": [{"id": made.json()["id"]}]}, headers=headers)
    assert found.json()["items"][0]["uploaded"] is True


# "then upload using the file.uploadUrl": with the token along, and without a length, too
def test_javascript_manual_upload(server, token, api):
    files = f"{server.url}/files"
    file = create(api, files)
    for headers in [{}, bearer(token), bearer("garbage")]:
        for data in [b"some content", iter([b"some ", b"content"]), b""]:
            sent = requests.put(file["uploadUrl"], data=data, headers=headers)
            assert sent.status_code == 200, sent.text
        assert content(api, files, id=file["id"]) == b""


# "Authorization: string, header, required"
@pytest.mark.parametrize(
    "headers", [{}, bearer(""), bearer("garbage"), {"Authorization": "Basic amFuZTpzZWNyZXQ="}]
)
def test_401(server, files, headers):
    before = server.stored()
    for answer in [
        requests.post(files, json={"name": "a"}, headers=headers),
        requests.get(files, headers=headers),
        requests.post(f"{files}/list", json={}, headers=headers),
    ]:
        error(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert server.stored() == before


def test_403(server, reader, writer, files, api):
    file = stored(api, files, b"content")
    before = server.stored()
    for path, status in [("", 403), ("/delete", 403), ("/list", 200)]:
        body = {"name": "a"} if path == "" else {"items": [{"id": file["id"]}]}
        body = {} if path == "/list" else body
        answer = requests.post(files + path, json=body, headers=bearer(reader))
        assert answer.status_code == status, answer.text
    refused = requests.post(f"{files}/byids", json={"items": [file]}, headers=bearer(writer))
    assert "insufficient access rights" in error(refused, 403)["message"]
    assert server.stored() == before


# "The 'Origin' header parameter is required if there is a Cross Origin issue."
def test_origin(start):
    origin = "https://app.example"
    own = start("--cors-origin", origin)
    files, headers = f"{own.url}/files", bearer(own.token()) | {"Origin": origin}
    made = requests.post(files, json={"name": "a"}, headers=headers)
    assert made.status_code == 201
    assert made.headers["Access-Control-Allow-Origin"] == origin
    for url, method in [(files, "POST"), (made.json()["uploadUrl"], "PUT")]:
        asked = {
            "Origin": origin, "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": "authorization,content-type,x-cdp-app,x-cdp-sdk",
        }
        flight = requests.options(url, headers=asked)
        assert flight.ok, flight.text
        assert flight.headers["Access-Control-Allow-Origin"] == origin
        assert method in flight.headers["Access-Control-Allow-Methods"]
    sent = requests.put(made.json()["uploadUrl"], data=b"x", headers={"Origin": origin})
    assert sent.headers["Access-Control-Allow-Origin"] == origin


# "overwrite: boolean, default: false"
def test_overwrite_is_off_by_default(files, api):
    taken = unique()
    first = stored(api, files, b"old", externalId=taken)
    for overwrite in [None, "false", "False"]:
        answer = create(api, files, 409, overwrite, externalId=taken, name="b.txt")
        assert answer["error"]["duplicated"] == [{"externalId": taken}]
        assert answer["error"]["message"] == f"Duplicate external ids: {taken}"
    assert show(api, files, first)["name"] == "a.txt"
    for odd in ["perhaps", ""]:
        create(api, files, 400, odd, externalId=taken)


# "If 'overwrite' is set to true, and the POST body content specifies a 'externalId' field, fields for
# the file found for externalId can be overwritten."
# "If metadata is included in the request body, all of the original metadata will be overwritten."
# "File-Asset mappings only change if explicitly stated in the assetIds field of the POST json body."
def test_overwrite(files, api):
    taken = unique()
    first = stored(
        api, files, b"old", externalId=taken, source="s", assetIds=[1], metadata={"a": "1", "b": "2"}
    )
    second = create(api, files, overwrite="true", externalId=taken, name="b.txt", metadata={"c": "3"})
    assert second["id"] == first["id"]
    assert (second["name"], second["source"], second["assetIds"]) == ("b.txt", "s", [1])
    assert second["metadata"] == {"c": "3"}
    third = create(api, files, overwrite="true", externalId=taken, assetIds=[2, 3])
    assert (third["metadata"], third["assetIds"]) == ({"c": "3"}, [2, 3])
    # Without an externalId there is nothing to be found.
    assert create(api, files, overwrite="true")["id"] != first["id"]
    assert create(api, files, overwrite="true", externalId=unique())["id"] != first["id"]


# "The actual file will be overwritten after a successful upload with the uploadUrl from the response.
# If there is no successful upload, the current file contents will be kept."
def test_content_is_overwritten_by_a_successful_upload(server, files, api):
    taken = unique()
    first = stored(api, files, b"old", externalId=taken)
    again = create(api, files, overwrite="true", externalId=taken)
    assert again["uploaded"] is True
    assert content(api, files, externalId=taken) == b"old"
    head = (
        f"PUT {path_of(again['uploadUrl'])} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        "Content-Length: 100000\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode() + b"x" * 50_000)
    assert content(api, files, externalId=taken) == b"old"
    put(again["uploadUrl"], b"new")
    assert content(api, files, externalId=taken) == b"new"
    shown = show(api, files, first)
    assert shown["lastUpdatedTime"] == again["lastUpdatedTime"], "content is no field"


def words(count):
    return {f"{n}": "v" for n in range(count)}


# Every length, number and range on the page: what fits, and one more.
@pytest.mark.parametrize(
    "field, fits, past",
    [
        ("name", "文" * 256, "文" * 257),
        ("externalId", "x" * 219, "x" * 256),
        ("directory", "/" + "d" * 511, "/" + "d" * 512),
        ("directory", "/", "relative/path"),
        ("source", "s" * 128, "s" * 129),
        ("mimeType", "m" * 256, "m" * 257),
        ("metadata", {"k" * 128: "v"}, {"k" * 129: "v"}),
        ("metadata", {"é" * 64: "v"}, {"é" * 65: "v"}),
        ("metadata", {"": "v" * 10240}, {"": "v" * 10241}),
        ("metadata", {"key": "v" * 10237}, {"key": "v" * 10238}),
        ("metadata", words(256), words(257)),
        ("metadata", {"k": "1"}, {"k": 1}),
        ("assetIds", [1], []),
        ("assetIds", list(range(1, 1001)), list(range(1, 1002))),
        ("assetIds", [MAX_ID], [MAX_ID + 1]),
        ("assetIds", [1], [0]),
        ("dataSetId", 1, 0),
        ("dataSetId", MAX_ID, MAX_ID + 1),
        ("sourceCreatedTime", 0, -1),
        ("sourceModifiedTime", 0, -1),
        ("sourceModifiedTime", 1730204346000, "2024-10-29"),
        ("securityCategories", list(range(1, 101)), list(range(1, 102))),
        ("securityCategories", [MAX_ID], [0]),
        (
            "labels",
            [{"externalId": str(n)} for n in range(10)],
            [{"externalId": str(n)} for n in range(11)],
        ),
        ("geoLocation", EXAMPLE["geoLocation"], {"type": "Point", "coordinates": [1, 2]}),
    ],
)
def test_limits(server, api, field, fits, past):
    files = f"{server.url}/files"
    if field == "externalId":
        fits = str(uuid.uuid4()) + fits
        assert len(fits) == 255
    file = create(api, files, **{field: fits})
    assert file[field] == fits
    assert show(api, files, file)[field] == fits
    before = server.stored()
    for path in [files, f"{files}?overwrite=true", f"{files}/initmultipartupload?parts=1"]:
        error(api.post(path, json={"name": "a"} | {field: past}), 400)
    assert server.stored() == before


# "name: string, required"
@pytest.mark.parametrize(
    "body", [b"{}", b'{"name": null}', b'{"name": ""}', b'{"name": 7}', b"", b"{", b"[]"]
)
def test_name_is_required(server, api, body):
    before = server.stored()
    error(api.post(f"{server.url}/files", data=body), 400)
    assert server.stored() == before


# "This field is returned only by the API, it has no effect in a post body."
def test_fields_of_the_server_have_no_effect(server, api):
    said = {"uploaded": True, "id": 1, "createdTime": 1, "lastUpdatedTime": 1, "uploadUrl": "x"}
    file = create(api, f"{server.url}/files", **said)
    assert all(file[name] != value for name, value in said.items())


# Unset fields are left out. The Scala client sends all of them as null.
def test_null_is_absent(server, api):
    unset = dict.fromkeys([*EXAMPLE, "externalId"]) | {"name": "a"}
    file = create(api, f"{server.url}/files", **unset)
    assert set(file) == ONLY_FROM_THE_SERVER | {"name", "labels"}
    assert set(show(api, f"{server.url}/files", file)) == set(file) - {"uploadUrl", "labels"}


# -- the other routes ---------------------------------------------------------------------------


# The Python client packs its JSON.
def test_packed_body(files, token):
    headers = bearer(token) | {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    body = gzip.compress(json.dumps({"name": "packed"}).encode())
    made = requests.post(files, data=body, headers=headers)
    assert made.status_code == 201, made.text
    assert made.json()["name"] == "packed"


def test_multipart_upload(files, api):
    answer = api.post(f"{files}/initmultipartupload?overwrite=false&parts=3", json={"name": "big"})
    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert len(file["uploadUrls"]) == 3
    parts = [b"a" * 70_000, b"b" * 5, b"c" * 90_000]
    # Each on a connection of its own, the last first, the first one twice.
    with ThreadPoolExecutor() as pool:
        list(pool.map(put, file["uploadUrls"][::-1], parts[::-1]))
    put(file["uploadUrls"][0], parts[0])
    body = {"id": file["id"], "uploadId": file["uploadId"]}
    assert show(api, files, file)["uploaded"] is False
    for _ in range(2):
        assert ask(api, files, "completemultipartupload", **body) == {}
    assert show(api, files, file)["uploaded"] is True
    assert content(api, files, id=file["id"]) == b"".join(parts)


def test_parts_that_are_missing(files, api):
    file = api.post(f"{files}/initmultipartupload?parts=2", json={"name": "big"}).json()
    put(file["uploadUrls"][1], b"two")
    body = {"id": file["id"], "uploadId": file["uploadId"]}
    ask(api, files, "completemultipartupload", 400, **body)
    ask(api, files, "completemultipartupload", 400, **body | {"uploadId": "nonsense"})
    put(file["uploadUrls"][0], b"one-")
    ask(api, files, "completemultipartupload", **body)
    assert content(api, files, id=file["id"]) == b"one-two"


@pytest.mark.parametrize(
    "query, status",
    [("?parts=1", 201), ("?parts=250", 201), ("?parts=0", 400), ("?parts=251", 400), ("", 400)],
)
def test_number_of_parts(files, api, query, status):
    answer = api.post(f"{files}/initmultipartupload{query}", json={"name": "big"})
    assert answer.status_code == status, answer.text


def test_upload_links(files, api):
    name = unique()
    file = stored(api, files, b"old", externalId=name)
    for item in [{"id": file["id"]}, {"externalId": name}]:
        [link] = ask(api, files, "uploadlink", items=[item])["items"]
        assert link["id"] == file["id"]
        put(link["uploadUrl"], b"new")
        assert content(api, files, **item) == b"new"
        [link] = ask(api, files, "multiuploadlink?parts=2", items=[item])["items"]
        for url, part in zip(link["uploadUrls"], [b"in ", b"parts"]):
            put(url, part)
        ask(api, files, "completemultipartupload", **item, uploadId=link["uploadId"])
        assert content(api, files, **item) == b"in parts"
    ask(api, files, "uploadlink", 400, items=[])
    ask(api, files, "uploadlink", 400, items=[{"id": file["id"]}, {"externalId": name}])
    instance = {"instanceId": {"space": "s", "externalId": "x"}}
    assert ask(api, files, "uploadlink", 400, items=[instance])["missing"] == [instance]


def test_list(files, api):
    source = str(uuid.uuid4())
    made = [create(api, files, name=f"{n}", source=source)["id"] for n in range(5)]
    found, cursor = [], None
    for _ in range(3):
        page = ask(
            api, files, "list", filter={"source": source}, limit=2, cursor=cursor, partition=None
        )
        found += [file["id"] for file in page["items"]]
        cursor = page.get("nextCursor")
    assert found == sorted(made)
    assert "nextCursor" not in page
    shares = [
        ask(api, files, "list", filter={"source": source}, partition=f"{n}/10")["items"]
        for n in range(1, 11)
    ]
    assert sorted(file["id"] for share in shares for file in share) == sorted(made)
    got = api.get(files, params={"source": source, "limit": 5000}).json()
    assert [file["id"] for file in got["items"]] == sorted(made)
    assert ask(api, files, "aggregate", filter={"source": source}) == {"items": [{"count": 5}]}
    ask(api, files, "list", 400, limit=1001)
    ask(api, files, "list", 400, cursor="garbage")


def test_search(files, api):
    name = f"MyCad{uuid.uuid4().hex[:12]}"
    file = create(api, files, name=f"{name}7753.fbx", source="s")
    for body in [
        {"search": {"name": name}, "filter": {}, "limit": 25},
        {"search": {"name": name.lower()}},
        {"search": {"name": name}, "filter": {"source": "s"}},
    ]:
        found = ask(api, files, "search", **body)
        assert [it["id"] for it in found["items"]] == [file["id"]]
    none = ask(api, files, "search", search={"name": name}, filter={"source": "other"})
    assert none == {"items": []}


def test_byids(files, api):
    name = unique()
    first, second = create(api, files, externalId=name), create(api, files)
    items = [{"id": second["id"]}, {"externalId": name}]
    found = ask(api, files, "byids", items=items)["items"]
    assert [it["id"] for it in found] == [second["id"], first["id"]]
    said = ask(api, files, "byids", 400, items=[*items, {"id": 999991}, {"id": 999992}])
    assert said["missing"] == [{"id": 999991}, {"id": 999992}]
    assert said["message"] == "File ids not found: 999991, 999992"
    some = ask(api, files, "byids", items=[*items, {"id": 999991}], ignoreUnknownIds=True)
    assert len(some["items"]) == 2
    said = ask(api, files, "byids", 409, items=[items[0], items[0]])
    assert said["duplicated"] == [items[0]]
    assert said["message"] == f"Duplicate ids: {second['id']}"
    assert error(api.get(f"{files}/999991"), 400)["missing"] == [{"id": 999991}]


def test_update(files, api):
    name = unique()
    file = stored(api, files, b"content", externalId=name, assetIds=[1, 2], metadata={"a": "1"})
    update = {
        "source": {"set": "s"}, "directory": {"setNull": False}, "mimeType": {"set": "text/csv"},
        "assetIds": {"add": [3], "remove": [1]}, "metadata": {"add": {"b": "2"}, "remove": ["a"]},
        "labels": {"set": [{"externalId": "l"}]}, "externalId": {"setNull": True},
    }
    [shown] = ask(api, files, "update", items=[{"externalId": name, "update": update}])["items"]
    assert (shown["source"], shown["assetIds"], shown["metadata"]) == ("s", [2, 3], {"b": "2"})
    assert shown["labels"] == [{"externalId": "l"}]
    assert "externalId" not in shown
    assert shown["lastUpdatedTime"] >= file["lastUpdatedTime"]
    assert content(api, files, id=file["id"]) == b"content"
    two = [{"id": file["id"], "update": {"source": {"set": "x"}}}, {"id": 1, "update": {}}]
    assert ask(api, files, "update", 400, items=two)["missing"] == [{"id": 1}]
    assert show(api, files, file)["source"] == "s"


def test_delete(files, api):
    name = unique()
    first, second = stored(api, files, b"x", externalId=name), stored(api, files, b"y")
    items = [{"externalId": name}, {"id": second["id"]}]
    assert ask(api, files, "delete", 400, items=[*items, {"id": 1}])["missing"] == [{"id": 1}]
    show(api, files, first)
    assert ask(api, files, "delete", items=items) == {}
    ask(api, files, "delete", 400, items=items)
    assert ask(api, files, "delete", items=items, ignoreUnknownIds=True) == {}
    error(api.get(f"{files}/{first['id']}"), 400)
    gone = requests.put(first["uploadUrl"], data=b"late")
    assert error(gone, 400)["missing"] == [{"id": first["id"]}]


def test_downloads(files, api):
    file = stored(api, files, b"0123456789", name="a b.csv", mimeType="text/csv")
    for query, seconds in [("", 30), ("?extendedExpiration=true", 3600)]:
        links = ask(api, files, f"downloadlink{query}", items=[{"id": file["id"]}])
        url = links["items"][0]["downloadUrl"]
        assert f"X-ID-EXPIRES={seconds}&" in url
        whole = requests.get(url, headers={"Accept-Encoding": "gzip, deflate"})
        assert (whole.status_code, whole.content) == (200, b"0123456789")
        assert whole.headers["Content-Type"] == "text/csv"
        assert whole.headers["Content-Disposition"].startswith("attachment;")
        part = requests.get(url, headers={"Range": "bytes=2-4"})
        assert (part.status_code, part.content) == (206, b"234")
        same = requests.get(url, headers={"If-None-Match": whole.headers["ETag"]})
        assert same.status_code == 304
        error(requests.get(url + "0"), 403)
        error(requests.put(url, data=b"x"), 403)
        error(requests.get(url.replace(f"EXPIRES={seconds}", "EXPIRES=99999")), 403)
    empty = create(api, files)
    said = ask(api, files, "downloadlink", 400, items=[{"id": empty["id"]}])
    assert said["message"] == f"Files not uploaded: {empty['id']}"


def test_another_project(server, token):
    answer = requests.get(f"{server.url}/api/v1/projects/other/files", headers=bearer(token))
    error(answer, 401)


def test_token_inspect(server, api):
    said = api.get(f"{server.url}/api/v1/token/inspect").json()
    assert said["subject"] == "me"
    assert said["projects"] == [{"projectUrlName": "default", "groups": []}]


def test_links_are_built_on_the_public_url(start):
    own = start("--public-url", "https://files.example/")
    headers = bearer(own.token())
    file = requests.post(f"{own.url}/files", json={"name": "a"}, headers=headers).json()
    assert file["uploadUrl"].startswith("https://files.example/files/")
    assert requests.put(own.url + path_of(file["uploadUrl"]), data=b"x").status_code == 200
