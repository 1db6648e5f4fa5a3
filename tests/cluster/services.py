"""What nodes keep their things in, started for the test: PostgreSQL, and SeaweedFS with several volume
servers. Each is a process of this one's own, and ends with it."""

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "objects"))

from run import answers, make_bucket  # noqa: E402

PATIENCE = 90  # seconds until something that was started is there
PASSWORD = "hunter2"
allotted = []
BUCKET = "filestore"


def lasting_ports(count):
    """Free ports that stay so while nobody listens on them: the system gives them to no connection, unless
    it is set to give it nearly all."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            one = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", random.randrange(10_000, max(first, 20_000))))
                ports.append(one.getsockname()[1])
        allotted.extend(ports)
        return ports


class Program:
    """A program that runs in the background, and can be killed and started again."""

    started = []

    def __init__(self, log, command, by=signal.SIGTERM, **options):
        self.started.append(self)
        self.log, self.command, self.by, self.options = Path(log), list(map(str, command)), by, options
        self.start()

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **self.options
            )

    def end(self, by=None):
        """Ends it, by force when it does not want to."""
        if self.process.poll() is None:
            self.process.send_signal(by or self.by)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait_for(self, condition, what):
        end = time.monotonic() + PATIENCE
        while not condition():
            ended = self.process.poll() is not None
            assert not ended and time.monotonic() < end, f"no {what}:\n{self.log.read_text()[-5000:]}"
            time.sleep(0.1)


def end_all():
    for program in reversed(Program.started):
        if program.process.poll() is None:
            program.process.send_signal(program.by)
    for program in Program.started:
        program.end()
    # SeaweedFS makes sockets that have its ports in their names, and leaves them.
    for port in allotted:
        for socket_file in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):
            socket_file.unlink(missing_ok=True)


class Postgres:
    """A server of PostgreSQL with an empty database, on the loopback."""

    def __init__(self, home):
        # It refuses to be root, and must be able to enter its folder.
        self.folder, self.user = Path(home), unprivileged()
        self.folder.mkdir(mode=0o755)
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self.user:
            for each in (self.folder, secret):
                shutil.chown(each, self.user, pwd.getpwnam(self.user).pw_gid)
        (self.port,) = lasting_ports(1)
        self.url = f"postgres://filestore:{PASSWORD}@127.0.0.1:{self.port}/files"
        initdb = [*self.program("initdb"), "-D", "data", "-U", "filestore", "-A", "scram-sha-256"]
        initdb += ["--pwfile=password", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, **self.identity())
        command = [*self.program("postgres"), "-D", "data", "-p", self.port, "-k", self.folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100"]
        self.server = Program(self.folder / "log", command, by=signal.SIGINT, **self.identity())
        self.server.wait_for(self.is_ready, "answer of PostgreSQL")
        self.query("CREATE DATABASE files", "postgres")

    def identity(self):
        if self.user is None:
            return {"cwd": self.folder}
        group = pwd.getpwnam(self.user).pw_gid
        return {"cwd": self.folder, "user": self.user, "group": group, "extra_groups": []}

    def program(self, name):
        """That of the newest server that is installed."""
        folders = Path("/usr/lib/postgresql").glob("[0-9]*")
        newest = max((int(it.name) for it in folders), default=0)
        assert newest >= 15, "PostgreSQL 15 or later is not installed; .ci/run setup installs it"
        return [f"/usr/lib/postgresql/{newest}/bin/{name}"]

    def is_ready(self):
        asked = [*self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, stdout=subprocess.DEVNULL).returncode == 0

    def query(self, statement, database="files"):
        """The rows that the statement finds, as text."""
        command = [*self.program("psql"), "-XAtq", "-F", "\x1f", "-R", "\x1e", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", "127.0.0.1", "-p", str(self.port), "-U", "filestore", "-d", database]
        command += ["-c", statement]
        env = os.environ | {"PGPASSWORD": PASSWORD}
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        rows = done.stdout.removesuffix("\n")
        return [row.split("\x1f") for row in rows.split("\x1e")] if rows else []

    def restart(self, by):
        """SIGINT hangs up on everybody and ends in order, SIGQUIT ends like a crash."""
        self.server.end(by)
        self.server.start()
        self.server.wait_for(self.is_ready, "answer of PostgreSQL after its restart")


def unprivileged():
    """Who runs PostgreSQL, where that must be somebody else."""
    if os.geteuid() != 0:
        return None
    names = {it.pw_name for it in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class SeaweedFS:
    """Master, filer and S3 in one process, and volume servers, each object on two of them."""

    VOLUMES = 3

    def __init__(self, program, home):
        self.home = Path(home)
        self.home.mkdir()
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": "tests", "secretKey": "of-the-object-tests"}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        (self.home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        names = ["master.port", "filer.port", "s3.port"]
        names += [f"{name}.grpc" for name in names]
        ports = dict(zip(names, lasting_ports(len(names))))
        here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command = [
            program, "-logtostderr", "server", *here, f"-dir={self.folder('master')}", "-volume=false",
            "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-master.defaultReplication=001",
            "-filer", "-filer.defaultReplicaPlacement=001", "-s3", f"-s3.config={self.home / 's3.json'}",
            f"-s3.localSocket={self.home / 's3.sock'}", f"-filer.localSocket={self.home / 'filer.sock'}",
            "-s3.port.iceberg=0", "-s3.port.lance=0",
            *(f"-{name}={port}" for name, port in ports.items()),
        ]
        # To end in order takes it half a minute.
        ending = {"by": signal.SIGKILL, "cwd": self.home}
        server, self.volumes = Program(self.home / "log", command, **ending), []
        master = f"127.0.0.1:{ports['master.port']}"
        for number in range(self.VOLUMES):
            port, grpc = lasting_ports(2)
            command = [
                program, "-logtostderr", "volume", *here, f"-dir={self.folder(f'volume{number}')}",
                f"-mserver={master}.{ports['master.port.grpc']}", f"-port={port}", f"-port.grpc={grpc}",
                "-max=64", "-minFreeSpace=64MiB",
            ]
            self.volumes.append(Program(self.home / f"volume{number}.log", command, **ending))
        self.port = ports["s3.port"]
        endpoint = f"http://127.0.0.1:{self.port}"
        server.wait_for(lambda: joined(master) == self.VOLUMES, "volume servers")
        server.wait_for(lambda: answers(endpoint) and make_bucket(endpoint, BUCKET), "bucket")

    def folder(self, name):
        (self.home / name).mkdir()
        return self.home / name


def joined(master):
    """How many volume servers the master knows."""
    try:
        with urllib.request.urlopen(f"http://{master}/dir/status", timeout=5) as answer:
            centers = json.load(answer)["Topology"].get("DataCenters") or []
    except OSError:
        return 0
    return sum(len(rack["DataNodes"]) for center in centers for rack in center["Racks"])


def settings(port):
    """What a node must be told to use the bucket, by way of this port."""
    return {
        "FILESTORE_BLOBS": f"s3://{BUCKET}/files",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "of-the-object-tests",
        "AWS_REGION": "us-east-1",
    }
