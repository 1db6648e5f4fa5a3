"""The page "Jmix Files API", line by line."""

import re
from urllib.parse import quote, quote_plus

import pytest
import requests

from harness import bearer, curl, parse_answer, path_of

REFERENCE = re.compile(
    r"fs://\d{4}/\d\d/\d\d/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"(\.[A-Za-z0-9]+)?\?name=\S*"
)


def rest(server):
    return f"{server.url}/rest"


def get(api, server, reference, **query):
    query = "".join(f"&{name}={value}" for name, value in query.items())
    return api.get(f"{rest(server)}/files?fileRef={quote_plus(reference)}{query}")


def assert_created(answer, name, size):
    assert answer.status_code == 201, answer.text
    assert list(answer.json()) == ["fileRef", "name", "size"]
    assert REFERENCE.fullmatch(answer.json()["fileRef"])
    assert answer.json()["name"] == name
    assert answer.json()["size"] == size
    return answer.json()["fileRef"]


# "POST http://localhost:8080/rest/files / Content-Type: multipart/form-data; boundary=WebAppBoundary"
def test_multipart_example_in_raw_form(server, token, api, cat):
    body = (
        b"--WebAppBoundary\r\n"
        b'Content-Disposition: form-data; name="file"; filename="cat.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n"
        b"\r\n" + cat.read_bytes() + b"\r\n--WebAppBoundary--\r\n"
    )
    head = (
        f"POST /rest/files HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n"
        "Content-Type: multipart/form-data; boundary=WebAppBoundary\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode() + body)
        answer = parse_answer(connection.makefile("rb").read())
    assert answer.status == 201
    info = answer.json()
    assert REFERENCE.fullmatch(info["fileRef"])
    assert info["fileRef"].endswith(".jpg?name=cat.jpg")
    assert (info["name"], info["size"]) == ("cat.jpg", cat.stat().st_size)
    assert get(api, server, info["fileRef"]).content == cat.read_bytes()


def test_multipart_by_curl(server, token, api, cat):
    answer = curl("-H", f"Authorization: Bearer {token}", "-F", f"file=@{cat}", f"{rest(server)}/files")
    assert answer.status == 201
    assert answer.json()["name"] == "cat.jpg"
    assert get(api, server, answer.json()["fileRef"]).content == cat.read_bytes()
    located = api.get(answer.headers["location"])
    assert located.content == cat.read_bytes()


# "POST http://localhost:8080/rest/files?name=dog.jpg"
def test_name_parameter_beats_the_form(server, api, cat):
    with open(cat, "rb") as file:
        answer = api.post(f"{rest(server)}/files?name=dog.jpg", files={"file": file})
    assert assert_created(answer, "dog.jpg", cat.stat().st_size).endswith(".jpg?name=dog.jpg")


# "The form data that contains the file binary needs to be named file"
def test_other_form_fields_are_no_file(server, api, cat):
    before = server.stored()
    with open(cat, "rb") as file:
        answer = api.post(f"{rest(server)}/files", files={"photo": file})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "details"}
    assert server.stored() == before


# "POST http://localhost:8080/rest/files?name=cat-via-direct-request.jpg / Content-Type: image/jpeg"
def test_direct_example(server, api, cat):
    answer = api.post(
        f"{rest(server)}/files?name=cat-via-direct-request.jpg",
        data=cat.read_bytes(), headers={"Content-Type": "image/jpeg"},
    )
    reference = assert_created(answer, "cat-via-direct-request.jpg", cat.stat().st_size)
    assert reference.endswith(".jpg?name=cat-via-direct-request.jpg")
    assert get(api, server, reference).content == cat.read_bytes()


def test_direct_upload_without_length_tells_its_size(server, api):
    answer = api.post(f"{rest(server)}/files?name=a.bin", data=iter([b"abc", b"def"]))
    assert_created(answer, "a.bin", 6)


def test_direct_upload_without_a_name(server, api):
    answer = api.post(f"{rest(server)}/files", data=b"x", headers={"Content-Type": "image/png"})
    assert assert_created(answer, "", 1).endswith("?name=")


@pytest.fixture
def reference(server, api, cat):
    with open(cat, "rb") as file:
        answer = api.post(
            f"{rest(server)}/files?name=cat-via-direct-request.jpg", files={"file": file}
        )
    return answer.json()["fileRef"]


# "should always be URL encoded", and the page's own example, which is not
@pytest.mark.parametrize("encode", [quote_plus, lambda it: quote(it, safe=""), str])
def test_download(server, token, cat, reference, encode):
    answer = curl(
        "-g", "-H", f"Authorization: Bearer {token}",
        f"{rest(server)}/files?fileRef={encode(reference)}",
    )
    assert answer.status == 200
    assert answer.body == cat.read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('inline; filename="cat-via-direct-request.jpg"')
    assert answer.headers["content-length"] == str(cat.stat().st_size)
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


# "If it is set to true, ... "attachment", "inline" value will be used otherwise."
@pytest.mark.parametrize("value, kind", [("true", "attachment"), ("false", "inline")])
def test_attachment_parameter(server, api, reference, value, kind):
    answer = get(api, server, reference, attachment=value)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith(f"{kind}; ")


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "none"])
def test_dangerous_types_are_never_inline(server, api, name):
    answer = api.post(f"{rest(server)}/files?name={name}", data=b"<script>alert(1)</script>")
    for value in ["false", "true"]:
        got = get(api, server, answer.json()["fileRef"], attachment=value)
        assert got.headers["Content-Disposition"].startswith("attachment; ")


# "Otherwise, 404 - Not Found is returned."
def test_unknown_file(server, api):
    reference = "fs://2021/03/12/2266c97c-cf23-c202-481d-04d972e185b4.jpg?name=cat.jpg"
    answer = get(api, server, reference)
    assert answer.status_code == 404
    assert answer.json()["error"] == "File not found"
    assert reference in answer.json()["details"]


@pytest.mark.parametrize(
    "reference",
    ["", "cat.jpg", "other://2021/03/12/2266c97c-cf23-c202-481d-04d972e185b4.jpg?name=cat.jpg",
     "fs://2021/03/12/2266c97c-cf23-c202-481d-04d972e185b4.jpg"],
)
def test_bad_references(server, api, reference):
    answer = get(api, server, reference)
    assert answer.status_code == 400
    assert answer.json()["error"] == "Invalid file reference"


@pytest.mark.parametrize("path", ["../../../../etc/passwd", "2026/04/28/../../../../outside/a.txt"])
def test_references_that_climb(server, api, path):
    assert get(api, server, f"fs://{path}?name=passwd").status_code in (400, 404)


def test_reference_is_the_records_own(server, api, reference):
    other_day = re.sub(r"fs://\d{4}", "fs://1999", reference)
    other_extension = reference.replace(".jpg?", ".png?")
    for wrong in [other_day, other_extension]:
        assert get(api, server, wrong).status_code == 404


def test_missing_parameter(server, api):
    answer = api.get(f"{rest(server)}/files")
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "details"}


def test_401_and_403(server, reader, writer, reference):
    before = server.stored()
    url = f"{rest(server)}/files"
    for headers in [{}, bearer("garbage")]:
        for answer in [
            requests.post(url, files={"file": b"x"}, headers=headers),
            requests.get(f"{url}?fileRef={quote_plus(reference)}", headers=headers),
            requests.get(f"{rest(server)}/nothing", headers=headers),
        ]:
            assert (answer.status_code, answer.content) == (401, b"")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    up = requests.post(url, files={"file": b"x"}, headers=bearer(reader))
    down = requests.get(f"{url}?fileRef={quote_plus(reference)}", headers=bearer(writer))
    assert up.status_code == down.status_code == 403
    assert up.json() == {
        "error": "File upload failed", "details": "File upload is not permitted",
    }
    assert down.json() == {
        "error": "File download failed", "details": "File download is not permitted",
    }
    assert server.stored() == before


# "Referencing Files from Entities"
def test_product(server, api, reference):
    url = f"{rest(server)}/entities/rstex11_Product"
    answer = api.post(url, json={"name": "Product with Image", "image": reference})
    assert answer.status_code == 201
    made = answer.json()
    assert '"price":100.00' in answer.text.replace(" ", "")
    assert {name: made[name] for name in ["name", "image", "price"]} == {
        "name": "Product with Image", "image": reference, "price": 100.0,
    }
    at = f"{url}/{made['id']}"
    assert answer.headers["Location"] == at

    assert api.get(at).json() == made
    assert get(api, server, api.get(at).json()["image"]).status_code == 200

    updated = api.put(at, json={"price": 12.5, "image": None})
    assert updated.status_code == 200
    assert updated.json()["price"] == 12.5
    assert updated.json().get("image") is None
    assert updated.json()["name"] == "Product with Image"

    assert api.delete(at).status_code == 204
    gone = api.get(at)
    assert gone.status_code == 404
    assert gone.json()["error"] == "Entity not found"
    assert get(api, server, reference).status_code == 200, "the file stays"


def test_products_in_bulk(server, api):
    url = f"{rest(server)}/entities/rstex11_Product"
    answer = api.post(url, json=[{"name": "one"}, {"name": "two", "price": 2}])
    assert answer.status_code == 201
    assert [product["name"] for product in answer.json()] == ["one", "two"]


def test_entity_errors(server, api):
    url = f"{rest(server)}/entities"
    missing = "ea6f1b3c-0e74-c90b-b009-9f58ac964034"
    cases = [
        (api.post(f"{url}/sales_Order", json={}), 404, "Entity not found"),
        (api.get(f"{url}/rstex11_Product/{missing}"), 404, "Entity not found"),
        (api.get(f"{url}/rstex11_Product/one"), 400, "Invalid entity ID"),
        (
            api.post(f"{url}/rstex11_Product", data=b"{"),
            400, "Cannot deserialize an entity from JSON",
        ),
        (
            api.post(f"{url}/rstex11_Product", data=b""),
            400, "Cannot deserialize an entity from JSON",
        ),
    ]
    for answer, status, error in cases:
        assert answer.status_code == status, answer.text
        assert answer.json()["error"] == error


def test_location_is_built_on_the_public_url(start):
    own = start("--public-url", "https://files.example/")
    headers = bearer(own.token())
    answer = requests.post(f"{own.url}/rest/files?name=a.txt", data=b"x", headers=headers)
    location = answer.headers["Location"]
    assert location.startswith("https://files.example/rest/files?fileRef=fs%3A%2F%2F")
    assert requests.get(own.url + path_of(location), headers=headers).content == b"x"
