"""`server migrate` as its caller sees it, from one folder to another. What it copies is compared in
`tests/cluster/migrate.py`, over the backends that nodes share."""

import os
import pty
import subprocess

import pytest
import requests

from harness import BINARY, CLEAN_ENVIRONMENT, Server, bearer, run_server

SECRET = {"FILESTORE_JWT_SECRET": "a secret of forty characters, of the test"}


def places(side, folder):
    return [f"--{side}-metadata", f"sqlite:{folder / 'metadata.sqlite'}", f"--{side}-blobs", f"file:{folder}"]


def migrate(source, target, *flags):
    return run_server("migrate", "--data", source, *places("to", target), *flags)


def refused(done):
    """The one line on standard error of a program that ends with 2."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def upload(server, content):
    answer = requests.post(f"{server.url}/api/files", data=content, headers=bearer(server.token()))
    assert answer.status_code == 201
    return answer.json()["id"]


def read(server, id):
    answer = requests.get(f"{server.url}/api/files/{id}?alt=media", headers=bearer(server.token()))
    assert answer.status_code == 200
    return answer.content


@pytest.fixture
def filled(tmp_path):
    """The folder of a store that is not served, and the contents of its files by id."""
    server = Server(tmp_path / "here", env=SECRET)
    try:
        contents = [b"", b"small", os.urandom(100_000), os.urandom(2_000_000)]
        files = {upload(server, content): content for content in contents}
        line = refused(migrate(server.data, tmp_path / "there"))
        assert "another server has" in line
        server.stop()
    finally:
        server.kill()
    return server.data, files


def test_files_are_there_afterwards(filled, tmp_path):
    here, files = filled
    done = migrate(here, tmp_path / "there")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("files copied        4\nfiles found there   0\nbytes copied        2100005\n")
    assert done.stdout.endswith("all is there\n")
    # Nobody looks: no bar, and the last line says all.
    assert "\r" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("4 of 4 files, 2 MiB, ")
    again = migrate(here, tmp_path / "there")
    assert (again.returncode, "files copied        0\nfiles found there   4\n" in again.stdout) == (0, True)

    server = Server(tmp_path / "there", env=SECRET)
    try:
        for id, content in files.items():
            assert read(server, id) == content
        line = refused(migrate(here, tmp_path / "there"))
        assert "another server has" in line
        server.stop()
    finally:
        server.kill()
    # The way back is the same command.
    back = run_server("migrate", *places("from", tmp_path / "there"), *places("to", tmp_path / "back"))
    assert back.returncode == 0, back.stderr
    assert run_server("fsck", "--read-data", "--data", tmp_path / "back").returncode == 0


def test_damage_is_named(filled, tmp_path):
    here, files = filled
    [largest] = [it for it in here.glob("blobs/??/*") if it.stat().st_size == 2_000_000]
    with largest.open("r+b") as blob:
        blob.seek(1_000_000)
        blob.write(b"other bytes")
    for copied, found in ((3, 0), (0, 3)):
        done = migrate(here, tmp_path / "there")
        assert done.returncode == 1, done.stderr
        assert f"files copied        {copied}\nfiles found there   {found}\n" in done.stdout
        [named] = [line for line in done.stdout.splitlines() if line.startswith("damaged")]
        assert named.endswith(" of tenant default")
        assert done.stdout.endswith("something is not the same\n")


def test_bar_on_a_terminal(filled, tmp_path):
    here, _ = filled
    ours, theirs = pty.openpty()
    command = [BINARY, "migrate", "--data", here, *places("to", tmp_path / "there")]
    with subprocess.Popen(
        list(map(str, command)), env=CLEAN_ENVIRONMENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=theirs,
    ) as process:
        os.close(theirs)
        said = b""
        try:
            while more := os.read(ours, 4096):
                said += more
        except OSError:
            # It has hung up.
            pass
    os.close(ours)
    assert process.returncode == 0, said
    assert b"\r[" + b"#" * 30 + b"] 4 of 4 files, 2 MiB, " in said
    assert said.endswith(b"\r\n")


@pytest.mark.parametrize(
    "flags, words",
    [
        ([], "--to-metadata"),
        (["--to-metadata", "sqlite:there"], "--to-blobs"),
        (["--to-metadata", "there", "--to-blobs", "file:there"], "--metadata"),
        (["--to-metadata", "sqlite:there", "--to-blobs", "there"], "--blobs"),
        (["--to-metadata", "sqlite:there", "--to-blobs", "file:there", "--data", "mistyped"], "mistyped"),
        (["--to-metadata", "sqlite:there", "--to-blobs", "file:there", "--from-blobs", "file:no"], "no"),
    ],
)
def test_bad_places(tmp_path, flags, words):
    done = run_server("migrate", *flags, cwd=tmp_path)
    assert words in refused(done)
    assert not list(tmp_path.iterdir())


def test_store_is_not_copied_into_itself(filled):
    here, _ = filled
    assert "itself" in refused(migrate(here, here))
