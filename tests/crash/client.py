"""The calls of the five dialects, as far as a crash is of interest to them."""

import base64
import datetime
import json
import uuid
from urllib.parse import quote, quote_plus, urlsplit

import requests

from harness import bearer, sha256

DIALECTS = ("jea", "molgenis", "jmix", "cdf", "idempiere")
ATTACHMENTS = "/api/v1/models/C_Order"


class Cut(Exception):
    """Nobody knows what became of a request."""


class Client:
    """Calls a server that may go away at any time. `excuses` says whether a status is none of its
    faults, at the moment: its disk may be gone, too."""

    def __init__(self, server, token, excuses=lambda status: False):
        self.url, self.excuses = server.url, excuses
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(bearer(token))

    def call(self, method, path, *expected, **options):
        """The answer, which must have one of the statuses."""
        try:
            url = path if path.startswith("http") else self.url + path
            answer = self.session.request(method, url, timeout=60, **options)
        except requests.RequestException as error:
            raise Cut from error
        if self.excuses(answer.status_code):
            raise Cut
        assert answer.status_code in expected, (
            f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        )
        return answer

    # -- files in one piece -----------------------------------------------------------------------

    def upload(self, dialect, name, content):
        """Stores a file, and tells its id. CDF's has another call for its content."""
        octets = {"Content-Type": "application/octet-stream"}
        match dialect:
            case "jea":
                made = self.call("POST", "/jea_web/api/upload", 200, files={"file": content})
                return made.json()["fileHandle"]
            case "molgenis":
                headers = octets | {"x-molgenis-filename": name}
                made = self.call("POST", "/api/files", 201, data=content, headers=headers)
                return base64.b32decode(made.json()["id"].upper() + "======").hex()
            case "jmix":
                files = {"file": (name, content)}
                made = self.call("POST", "/rest/files", 201, files=files)
                return uuid.UUID(made.json()["fileRef"].split("/")[-1][:36]).hex
        raise ValueError(dialect)

    def make(self, name):
        """A file of CDF without content, and where that goes."""
        made = self.call("POST", "/files", 201, json={"name": name}).json()
        return made["id"], made["uploadUrl"]

    def upload_url(self, number):
        """Where other content goes."""
        asked = self.call("POST", "/files/uploadlink", 200, json={"items": [{"id": number}]})
        return asked.json()["items"][0]["uploadUrl"]

    def put(self, url, content):
        self.call("PUT", url, 200, data=content)

    def copy(self, id, record):
        to = {"copyLocation": "ATTACHMENT", "tableName": "C_Order", "recordId": record}
        self.call("POST", f"/api/v1/uploads/{uuid.UUID(id)}/copy", 200, json=to)

    def delete(self, dialect, id, number):
        match dialect:
            case "jea":
                self.call("DELETE", f"/jea_web/api/files/{id}", 200)
            case "molgenis":
                self.call("DELETE", f"/api/files/{base32(id)}", 204)
            case "idempiere":
                self.call("DELETE", f"/api/v1/uploads/{uuid.UUID(id)}", 200)
            case "cdf":
                self.call("POST", "/files/delete", 200, json={"items": [{"id": number}]})
            case _:
                raise ValueError(dialect)

    # -- reading ----------------------------------------------------------------------------------

    def digest(self, dialect, id, number, name):
        """The SHA-256 of a file, which must be whole; None when there is none."""
        absent = (404,)
        match dialect:
            case "jea":
                path = f"/jea_web/api/download/{id}"
            case "molgenis":
                path = f"/api/files/{base32(id)}?alt=media"
            case "jmix":
                path = f"/rest/files?fileRef={quote_plus(reference(id, name))}"
            case "idempiere":
                # 400 says that the upload was canceled, or has no content yet.
                path, absent = f"/api/v1/uploads/{uuid.UUID(id)}/file", (400, 404)
            case "cdf":
                ask = {"items": [{"id": number}]}
                links = self.call("POST", "/files/downloadlink", 200, 400, json=ask)
                if links.status_code == 400:
                    return None
                path, absent = links.json()["items"][0]["downloadUrl"], ()
        return self.digest_at(path, *absent)

    def digest_at(self, path, *absent):
        answer = self.call("GET", path, 200, *absent)
        return sha256(answer.content) if answer.status_code == 200 else None

    def attachment(self, record, name):
        return self.digest_at(f"{ATTACHMENTS}/{record}/attachments/{quote(name)}", 404)

    def listed(self):
        """What CDF lists: whether there is content, by number."""
        found, cursor = {}, None
        while True:
            ask = {"limit": 1000} | ({"cursor": cursor} if cursor else {})
            page = self.call("POST", "/files/list", 200, json=ask).json()
            found |= {item["id"]: item["uploaded"] for item in page["items"]}
            cursor = page.get("nextCursor")
            if not cursor:
                return found

    # -- in parts ---------------------------------------------------------------------------------

    def begin(self, name, size, digest):
        """An upload of iDempiere."""
        new = {"fileName": name, "fileSize": size, "sha256": digest, "expiresInSeconds": 604_800}
        return self.call("POST", "/api/v1/uploads", 201, json=new).json()["uploadId"]

    def send_chunk(self, id, number, total, content):
        """Whether it was the last."""
        headers = {"Content-Type": "application/octet-stream", "X-Total-Chunks": str(total)}
        path = f"/api/v1/uploads/{id}/chunks/{number}"
        return self.call("PUT", path, 200, data=content, headers=headers).json()["isLastChunk"]

    def upload_status(self, id):
        return self.call("GET", f"/api/v1/uploads/{id}", 200).json()

    def pending_uploads(self):
        listed = self.call("GET", "/api/v1/uploads", 200).json()
        return {upload["uploadId"] for upload in listed["uploads"]}

    def cancel(self, id):
        self.call("DELETE", f"/api/v1/uploads/{id}", 200)

    def begin_parts(self, name, number, parts):
        """An upload of CDF: to a new file, or to one that is there."""
        if number is None:
            path, new = f"/files/initmultipartupload?parts={parts}", {"name": name}
            begun = self.call("POST", path, 201, json=new).json()
        else:
            path = f"/files/multiuploadlink?parts={parts}"
            asked = self.call("POST", path, 200, json={"items": [{"id": number}]})
            begun = asked.json()["items"][0]
        return begun["id"], begun["uploadId"], begun["uploadUrls"]

    def complete_parts(self, number, id):
        ask = {"id": number, "uploadId": id}
        self.call("POST", "/files/completemultipartupload", 200, json=ask)

    # -- entities ---------------------------------------------------------------------------------

    def entity(self, id):
        """Its name; None when there is none."""
        found = self.call("GET", f"/rest/entities/rstex11_Product/{id}", 200, 404)
        return found.json()["name"] if found.status_code == 200 else None

    def make_entity(self, id, name):
        body = {"id": id, "name": name}
        self.call("POST", "/rest/entities/rstex11_Product", 201, json=body)

    def rename_entity(self, id, name):
        self.call("PUT", f"/rest/entities/rstex11_Product/{id}", 200, data=json.dumps({"name": name}))

    def delete_entity(self, id):
        self.call("DELETE", f"/rest/entities/rstex11_Product/{id}", 204)


def base32(id):
    return base64.b32encode(bytes.fromhex(id)).decode().rstrip("=").lower()


def reference(id, name):
    """What Jmix calls a file. Its day is in the id, as in every UUID of version 7."""
    made = datetime.datetime.fromtimestamp(int(id[:12], 16) / 1000, datetime.UTC)
    extension = f".{name.rsplit('.', 1)[1]}" if "." in name else ""
    return f"fs://{made:%Y/%m/%d}/{uuid.UUID(id)}{extension}?name={quote_plus(name)}"


def here(server, url):
    """A signed URL, at the address that the server has now."""
    return server.url + urlsplit(url)._replace(scheme="", netloc="").geturl()
