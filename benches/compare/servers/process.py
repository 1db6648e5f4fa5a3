"""A server's process, and what it costs."""

import os
import re
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass(frozen=True)
class Usage:
    """What a process and its children have used since they began."""

    # On the processor, user and system.
    cpu_seconds: float
    # By read(2) and its like, from files: what comes from sockets is received and not counted.
    # Node.js and Go read sockets that way, too.
    bytes_read: int


class Process:
    """One started program with its children; ends with the `with` block."""

    def __init__(self, command, port, log, cwd=None, env=None, within=60):
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.log = Path(log)
        with open(log, "wb") as output:
            self.popen = subprocess.Popen(
                list(map(str, command)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=env,
            )
        try:
            self._wait_until_it_listens(within)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_listens(self, within):
        end = time.monotonic() + within
        while True:
            if self.popen.poll() is not None:
                raise RuntimeError(f"the server ended at once: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise RuntimeError(f"the server does not listen: {self.last_words()}") from None
            time.sleep(0.05)

    def has_ended(self):
        try:
            # A connection may break before the process has gone.
            self.popen.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self):
        """What the log has of an error, else its end."""
        lines = self.log.read_text(errors="replace").split("\n")
        return next((line for line in lines if "rror" in line), " ".join(lines[-5:])).strip()[:200]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.popen.terminate()
        try:
            self.popen.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def pids(self):
        """The process and its descendants."""
        found, queue = [], [self.popen.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                queue += map(int, task.read_text().split())
        return found

    def usage(self):
        ticks, read = 0, 0
        for pid in self.pids():
            # The name in parentheses may hold spaces.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            read += int(re.search(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[1])
        return Usage(ticks / TICKS, read)

    def forget_peak(self):
        """From here on the peak of memory is counted anew."""
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_memory(self):
        """The largest resident sizes since then, in bytes, added up."""
        peaks = (Path(f"/proc/{pid}/status").read_text() for pid in self.pids())
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in peaks) * 1024
