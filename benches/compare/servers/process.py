"""A server's process, and what it costs."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """One started program with its children; ends with the `with` block."""

    def __init__(self, command, port, log, cwd=None, env=None, within=30):
        self.port = port
        self.address = f"127.0.0.1:{port}"
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
            self._wait_until_it_listens(within, log)
        except BaseException:
            self.stop()
            raise

    def _wait_until_it_listens(self, within, log):
        end = time.monotonic() + within
        while True:
            if self.popen.poll() is not None:
                raise RuntimeError(f"the server ended at once: {Path(log).read_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.popen.terminate()
        try:
            self.popen.wait(timeout=60)
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

    def cpu_seconds(self):
        """Time on the processor so far, of all of them."""
        total = 0
        for pid in self.pids():
            # The name in parentheses may hold spaces.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def peak_memory(self):
        """The largest resident sizes so far, in bytes, added up."""
        peaks = (Path(f"/proc/{pid}/status").read_text() for pid in self.pids())
        return sum(int(re.search(r"VmHWM:\s+(\d+)", text)[1]) for text in peaks) * 1024
