"""What an acknowledgement is worth: killed processes, damaged blobs, upkeep beside the server, a
full disk, and files larger than memory."""

import base64
import contextlib
import os
import random
import subprocess
import threading

import pytest
import requests

from disks import Disk, Unmountable
from harness import Server, bearer, curl, sha256, sha256_of, wait_for

MIB = 1 << 20


def upload(server, token, content, session=requests):
    return session.post(
        f"{server.url}/api/files", data=content, headers={"x-molgenis-token": token}, timeout=60
    )


def download(server, token, id):
    return requests.get(
        f"{server.url}/api/files/{id}?alt=media", headers={"x-molgenis-token": token}, timeout=60
    )


def of_raw(id):
    """The identifier of 32 hex digits as MOLGENIS writes it."""
    return base64.b32encode(bytes.fromhex(id)).decode().rstrip("=").lower()


def raw(id):
    """The other way round."""
    return base64.b32decode(id.upper() + "======").hex()


# -- kill -9 ------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["full", "relaxed"])
def test_kill_during_uploads(start, durability):
    server = start("--durability", durability)
    token = server.token()
    sent, acknowledged, errors = set(), {}, []

    def client(seed):
        random_bytes = random.Random(seed).randbytes
        with requests.Session() as session:
            for size in random.Random(seed).choices(
                [0, 100, 16_384, 16_385, 300_000, 3 * MIB], k=10_000
            ):
                content = random_bytes(size)
                sent.add(sha256(content))
                try:
                    answer = upload(server, token, content, session)
                except requests.RequestException:
                    return
                if answer.status_code != 201:
                    errors.append(answer.text)
                    return
                acknowledged[answer.json()["id"]] = sha256(content)

    clients = [threading.Thread(target=client, args=(seed,)) for seed in range(6)]
    for each in clients:
        each.start()
    wait_for(lambda: len(acknowledged) >= 60 or errors, "sixty acknowledgements")
    server.kill()
    for each in clients:
        each.join()
    assert not errors

    server.start()
    stored = {of_raw(id) for id in server.stored()}
    assert set(acknowledged) <= stored
    for id in stored:
        answer = download(server, token, id)
        assert answer.status_code == 200
        found = sha256(answer.content)
        assert found in sent, "half a file is visible"
        assert acknowledged.get(id, found) == found
    assert_well(server)
    swept = server.command("sweep")
    assert swept.returncode == 0, swept.stderr
    assert_well(server)
    assert upload(server, token, b"after").status_code == 201


def assert_well(server):
    checked = server.command("fsck", "--read-data")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "all is well" in checked.stdout


# -- fsck and sweep -----------------------------------------------------------------------------


@pytest.fixture
def stored(start):
    """A server with a file that is a blob, and one that is inline."""
    server = start()
    token = server.token()
    content = os.urandom(MIB)
    large = upload(server, token, content).json()["id"]
    small = upload(server, token, b"small").json()["id"]
    [blob] = server.blobs()
    assert blob.read_bytes() == content, "a blob is the bytes and nothing else"
    return server, token, blob, large, small


def test_fsck_beside_the_server(stored):
    server, token, *_ = stored
    assert server.command("fsck").returncode == 0
    assert_well(server)
    assert server.status("/readyz") == 200
    assert upload(server, token, b"x").status_code == 201


def test_fsck_finds_a_missing_blob(stored):
    server, token, blob, large, small = stored
    blob.unlink()
    checked = server.command("fsck")
    assert checked.returncode == 1, checked.stdout
    assert f"missing blob {blob.name}" in checked.stdout
    assert download(server, token, large).status_code >= 500
    assert download(server, token, small).content == b"small"


def test_fsck_finds_a_short_blob(stored):
    server, token, blob, large, _ = stored
    os.chmod(blob, 0o600)
    os.truncate(blob, 1000)
    checked = server.command("fsck")
    assert checked.returncode == 1, checked.stdout
    assert blob.name in checked.stdout
    assert download(server, token, large).status_code >= 500, "a short blob is never served"


def flip_a_bit(blob):
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    os.chmod(blob, 0o600)
    blob.write_bytes(content)


def test_fsck_finds_flipped_bits_when_it_reads(stored):
    server, token, blob, large, small = stored
    flip_a_bit(blob)
    assert server.command("fsck").returncode == 0, "sizes are right"
    checked = server.command("fsck", "--read-data")
    assert checked.returncode == 1, checked.stdout
    assert "damaged content" in checked.stdout
    assert server.command("fsck", "--quarantine").returncode == 1
    assert download(server, token, large).status_code >= 500
    assert download(server, token, small).content == b"small"


def test_downloads_of_flipped_bits_break_off_where_reads_are_verified(start):
    server = start("--verify-reads")
    token = server.token()
    sound, content = upload(server, token, os.urandom(MIB)).json()["id"], os.urandom(MIB)
    [before] = server.blobs()
    large = upload(server, token, content).json()["id"]
    [blob] = {*server.blobs()} - {before}
    assert download(server, token, large).content == content
    flip_a_bit(blob)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        download(server, token, large)
    assert len(download(server, token, sound).content) == MIB

    small = upload(server, token, content[:20_000]).json()["id"]
    [blob] = {*server.blobs()} - {before, blob}
    flip_a_bit(blob)
    assert download(server, token, small).status_code == 500, "it is refused before its first byte"


def test_fsck_finds_an_orphan_and_sweep_collects_it(stored):
    server, *_ = stored
    orphan = server.data / "blobs" / "7f" / "7f3a41c09d52e86b1f04a7dd9c2e5b60"
    orphan.write_bytes(b"nobody's")
    os.utime(orphan, (0, 0))
    checked = server.command("fsck")
    assert checked.returncode == 1, checked.stdout
    assert f"orphaned blob {orphan.name}" in checked.stdout
    assert orphan.exists(), "nothing is deleted unless asked"


def test_sweep_beside_the_server_removes_what_was_deleted(start, tmp_path):
    config = tmp_path / "file.toml"
    config.write_text("[limits]\nkeep_deleted = 0\n")
    server = start("--config", config)
    token = server.token()
    id = upload(server, token, os.urandom(MIB)).json()["id"]
    kept = upload(server, token, os.urandom(MIB)).json()["id"]
    assert len(server.blobs()) == 2
    gone = requests.delete(
        f"{server.url}/api/files/{id}", headers={"x-molgenis-token": token}
    )
    assert gone.status_code == 204
    swept = server.command("sweep", "--config", config)
    assert swept.returncode == 0, swept.stderr
    assert len(server.blobs()) == 1
    assert download(server, token, kept).status_code == 200
    assert_well(server)


# -- sizes --------------------------------------------------------------------------------------


def test_three_gibibytes_in_little_memory(start, tmp_path):
    server = start()
    token = server.token()
    source, back = tmp_path / "sparse", tmp_path / "back"
    size = 3 << 30
    with open(source, "wb") as file:
        file.truncate(size)
        for at in [0, 1 << 31, (1 << 32) - (1 << 30) - 1, size - 100]:
            file.seek(min(at, size - 100))
            file.write(os.urandom(100))
    expected = sha256_of(source)
    made = curl(
        "-X", "POST", "-H", f"x-molgenis-token: {token}",
        "-H", "Content-Type: application/octet-stream", "-T", source,
        f"{server.url}/api/files", timeout=600,
    )
    assert made.status == 201, made.body
    assert made.json()["size"] == size
    source.unlink()
    url = f"{server.url}/api/files/{made.json()['id']}?alt=media"
    done = subprocess.run(
        ["curl", "-q", "-sS", "--fail", "--max-time", "600",
         "-H", f"x-molgenis-token: {token}", "-o", back, url],
        check=True, timeout=610,
    )
    assert done.returncode == 0
    assert back.stat().st_size == size
    assert sha256_of(back) == expected
    beyond = requests.get(
        url, headers={"x-molgenis-token": token, "Range": f"bytes={size - 100}-"}
    )
    with open(back, "rb") as file:
        file.seek(-100, os.SEEK_END)
        assert (beyond.status_code, beyond.content) == (206, file.read())
    peak = server.peak_memory()
    print(f"peak memory of the server: {peak / MIB:.1f} MiB")
    assert peak < 100 * MIB


# -- a full disk --------------------------------------------------------------------------------


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """A disk of 24 MiB; takes root."""
    try:
        disk = Disk(tmp_path / "disk", request.param, 24)
    except Unmountable as reason:
        pytest.skip(f"A DISK THAT IS FULL WAS NOT TESTED: {reason}")
    yield disk.at
    disk.unmount()


@pytest.fixture
def cramped(small_disk):
    """A server on the small disk, and a ballast that leaves room when it is thrown off."""
    server = Server(small_disk / "data")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(5 * MIB))
    yield server, ballast
    if server.process.poll() is None:
        server.stop()


@pytest.mark.parametrize(
    "send",
    [
        lambda it, data, auth: requests.post(f"{it.url}/api/files", data=data, headers=auth),
        lambda it, data, auth: requests.post(
            f"{it.url}/api/files", data=iter([data[: MIB // 2], data[MIB // 2 :]]), headers=auth
        ),
        lambda it, data, auth: requests.post(
            f"{it.url}/jea_web/api/upload", files={"file": data}, headers=auth
        ),
        lambda it, data, auth: requests.post(
            f"{it.url}/rest/files", files={"file": data}, headers=auth
        ),
    ],
    ids=["molgenis", "molgenis-chunked", "jea", "jmix"],
)
def test_large_file_on_a_full_disk(cramped, send):
    server, _ = cramped
    auth = {"Authorization": f"Bearer {server.token()}"}
    full = send(server, os.urandom(20 * MIB), auth)
    assert full.status_code == 507, full.text
    assert server.stored() == set()
    assert server.blobs() == []
    fits = send(server, os.urandom(MIB), auth)
    assert fits.status_code in (200, 201), fits.text
    assert len(server.stored()) == 1
    assert_well(server)


def fill(server, token):
    """Stores small files until one is refused; their content by id."""
    acknowledged = {}
    with requests.Session() as session:
        for _ in range(5_000):
            content = os.urandom(10_000)
            answer = upload(server, token, content, session)
            if answer.status_code != 201:
                assert answer.status_code == 507, answer.text
                return acknowledged
            acknowledged[answer.json()["id"]] = content
    raise AssertionError("the disk never filled up")


def test_small_files_until_the_disk_is_full(cramped):
    server, ballast = cramped
    token = server.token()
    acknowledged = fill(server, token)
    for id, content in list(acknowledged.items())[-20:]:
        assert download(server, token, id).content == content, "reads go on"
    ballast.unlink()
    again = upload(server, token, b"y" * 10_000)
    assert again.status_code == 201, again.text
    acknowledged[again.json()["id"]] = b"y" * 10_000
    server.kill()
    server.start()
    assert {of_raw(id) for id in server.stored()} == set(acknowledged)
    for id, content in acknowledged.items():
        assert download(server, token, id).content == content


def test_deleting_from_a_full_disk(cramped, small_disk):
    """What frees room has room: that of the reserve."""
    server, ballast = cramped
    token = server.token()
    auth = bearer(token)
    large = upload(server, token, os.urandom(MIB)).json()["id"]
    new = {"fileName": "a", "sha256": sha256(b"never sent")}
    begun = requests.post(f"{server.url}/api/v1/uploads", json=new, headers=auth).json()
    small = fill(server, token)
    with contextlib.suppress(OSError), open(small_disk / "rest", "wb", buffering=0) as rest:
        while rest.write(bytes(4096)):
            pass

    canceled = requests.delete(f"{server.url}/api/v1/uploads/{begun['uploadId']}", headers=auth)
    assert canceled.status_code == 200, canceled.text
    kept = small.popitem()
    with requests.Session() as session:
        for id in [large, *small]:
            gone = session.delete(f"{server.url}/api/files/{id}", headers=auth)
            assert gone.status_code == 204, gone.text
    assert server.stored() == {raw(kept[0])}
    assert upload(server, token, b"needs room").status_code == 507
    assert server.status("/readyz") == 200, "that a disk is full is no failure"
    assert server.command("sweep").returncode == 0

    (small_disk / "rest").unlink()
    ballast.unlink()
    assert upload(server, token, b"has room").status_code == 201
    server.kill()
    server.start()
    assert len(server.stored()) == 2
    assert download(server, token, kept[0]).content == kept[1]
    assert_well(server)
