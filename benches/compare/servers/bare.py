"""Our own bare receiver: hyper, SHA-256, and nothing is kept."""

import os

from servers.plain import Plain


def bare():
    return Plain(
        "bare hyper receiver",
        "`benches/compare/bare`",
        hashes="SHA-256",
        verifies="no",
        syncs="keeps nothing",
        program=lambda: os.environ["FILESTORE_BARE_BIN"],
        command=lambda program, folder, port: [program, port],
    )
