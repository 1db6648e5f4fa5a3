"""Small disks of a test's own, which get full, break, and lose their power."""

import fcntl
import os
import struct
import subprocess
import time
from pathlib import Path

# `EXT4_IOC_SHUTDOWN`, and its flag that drops what is not yet in the journal.
SHUTDOWN, WITHOUT_THE_LOG = 0x8004587D, 2


class Unmountable(Exception):
    """Only root mounts disks, and root must be able to."""

    def __init__(self, reason):
        if os.geteuid() == 0:
            raise AssertionError(f"root cannot mount a disk here: {reason}")
        super().__init__(reason)


class Disk:
    """A mounted file system, `tmpfs` or `ext4`."""

    def __init__(self, at, kind, mebibytes):
        self.at = Path(at)
        self.at.mkdir(exist_ok=True)
        if kind == "tmpfs":
            self.source = ["-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs"]
        else:
            image = self.at.with_name(self.at.name + ".image")
            with open(image, "wb") as file:
                file.truncate(mebibytes << 20)
            run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", image)
            self.source = ["-t", "ext4", "-o", "loop,errors=remount-ro", image]
        self.mount()

    def mount(self):
        run("mount", *self.source, self.at)

    def unmount(self):
        # Whoever had it open has ended, perhaps only just.
        for tries in reversed(range(100)):
            done = subprocess.run(["umount", self.at], capture_output=True, text=True)
            if done.returncode == 0:
                return
            assert tries, done.stderr
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
        """As ext4 does when it finds something wrong. It must be checked before the next mount."""
        device = run("findmnt", "-n", "-o", "SOURCE", self.at).strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("1")


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise Unmountable(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout
