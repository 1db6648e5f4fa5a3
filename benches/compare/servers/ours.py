"""The example server with everything that it does by default, or without its syncs."""

import json
import os
import subprocess
from dataclasses import dataclass

from exchange import Exchange, perform
from servers.plain import Server
from servers.process import Process, free_port

BOUNDARY = "----comparison"
SESSIONS = "/api/v1/uploads"


@dataclass
class Ours(Server):
    durability: str

    def start(self, folder):
        program, port, data = os.environ["FILESTORE_SERVER_BIN"], free_port(), folder / "data"
        token = subprocess.run(
            [program, "token", "--data", data, "--subject", "comparison"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        flags = ["--listen", f"127.0.0.1:{port}", "--durability", self.durability]
        process = Process([program, "--data", data, *flags], port, folder / "log")
        process.headers = {"Authorization": f"Bearer {token}"}
        process.database = data / "metadata.sqlite"
        return process

    def put(self, running, name, size):
        """As on the page "MOLGENIS Files api"."""
        headers = running.headers | {
            "Content-Type": "application/octet-stream",
            "x-molgenis-filename": name,
        }
        return Exchange.of("POST", "/api/files", running, headers, size)

    def store(self, running, payload, name, size):
        _, body = perform(self.put(running, name, size), running, payload)
        return f"/api/files/{json.loads(body)['id']}?alt=media"

    def read(self, running, path, method="GET"):
        return Exchange.of(method, path, running, running.headers)

    def form(self, running, name, size):
        """As on the page "Upload a File to JEA"."""
        prefix = (
            f"--{BOUNDARY}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        headers = running.headers | {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        suffix = f"\r\n--{BOUNDARY}--\r\n"
        return Exchange.of("POST", "/jea_web/api/upload", running, headers, size, prefix, suffix)

    def session(self, running, payload, size, chunk, hashed):
        """As on the page "iDempiere Uploads API": a session is begun, and its chunks, in order, are
        answered; with a hash of each if they are to be hashed."""
        sha256 = payload.sha256(size)
        begin = json.dumps({"fileName": "file", "fileSize": size, "sha256": sha256})
        kind = {"Content-Type": "application/json"}
        begun = Exchange.of("POST", SESSIONS, running, running.headers | kind, prefix=begin)
        _, body = perform(begun, running)
        upload = json.loads(body)["uploadId"]
        total, rest = divmod(size, chunk)
        assert not rest, "all chunks are of one size"
        headers = running.headers | {
            "Content-Type": "application/octet-stream",
            "X-Total-Chunks": total,
        }
        if hashed:
            headers["X-Content-SHA256"] = payload.sha256(chunk)
        chunks = (f"{SESSIONS}/{upload}/chunks/{order}" for order in range(1, total + 1))
        return [Exchange.of("PUT", path, running, headers, chunk) for path in chunks]

    def reserve(self, running, sources):
        """As on the pages "Cognite CDF Files": files without content, as many as `sources` in turn."""

        def of(source):
            body = json.dumps({"name": "report {turn}.pdf", "source": source})
            return Exchange.of("POST", "/files", running, running.headers, prefix=body)

        return [of(source) for source in sources]

    def page(self, running, source, limit):
        """A page of the files of a source, as on the pages "Cognite CDF Files"."""
        body = json.dumps({"filter": {"source": source}, "limit": limit})
        return Exchange.of("POST", "/files/list", running, running.headers, prefix=body)


def ours(durability="full"):
    full = durability == "full"
    return Ours(
        "filestore" if full else "filestore, relaxed",
        "this repository",
        hashes="SHA-256",
        verifies="declared digests and sizes",
        syncs="bytes, names and metadata" if full else "no",
        durability=durability,
    )
