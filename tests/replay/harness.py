"""Starts the real server, and calls it the way its users do."""

import email.parser
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(
    os.environ.get("FILESTORE_SERVER_BIN", REPOSITORY / "target/release/examples/server")
).absolute()

# No call leaves this machine, whatever proxy it has. Settings of the caller's own server are not ours.
CLEAN_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.upper().startswith("FILESTORE_") and not name.upper().endswith("_PROXY")
} | {"NO_PROXY": "*"}


def run_server(*arguments, env=None, cwd=None, timeout=120, under=()):
    """Runs the server's program to its end, under another program if one is given."""
    return subprocess.run(
        list(map(str, [*under, BINARY, *arguments])),
        env=CLEAN_ENVIRONMENT | (env or {}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class Server:
    """A running server with its data folder. `stop` asserts a graceful end.

    `under` is a program, with its arguments, that runs the server and has the same process id."""

    def __init__(self, data, *flags, env=None, cwd=None, under=()):
        self.data, self.flags, self.env, self.cwd = Path(data), flags, env or {}, cwd
        self.under = under
        self.log = self.data.with_name(self.data.name + ".log")
        self.errors = self.data.with_name(self.data.name + ".errors")
        self.start()

    def start(self):
        command = [*self.under, BINARY, "--data", self.data, *self.flags]
        if "--listen" not in self.flags and "FILESTORE_LISTEN" not in self.env:
            command += ["--listen", "127.0.0.1:0"]
        with open(self.log, "wb") as out, open(self.errors, "wb") as err:
            self.process = subprocess.Popen(
                list(map(str, command)),
                env=CLEAN_ENVIRONMENT | self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        try:
            address = wait_for(self._address, "the server's address")
            self.host, port = address.rsplit(":", 1)
            self.port, self.url = int(port), f"http://{address}"
            wait_for(lambda: self.status("/healthz") == 200, "a healthy server")
        except BaseException:
            self.kill()
            raise

    def _address(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended at once: {self.errors.read_text()}")
        found = re.search(r"^filestore listens on http://(\S+)$", self.banner, re.M)
        return found and found[1]

    @property
    def banner(self):
        return self.log.read_text()

    def status(self, path):
        """The status of a GET, None when nobody answers."""
        try:
            return self.get(path)[0]
        except (OSError, http.client.HTTPException):
            return None

    def get(self, path, **headers):
        """Status, headers and body of a GET on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def stop(self, expected=0):
        """Asks for a graceful end, and asserts that it is one."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        errors = self.errors.read_text()
        assert "panicked" not in errors, errors
        assert code == expected, f"exit code {code}: {errors}"

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=60)

    def token(self, subject="me", *flags):
        done = run_server("token", "--data", self.data, "--subject", subject, *flags, env=self.env)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def command(self, *arguments, under=()):
        """A subcommand, run beside the server on the same data."""
        return run_server(*arguments, "--data", self.data, env=self.env, under=under)

    def stored(self):
        """The ids of all files there are, as 32 hex digits."""
        return {bytes(row[0]).hex() for row in self.query("SELECT id FROM file")}

    def look_up(self, statement, *values):
        """The one value that the statement finds in the database."""
        [[value]] = self.query(statement, *values)
        return value

    def query(self, statement, *values):
        """The rows that the statement finds in the database, past every dialect."""
        database = self.data / "metadata.sqlite"
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def change(self, statement, *values):
        """Changes the database past the server, as another process may that has the file open."""
        connection = sqlite3.connect(self.data / "metadata.sqlite", timeout=30)
        try:
            with connection:
                connection.execute(statement, values)
        finally:
            connection.close()

    def blobs(self):
        """The files in the blob folders, but for the one that names the store."""
        return [it for it in self.data.glob("blobs/??/*") if it.name.strip("0")]

    def peak_memory(self):
        """The largest resident size so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.M)[1]) * 1024

    def is_traced(self):
        """Whether all threads of the process are, or it has ended."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/status")
        try:
            return all("TracerPid:\t0\n" not in it.read_text() for it in threads)
        except OSError:
            # A thread that ended meanwhile, or all of them.
            return self.process.poll() is not None

    def connect(self, timeout=30):
        return socket.create_connection((self.host, self.port), timeout=timeout)


class Traced:
    """A running server under strace, whose calls are logged, and meddled with as `inject` says
    (`fsync:error=EIO:when=2`; the count is of each thread). `paths` leaves all other files alone."""

    def __init__(self, server, log, inject, paths=()):
        assert tool("strace"), "strace is not installed"
        self.log = log
        command = ["strace", "-f", "-y", "-o", log, "-e", f"trace={inject.partition(':')[0]}"]
        command += ["-e", f"inject={inject}", "-p", server.process.pid]
        command += [flag for path in paths for flag in ("-P", path)]
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: server.process.poll() is not None or server.is_traced(), "a tracer")

    def calls(self):
        """The lines of the log that are calls."""
        return [line for line in self.log.read_text().splitlines() if "(" in line]

    def end(self):
        self.process.terminate()
        self.process.wait(timeout=60)


def wait_for(condition, what, within=60):
    """Polls until the condition holds, and answers what it answered."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.02)


@dataclass
class Answer:
    status: int
    headers: email.message.Message
    body: bytes

    def json(self):
        return json.loads(self.body)


def curl(*arguments, cwd=None, stdin=None, timeout=120):
    """What curl, called with these arguments, was answered."""
    command = ["curl", "-q", "-sS", "-i", "--max-time", timeout, *arguments]
    done = subprocess.run(
        list(map(str, command)),
        env=CLEAN_ENVIRONMENT,
        cwd=cwd,
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=timeout + 10,
    )
    assert done.returncode == 0, f"curl {done.returncode}: {done.stderr.decode()}"
    return parse_answer(done.stdout)


def parse_answer(raw):
    """The final answer in raw bytes, past those with a 1xx status."""
    while True:
        head, _, body = raw.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        status = int(line.split()[1])
        if status >= 200:
            break
        raw = body
    headers = email.parser.Parser().parsestr(fields.decode("utf-8"), headersonly=True)
    return Answer(status, headers, body)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def path_of(url):
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def tool(name):
    """Where a program is. On the automation's machine it must be there, elsewhere it may be."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        raise AssertionError(f"{name} is not installed; .ci/run setup installs it")
    return found
