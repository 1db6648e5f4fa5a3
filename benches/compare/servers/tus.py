"""Servers of resumable uploads: an upload is made with its bytes in one request, where that fits."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable
from urllib.parse import urlsplit

import peers
from exchange import Exchange, perform
from servers.plain import Server
from servers.process import Process, free_port

SCRIPT = Path(__file__).with_name("tus.mjs")


@dataclass
class Tus(Server):
    program: Callable
    # From program, folder and port.
    command: Callable

    def install(self):
        self.program()

    def start(self, folder):
        (folder / "files").mkdir()
        (folder / "info").mkdir()
        port = free_port()
        command = self.command(self.program(), folder, port)
        return Process(command, port, folder / "log", cwd=folder, env=os.environ)

    def put(self, running, name, size):
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": size,
            "Content-Type": "application/offset+octet-stream",
        }
        return Exchange.of("POST", "/files/", running, headers, size)

    def store(self, running, payload, name, size):
        answer, _ = perform(self.put(running, name, size), running, payload)
        return urlsplit(answer.getheader("Location")).path


def node():
    return Tus(
        "@tus/server",
        "npm: @tus/server 2.4.5, @tus/file-store 2.1.1",
        hashes="no",
        verifies="no",
        syncs="no",
        program=lambda: peers.npm("@tus/server@2.4.5", "@tus/file-store@2.1.1"),
        command=lambda modules, folder, port: ["node", SCRIPT, modules, port, folder / "files"],
    )


def rustus():
    return Tus(
        "rustus",
        "cargo: rustus 0.5.10",
        hashes="no",
        verifies="no",
        syncs="no",
        program=lambda: peers.cargo("rustus", "0.5.10"),
        command=lambda program, folder, port: [
            program,
            *("--host", "127.0.0.1", "--port", port, "--url", "/files", "--log-level", "ERROR"),
            *("--data-dir", folder / "files", "--info-dir", folder / "info"),
            *("--max-body-size", 2 << 30),
        ],
    )
