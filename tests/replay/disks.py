"""Small disks of a test's own, which get full, and lose their power."""

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

# `EXT4_IOC_SHUTDOWN`, and its flag that drops what is not yet in the journal.
SHUTDOWN, WITHOUT_THE_LOG = 0x8004587D, 2


class Disk:
    """A mounted file system. Making one takes root; `Unmountable` says why there is none."""

    def __init__(self, at, kind, mebibytes):
        self.at, self.kind = Path(at), kind
        self.at.mkdir(exist_ok=True)
        if kind == "tmpfs":
            self.source = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"]
        else:
            image = self.at.with_name(self.at.name + ".image")
            with open(image, "wb") as file:
                file.truncate(mebibytes << 20)
            run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", image)
            self.source = ["-t", "ext4", "-o", "loop", image]
        self.mount()

    def mount(self):
        run("mount", *self.source, self.at)

    def unmount(self):
        # Who had it open has ended, perhaps only just.
        for tries in reversed(range(100)):
            try:
                return run("umount", self.at)
            except Unmountable:
                if not tries:
                    raise
                time.sleep(0.05)

    def cut_power(self):
        """What was not synced is lost, as far as the kernel has not written it of its own accord.
        Every call fails from now on, until the disk is unmounted and mounted again."""
        folder = os.open(self.at, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", WITHOUT_THE_LOG))
        finally:
            os.close(folder)

    def turn_read_only(self):
        """As ext4 does by itself when it finds that something is wrong."""
        run("mount", "-o", "remount,errors=remount-ro", self.at)
        device = run("findmnt", "-n", "-o", "SOURCE", self.at).strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("1")


class Unmountable(Exception):
    pass


def why_none():
    """Why no disk can be mounted here; nothing when one can. On the automation's machine one can."""
    if os.geteuid() == 0:
        return None
    return "only root mounts disks"


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmountable(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout
