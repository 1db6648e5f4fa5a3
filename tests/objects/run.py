"""Runs a command once for each object store of others, started for it on this machine.

    tests/objects/run.py WEED AZURITE COMMAND...

WEED is SeaweedFS' program, which speaks S3, AZURITE is Microsoft's stand-in for Azure Blob Storage. The
command finds a bucket's URL in FILESTORE_BUCKET, the settings of its service in variables beside it, and
in FILESTORE_PART_SIZE how long parts shall be, where that is not to be what it is otherwise.
"""

import base64
import contextlib
import email.utils
import hashlib
import hmac
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

PATIENCE = 90  # seconds until a service that is started answers
# Azurite's own account, the same for everybody.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def seaweedfs(program: str, folder: Path):
    """SeaweedFS has master, volume, filer and S3 in one process, each with two ports."""
    identity = {
        "name": "tests",
        "credentials": [{"accessKey": "tests", "secretKey": "of-the-object-tests"}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    names = ["master.port", "volume.port", "filer.port", "s3.port"]
    names += [f"{name}.grpc" for name in names]
    ports = dict(zip(names, free_ports(len(names))))
    command = [
        program, "-logtostderr", "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=64",
        "-volume.minFreeSpace=64MiB", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", f"-s3.config={folder / 's3.json'}",
        f"-s3.localSocket={folder / 's3.sock'}", f"-filer.localSocket={folder / 'filer.sock'}",
        *(f"-{name}={port}" for name, port in ports.items()),
    ]
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    settings = {
        "FILESTORE_BUCKET": "s3://filestore",
        "AWS_ENDPOINT": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "of-the-object-tests",
    }
    return command, settings, lambda: answers(endpoint) and make_bucket(endpoint, "filestore")


def make_bucket(endpoint: str, name: str) -> bool:
    signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "tests:of-the-object-tests"]
    made = subprocess.run(["curl", "-sf", "-o", os.devnull, "-X", "PUT", *signed, f"{endpoint}/{name}"])
    return made.returncode == 0


def azurite(program: str, folder: Path):
    (port,) = free_ports(1)
    command = [
        program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder),
        "--silent", "--disableTelemetry", "--skipApiVersionCheck",
    ]
    endpoint = f"http://127.0.0.1:{port}"
    settings = {
        "FILESTORE_BUCKET": "az://filestore",
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURITE_BLOB_STORAGE_URL": endpoint,
        # It takes small ones, which S3 does not: so nearly everything is sent in parts.
        "FILESTORE_PART_SIZE": str(256 << 10),
    }
    return command, settings, lambda: answers(endpoint) and make_container(endpoint, "filestore")


def make_container(endpoint: str, name: str) -> bool:
    """Signed as "Authorize with Shared Key" of Azure's documentation says."""
    headers = {"x-ms-date": email.utils.formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    signed = "PUT" + "\n" * 12 + "".join(f"{key}:{value}\n" for key, value in sorted(headers.items()))
    signed += f"/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    signature = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
    url = f"{endpoint}/{ACCOUNT}/{name}?restype=container"
    with urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers)):
        return True


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as refusal:
        # It is not there for everybody, but it is there.
        return refusal.code < 500
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def run(service, program: str, command: list[str]) -> int:
    print(f"\n==> {service.__name__}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        start, settings, is_ready = service(program, Path(folder))
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(start, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        try:
            deadline = time.monotonic() + PATIENCE
            while not is_ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    print(log.read_text(errors="replace")[-5000:], file=sys.stderr)
                    print(f"{service.__name__} does not answer", file=sys.stderr)
                    return 1
                time.sleep(0.2)
            return subprocess.run(command, env=os.environ | settings).returncode
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main() -> int:
    weed, azurite_blob, *command = sys.argv[1:]
    codes = [run(seaweedfs, weed, command), run(azurite, azurite_blob, command)]
    return max(map(abs, codes))


if __name__ == "__main__":
    sys.exit(main())
