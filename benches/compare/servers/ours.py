"""The example server, with everything that it does by default, or without its syncs."""

import json
import os
import subprocess
import urllib.request

from exchange import Exchange, call
from servers.process import Process, free_port


class Ours:
    def __init__(self, durability="full"):
        self.durability = durability
        self.name = "filestore" if durability == "full" else "filestore, relaxed"
        self.hashes = "SHA-256"
        self.syncs = "yes" if durability == "full" else "metadata lag, blobs unsynced"
        self.binary = os.environ["FILESTORE_SERVER_BIN"]

    def start(self, folder):
        port, data = free_port(), folder / "data"
        token = subprocess.run(
            [self.binary, "token", "--data", data, "--subject", "bench"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        flags = ["--listen", f"127.0.0.1:{port}", "--durability", self.durability]
        process = Process([self.binary, "--data", data, *flags], port, folder / "log")
        process.token = token
        return process

    def headers(self, running):
        return {"Authorization": f"Bearer {running.token}"}

    def put(self, running, name, size):
        """One upload, as on the page "MOLGENIS Files api"."""
        headers = self.headers(running) | {
            "Content-Type": "application/octet-stream",
            "x-molgenis-filename": name,
        }
        return Exchange.of("POST", "/api/files", running, headers, size)

    def form(self, running, name, size):
        """One upload, as on the page "Upload a File to JEA"."""
        boundary = "----comparison"
        prefix = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        headers = self.headers(running) | {
            "Content-Type": f"multipart/form-data; boundary={boundary}"
        }
        suffix = f"\r\n--{boundary}--\r\n"
        return Exchange.of("POST", "/files", running, headers, size, prefix, suffix)

    def store(self, running, block, name, size):
        """Stores one file, and tells the request that reads it."""
        answer = call(self.put(running, name, size), running, block)
        path = f"/api/files/{json.loads(answer)['id']}?alt=media"
        return Exchange.of("GET", path, running, self.headers(running))
