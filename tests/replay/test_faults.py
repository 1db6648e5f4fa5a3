"""What becomes of an acknowledgement when disk, file system or clock fail."""

import os
import subprocess
import threading
import time

import pytest
import requests

from disks import Disk, Unmountable
from harness import Server, Traced, bearer, sha256, tool, wait_for
from test_durability import MIB, assert_well, download, of_raw, upload

DAY = 24 * 3600


@pytest.fixture
def traced(tmp_path):
    """Traces servers; see `Traced`."""
    tracers = []

    def traced(server, inject, paths=()):
        tracers.append(Traced(server, tmp_path / f"calls-{len(tracers)}", inject, paths))
        return tracers[-1]

    if tool("strace") is None:
        pytest.skip("A DISK THAT FAILS WAS NOT TESTED: strace is not installed")
    yield traced
    for each in tracers:
        each.end()


def each_dialect(server, token, content):
    """The status with which each dialect answers a file, by name."""
    auth = bearer(token)
    octets = auth | {"Content-Type": "application/octet-stream"}
    form = {"file": ("a.bin", content)}
    made = requests.post(f"{server.url}/files", json={"name": "a"}, headers=auth).json()
    new = {"fileName": "a", "sha256": sha256(content)}
    begun = requests.post(f"{server.url}/api/v1/uploads", json=new, headers=auth).json()
    chunk = f"{server.url}/api/v1/uploads/{begun['uploadId']}/chunks/1"
    return {
        "jea": requests.post(f"{server.url}/jea_web/api/upload", files=form, headers=auth),
        "cdf": requests.put(made["uploadUrl"], data=content),
        "molgenis": upload(server, token, content),
        "jmix": requests.post(f"{server.url}/rest/files", files=form, headers=auth),
        "idempiere": requests.put(chunk, data=content, headers=octets | {"X-Total-Chunks": "1"}),
    }


def statuses(answers):
    return {name: answer.status_code for name, answer in answers.items()}


# -- the disk cannot sync -----------------------------------------------------------------------


def test_blob_that_cannot_be_synced(start, traced):
    server = start()
    token, content = server.token(), os.urandom(MIB)
    before = upload(server, token, content).json()["id"]
    failing = traced(server, "fdatasync:error=EIO")
    answers = each_dialect(server, token, content)
    assert set(statuses(answers).values()) == {503}, statuses(answers)
    failed = failing.calls()
    assert 1 <= len(failed) <= len(answers), "a sync that failed is not done again"
    failing.end()

    assert server.status("/readyz") == 503, "the disk is not to be trusted any more"
    assert download(server, token, before).content == content, "reads go on"
    assert len(server.blobs()) == 1, "nothing was published"
    auth = bearer(token)
    listed = requests.post(f"{server.url}/files/list", json={}, headers=auth).json()["items"]
    assert [it["name"] for it in listed if it["uploaded"]] == ["unknown"]

    server.kill()
    server.start()
    assert server.status("/readyz") == 200, "it may be another disk"
    assert statuses(each_dialect(server, token, content)) == {
        "jea": 200, "cdf": 200, "molgenis": 201, "jmix": 201, "idempiere": 200
    }
    assert_well(server)


def test_name_that_cannot_be_synced(start, traced):
    server = start()
    token = server.token()
    folders = [server.data / "blobs" / f"{n:02x}" for n in range(256)]
    failing = traced(server, "fsync:error=EIO", folders)
    assert upload(server, token, os.urandom(MIB)).status_code == 503
    assert len(failing.calls()) == 1, "a sync that failed is not done again"
    failing.end()
    assert server.stored() == set()
    assert server.status("/readyz") == 503
    server.kill()
    server.start()
    assert_well(server)


# A file larger than what is inline takes two commits: its key is announced, and it is published.
@pytest.mark.parametrize("nth", [1, 2])
def test_commit_that_cannot_be_synced(start, traced, nth):
    server = start()
    token, content = server.token(), os.urandom(MIB)
    before = upload(server, token, content).json()["id"]
    log = server.data / "metadata.sqlite-wal"
    failing = traced(server, f"fsync:error=EIO:when={nth}", [log])
    assert upload(server, token, content[::-1]).status_code == 503
    assert len(failing.calls()) == nth
    assert server.status("/readyz") == 503
    assert upload(server, token, b"more").status_code == 503
    assert download(server, token, before).content == content, "reads go on"
    assert len(failing.calls()) == nth, "nothing is written any more"
    server.kill()
    server.start()
    assert server.status("/readyz") == 200
    stored = {of_raw(id) for id in server.stored()}
    assert before in stored
    for id in stored - {before}:
        assert download(server, token, id).content == content[::-1], "a row has its bytes"
    assert_well(server)


@pytest.mark.parametrize("change", ["overwrite", "delete"])
def test_change_that_cannot_be_synced(start, traced, change):
    """The bytes that a change leaves behind stay until the change is sure."""
    server = start()
    token, old, new = server.token(), os.urandom(MIB), os.urandom(MIB)
    auth = bearer(token)
    made = requests.post(f"{server.url}/files", json={"name": "a"}, headers=auth).json()
    assert requests.put(made["uploadUrl"], data=old).status_code == 200
    log = server.data / "metadata.sqlite-wal"
    if change == "overwrite":
        traced(server, "fsync:error=EIO:when=2", [log])
        answer = requests.put(made["uploadUrl"], data=new)
    else:
        traced(server, "fsync:error=EIO:when=1", [log])
        gone = {"items": [{"id": made["id"]}]}
        answer = requests.post(f"{server.url}/files/delete", json=gone, headers=auth)
    assert answer.status_code == 503
    server.kill()
    server.start()
    for id in server.stored():
        assert download(server, token, of_raw(id)).content in (old, new)
    assert_well(server)


# -- the disk cannot be read --------------------------------------------------------------------


def test_blob_that_cannot_be_read(start, traced):
    server = start()
    token, content = server.token(), os.urandom(3 * MIB)
    id = upload(server, token, content).json()["id"]
    for when in ["1+", "2+", "3+"]:
        failing = traced(server, f"preadv2:error=EIO:when={when}")
        try:
            answer = download(server, token, id)
            assert answer.status_code >= 500, "half a file looks like a whole one"
        except requests.RequestException:
            pass  # it was cut off, and its client knows
        failing.end()
    assert download(server, token, id).content == content
    assert server.status("/readyz") == 200


def test_inline_bytes_that_flipped(start):
    server = start()
    token, content = server.token(), os.urandom(10_000)
    id = upload(server, token, content).json()["id"]
    other = upload(server, token, b"other").json()["id"]
    server.stop()
    database = server.data / "metadata.sqlite"
    stored = bytearray(database.read_bytes())
    stored[stored.index(content[:500]) + 100] ^= 1
    database.write_bytes(stored)
    server.start()
    checked = server.command("fsck", "--quarantine")
    assert (checked.returncode, "damaged content" in checked.stdout) == (1, True)
    assert download(server, token, id).status_code >= 500
    assert download(server, token, other).content == b"other"


# -- the disk turns read-only -------------------------------------------------------------------


def test_disk_that_turns_read_only(tmp_path):
    try:
        disk = Disk(tmp_path / "disk", "ext4", 64)
    except Unmountable as reason:
        pytest.skip(f"A DISK THAT TURNS READ-ONLY WAS NOT TESTED: {reason}")
    server = Server(disk.at / "data")
    token, content = server.token(), os.urandom(MIB)
    id = upload(server, token, content).json()["id"]
    disk.turn_read_only()
    for refused in (os.urandom(MIB), b"small"):
        assert upload(server, token, refused).status_code == 503
    auth = {"x-molgenis-token": token}
    gone = requests.delete(f"{server.url}/api/files/{id}", headers=auth)
    assert gone.status_code == 503
    assert server.status("/readyz") == 503
    assert download(server, token, id).content == content, "reads go on"
    server.kill()
    disk.unmount()
    subprocess.run(["fsck.ext4", "-p", tmp_path / "disk.image"], capture_output=True)
    disk.mount()
    server.start()
    assert server.status("/readyz") == 200
    assert download(server, token, id).content == content
    assert upload(server, token, content).status_code == 201
    assert_well(server)
    server.stop()
    disk.unmount()


# -- the clock jumps ----------------------------------------------------------------------------


@pytest.fixture
def clock(tmp_path):
    """A clock for servers that tests set, by days from now."""
    if tool("faketime") is None:
        pytest.skip("A CLOCK THAT JUMPS WAS NOT TESTED: faketime is not installed")
    shown = tmp_path / "clock"
    library = subprocess.run(
        ["faketime", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True
    ).stdout.strip()

    def jump(days):
        # Replaced at once: nobody reads half of it.
        new = tmp_path / "clock.new"
        new.write_text(f"{days * DAY:+}")
        new.rename(shown)

    jump(0)
    jump.env = {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(shown),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    return jump


@pytest.mark.parametrize("days", [400, -400])
def test_clock_that_jumps(start, clock, days):
    """Forth or back, while all runs: nothing that was acknowledged goes."""
    server = start("--sweep-interval", "1", env=clock.env)
    # The key that a session was begun with has a time in it, so that is begun under each clock.
    stored = {}

    def store():
        token = server.token("me", "--ttl", "3600")
        for content in (os.urandom(MIB), os.urandom(100)):
            for name, answer in each_dialect(server, token, content).items():
                assert answer.status_code in (200, 201), (name, answer.text)
        for id in server.stored():
            id = of_raw(id)
            found = sha256(download(server, token, id).content)
            assert stored.setdefault(id, found) == found
        listed = requests.post(
            f"{server.url}/files/list", json={"limit": 1000}, headers=bearer(token)
        ).json()["items"]
        assert len(listed) == len(stored) == len({it["id"] for it in listed})

    for at in (0, days, 0):
        clock(at)
        store()
    assert len(stored) == 30
    assert server.command("sweep").returncode == 0
    assert_well(server)
    assert len(server.blobs()) == 15


def test_clock_that_jumps_during_an_upload(start, clock):
    """Its key is no longer announced by then. It is stored whole or refused, and nothing is left."""
    server = start("--sweep-interval", "1", env=clock.env)
    token, content = server.token("me", "--ttl", str(30 * DAY)), os.urandom(MIB)
    swept, answers = threading.Event(), []

    def slowly():
        yield content[: MIB // 2]
        swept.wait(timeout=60)
        yield content[MIB // 2 :]

    uploading = threading.Thread(
        target=lambda: answers.append(upload(server, token, slowly()))
    )
    uploading.start()
    wait_for(lambda: server.query("SELECT 1 FROM ledger"), "the announcement of a key")
    days = 1
    clock(days)

    def is_swept():
        nonlocal days
        due = server.query("SELECT at FROM ledger")
        if due and due[0][0] > (time.time() + days * DAY) * 1000:
            # Of the first half something came after the jump, and announced the key anew.
            days += 1
            clock(days)
        return not due

    wait_for(is_swept, "a sweep")
    swept.set()
    uploading.join()
    [answer] = answers
    assert answer.status_code in (201, 409, 503), answer.text
    assert len(server.stored()) == (answer.status_code == 201)
    again = upload(server, token, content)
    assert download(server, token, again.json()["id"]).content == content
    clock(days + 2)
    assert server.command("sweep").returncode == 0
    assert len(server.blobs()) == len(server.stored())
    assert_well(server)
