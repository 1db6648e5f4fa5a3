"""What scripts rely on: flags, environment, exit codes, output, health, the orderly end."""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from harness import CLEAN_ENVIRONMENT, REPOSITORY, Server, bearer, parse_answer, run_server, wait_for

SECRET = "an example secret of forty characters..."
DIALECTS = {
    "jea": "/jea_web/api/upload",
    "molgenis": "/api/files",
    "jmix": "/rest/files?name=a.txt",
}


def refused(*arguments, **options):
    """The one line on standard error of a program that ends with 2."""
    done = run_server(*arguments, timeout=30, **options)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    return lines[0]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def upload(server, token, content=b"content", **options):
    return requests.post(
        f"{server.url}/api/files", data=content, headers={"x-molgenis-token": token}, **options
    )


# -- bad configuration --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--nope"], "--nope"),
        (["nope"], "nope"),
        (["token"], "--subject"),
        (["--listen", "nowhere"], "nowhere"),
        (["--dialects", "ftp"], "ftp"),
        (["--redirect-downloads", "ftp"], "ftp"),
        (["--redirect-downloads", "jea"], "bucket"),
        (["--redirect-downloads", "jea", "--blobs", "s3://files", "--verify-reads"], "--verify-reads"),
        (["--durability", "perhaps"], "perhaps"),
        (["--public-url", "files.example"], "files.example"),
        (["--cors-origin", "app.example"], "app.example"),
        (["--trusted-proxy", "everyone"], "everyone"),
        (["--sweep-interval", "often"], "often"),
        (["--jwt-secret-file", "no-such-file"], "no-such-file"),
        (["--config", "no-such-file.toml"], "no-such-file.toml"),
    ],
)
def test_bad_flags(tmp_path, flags, words):
    assert words in refused(*flags, cwd=tmp_path)


@pytest.mark.parametrize(
    "text", ["listen = ", "unknown = 1", 'listen = "nowhere"', 'durability = "perhaps"', "\0"]
)
def test_bad_configuration_files(tmp_path, text):
    (tmp_path / "file.toml").write_text(text)
    refused("--config", "file.toml", cwd=tmp_path)


@pytest.mark.parametrize(
    "name, value",
    [
        ("FILESTORE_LISTEN", "nowhere"),
        ("FILESTORE_DIALECTS", "ftp"),
        ("FILESTORE_DURABILITY", "perhaps"),
        ("FILESTORE_PUBLIC_URL", "files.example"),
        ("FILESTORE_JWT_SECRET", "short"),
        ("FILESTORE_JWT_SECRET", ""),
        ("FILESTORE_JWT_SECRET_FILE", "no-such-file"),
    ],
)
def test_bad_environment(tmp_path, name, value):
    line = refused(env={name: value}, cwd=tmp_path)
    assert "short" not in line, "a secret is not shown"


@pytest.mark.parametrize(
    "flag, url",
    [
        ("--metadata", "mysql://me:hunter2@localhost/files"),
        ("--metadata", "postgres://me:hunter2@"),
        ("--metadata", "postgres://me:hunter2@localhost"),
        ("--metadata", "postgres:///files?password=hunter2"),
        ("--metadata", "postgres://me:hunter2@localhost:no-port/files"),
        ("--metadata", "postgres://me@localhost/files?hunter2=hunter2"),
        ("--metadata", "hunter2"),
        ("--metadata", "sqlite:"),
        ("--metadata", "sqlite://hunter2/files"),
        ("--metadata", ""),
        ("--blobs", "s3://me:hunter2@bucket/files"),
        ("--blobs", "s3://bucket/files?secret=hunter2"),
        ("--blobs", "s3://"),
        ("--blobs", "s3:///files"),
        ("--blobs", "ftp://me:hunter2@localhost/files"),
        ("--blobs", "file:"),
        ("--blobs", "hunter2"),
    ],
)
def test_bad_places_are_not_repeated(tmp_path, flag, url):
    """They may hold a password."""
    config = tmp_path / "file.toml"
    config.write_text(f'data = "data"\n{flag[2:]} = "{url}"\n')
    broken = tmp_path / "broken.toml"
    broken.write_text(f'data = "data"\n{flag[2:]} = "{url}\n')
    lines = [
        refused(flag, url, cwd=tmp_path),
        refused("sweep", flag, url, cwd=tmp_path),
        refused(env={f"FILESTORE_{flag[2:].upper()}": url}, cwd=tmp_path),
        refused("--config", config, cwd=tmp_path),
    ]
    assert all(flag in line and "hunter2" not in line for line in lines), lines
    line = refused("--config", broken, cwd=tmp_path)
    assert "line 2" in line and "hunter2" not in line
    shown = run_server("--help", env={f"FILESTORE_{flag[2:].upper()}": url}).stdout
    assert "hunter2" not in shown
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [[], ["token", "--subject", "me"]])
def test_nodes_need_a_secret_that_they_share(tmp_path, arguments):
    url = "postgres://me:hunter2@localhost/files"
    line = refused(*arguments, "--metadata", url, cwd=tmp_path)
    assert "FILESTORE_JWT_SECRET" in line and "hunter2" not in line
    assert not list(tmp_path.iterdir())


class Forbidden(BaseHTTPRequestHandler):
    """A service that lets nobody in."""

    def do_GET(self):
        self.server.asked.append(self.headers["Authorization"])
        self.send_error(403)

    def log_message(self, *_):
        pass


def test_bucket_that_lets_nobody_in(tmp_path):
    with ThreadingHTTPServer(("127.0.0.1", 0), Forbidden) as service:
        service.asked = []
        threading.Thread(target=service.serve_forever, daemon=True).start()
        settings = {
            "AWS_ACCESS_KEY_ID": "somebody", "AWS_SECRET_ACCESS_KEY": "hunter2",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{service.server_port}", "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-central-9",
            # No setting of ours, whatever it is to others.
            "ENDPOINT": "http://elsewhere.invalid", "REGION": "elsewhere",
        }
        line = refused("--blobs", "s3://bucket/files", "--data", tmp_path / "data", env=settings)
        service.shutdown()
    assert "s3://bucket/files" in line and "hunter2" not in line
    assert "Credential=somebody/" in service.asked[0] and "/eu-central-9/" in service.asked[0]


def test_short_secret_in_a_file(tmp_path):
    (tmp_path / "secret").write_text("short\n")
    assert "32" in refused("--jwt-secret-file", "secret", cwd=tmp_path)


def test_data_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    refused("--listen", "127.0.0.1:0", "--data", tmp_path / "file" / "data")


def test_second_server_on_the_same_data(start):
    first = start()
    line = refused("--listen", "127.0.0.1:0", "--data", first.data)
    assert str(first.data) in line
    first.stop()
    first.start()


def test_address_in_use(start, tmp_path):
    first = start()
    address = f"{first.host}:{first.port}"
    assert address in refused("--listen", address, "--data", tmp_path / "other")


def test_what_other_processes_commit_is_seen_at_once(server, token):
    made = requests.post(f"{server.url}/files", json={"name": "0"}, headers=bearer(token)).json()
    url = f"{server.url}/files/{made['id']}"
    for name in map(str, range(1, 51)):
        server.change("UPDATE file SET name = ? WHERE number = ?", name, made["id"])
        for _ in range(2):
            assert requests.get(url, headers=bearer(token)).json()["name"] == name


@pytest.mark.parametrize("command", ["fsck", "sweep"])
def test_upkeep_makes_no_store(tmp_path, command):
    assert "mistyped" in refused(command, "--data", tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()


def test_help_and_version(tmp_path):
    for flag in ["--help", "--version"]:
        done = run_server(flag, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout


# -- settings -----------------------------------------------------------------------------------


def test_defaults(tmp_path):
    help_text = run_server("--help").stdout
    assert "127.0.0.1:8080" in help_text
    assert "./filestore-data" in help_text
    server = Server(tmp_path / "data", cwd=tmp_path)
    server.stop()


def test_data_is_below_the_working_directory_by_default(tmp_path):
    done = run_server("token", "--subject", "me", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "filestore-data" / "jwt-secret").exists()


def test_settings_from_the_environment(tmp_path):
    env = {
        "FILESTORE_LISTEN": "127.0.0.1:0",
        "FILESTORE_PUBLIC_URL": "https://files.example",
        "FILESTORE_DIALECTS": "jmix,jea",
        "FILESTORE_DURABILITY": "relaxed",
        "FILESTORE_JWT_SECRET": SECRET,
    }
    server = Server(tmp_path / "data", env=env)
    try:
        headers = bearer(server.token())
        made = requests.post(
            f"{server.url}/rest/files?name=a.txt", data=b"x", headers=headers
        )
        assert made.headers["Location"].startswith("https://files.example/rest/files?")
        assert upload(server, server.token()).status_code == 404
        assert "relaxed" in server.banner
        assert not (server.data / "jwt-secret").exists()
    finally:
        server.stop()


def test_flags_beat_the_environment_and_the_file(tmp_path, start):
    config = tmp_path / "file.toml"
    config.write_text(
        'dialects = ["jea"]\npublic_url = "https://file.example"\n[limits]\nmax_file = 10\n'
    )
    server = start(
        "--config", config, "--dialects", "molgenis", env={"FILESTORE_DIALECTS": "jmix"}
    )
    token = server.token()
    made = upload(server, token, b"x" * 10)
    assert made.status_code == 201
    assert made.headers["Location"].startswith("https://file.example/")
    assert upload(server, token, b"x" * 11).status_code == 413
    assert upload(server, token, iter([b"x" * 11])).status_code == 413
    assert server.status("/rest/files") == 404
    assert server.status("/jea_web/api/upload") == 404


def test_halves_of_a_store_in_places_of_their_own(tmp_path):
    """Paths from the working directory, or whole ones in the forms of URLs."""
    places = [
        ("sqlite:here.sqlite", f"file://{tmp_path}/blobs", "here.sqlite"),
        (f"sqlite:{tmp_path}/a/b/there.sqlite", "file:a/bytes", "a/b/there.sqlite"),
    ]
    for metadata, blobs, database in places:
        env = {"FILESTORE_METADATA": metadata, "FILESTORE_BLOBS": blobs}
        server = Server(tmp_path / "data", env=env, cwd=tmp_path)
        try:
            assert f"  metadata  {metadata} " in server.banner
            assert f"  blobs     {blobs.replace('file://', 'file:')}\n" in server.banner
            made = upload(server, server.token(), b"x" * 100_000)
            assert made.status_code == 201
            assert (tmp_path / database).exists()
            assert [it.name for it in server.data.iterdir()] == ["jwt-secret"]
            # Each half is in use by one server.
            for flag, url in (("--metadata", metadata), ("--blobs", blobs)):
                line = refused(
                    "--listen", "127.0.0.1:0", "--data", tmp_path / "other", flag, url, cwd=tmp_path
                )
                assert "another server" in line
            other = ["--metadata", metadata, "--blobs", "file:mistyped"]
            assert "mistyped" in refused("fsck", *other, cwd=tmp_path)
            assert not (tmp_path / "mistyped").exists()
            assert run_server("fsck", "--read-data", env=env, cwd=tmp_path).returncode == 0
        finally:
            server.stop()
        shutil.rmtree(server.data)


def test_one_half_of_a_store_elsewhere(start, tmp_path):
    """What is not said stays in the data folder."""
    server = start("--blobs", f"file:{tmp_path / 'bytes'}")
    assert upload(server, server.token(), b"x" * 100_000).status_code == 201
    assert not server.blobs() and (server.data / "metadata.sqlite").exists()
    assert len([it for it in tmp_path.glob("bytes/blobs/??/*") if it.name.strip("0")]) == 1


@pytest.mark.parametrize("mounted", ["jea", "molgenis", "jmix", "jea,jmix", "all"])
def test_dialects(start, mounted):
    server = start("--dialects", mounted)
    names = DIALECTS if mounted == "all" else mounted.split(",")
    headers = bearer(server.token())
    for name, path in DIALECTS.items():
        answer = requests.post(server.url + path, files={"file": b"x"}, headers=headers)
        found = answer.status_code != 404
        assert found == (name in names), name
        assert (f"dialect   {name}" in server.banner) == (name in names)


@pytest.mark.parametrize("origin", ["https://app.example", "*"])
def test_cors(start, origin):
    server = start("--cors-origin", origin)
    ours, other = {"Origin": "https://app.example"}, {"Origin": "https://other.example"}
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-molgenis-filename",
    }
    preflight = requests.options(f"{server.url}/api/files", headers=ours | asked)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    made = requests.post(
        f"{server.url}/api/files", data=b"x", headers=ours | bearer(server.token())
    )
    assert made.status_code == 201
    assert made.headers["Access-Control-Allow-Origin"] == "https://app.example"
    foreign = requests.options(f"{server.url}/api/files", headers=other | asked)
    assert ("Access-Control-Allow-Origin" in foreign.headers) == (origin == "*")


def test_no_cors_by_default(server, token):
    made = requests.post(
        f"{server.url}/api/files", data=b"x",
        headers=bearer(token) | {"Origin": "https://app.example"},
    )
    assert not [name for name in made.headers if name.lower().startswith("access-control")]


def test_forwarded_headers_count_from_trusted_proxies_only(start, server, token):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "files.example"}
    plain = requests.post(
        f"{server.url}/api/files", data=b"x", headers=forwarded | bearer(token)
    )
    assert plain.headers["Location"].startswith(f"{server.url}/")
    behind = start("--trusted-proxy", "127.0.0.0/8")
    proxied = requests.post(
        f"{behind.url}/api/files", data=b"x", headers=forwarded | bearer(behind.token())
    )
    assert proxied.headers["Location"].startswith("https://files.example/api/files/")


# -- tokens -------------------------------------------------------------------------------------


def test_token_prints_exactly_one_jwt(tmp_path):
    done = run_server(
        "token", "--data", tmp_path / "data", "--subject", "somebody", "--tenant", "acme",
        "--scope", "files:read", "--ttl", "60",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+\n", done.stdout)
    said = claims(done.stdout.strip())
    assert (said["sub"], said["tenant"], said["scope"]) == ("somebody", "acme", "files:read")
    assert abs(said["exp"] - time.time() - 60) < 30
    assert not (tmp_path / "data" / "metadata.sqlite").exists(), "token opens no store"


def test_token_holds_for_half_a_day_by_default(tmp_path):
    done = run_server("token", "--data", tmp_path / "data", "--subject", "me")
    said = claims(done.stdout.strip())
    assert abs(said["exp"] - time.time() - 12 * 3600) < 30
    assert set(said["scope"].split()) == {"files:read", "files:write"}


def test_secret_is_kept_to_its_owner(start):
    server = start()
    secret = server.data / "jwt-secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text().strip()) >= 32
    assert server.data.stat().st_mode & 0o777 == 0o700
    token, text = server.token(), secret.read_text()
    server.stop()
    server.start()
    assert secret.read_text() == text
    assert upload(server, token).status_code == 201


@pytest.mark.parametrize("by", ["variable", "file variable", "flag"])
def test_configured_secret(start, tmp_path, by):
    file = tmp_path / "secret"
    file.write_text(SECRET + "\n")
    env = {
        "variable": {"FILESTORE_JWT_SECRET": SECRET},
        "file variable": {"FILESTORE_JWT_SECRET_FILE": str(file)},
        "flag": {},
    }[by]
    flags = ["--jwt-secret-file", file] if by == "flag" else []
    server = start(*flags, env=env)
    # Whoever has the same secret makes tokens for this server, whatever way it was given.
    token = run_server("token", "--subject", "me", env={"FILESTORE_JWT_SECRET": SECRET}).stdout
    assert upload(server, token.strip()).status_code == 201
    stranger = run_server("token", "--subject", "me", env={"FILESTORE_JWT_SECRET": SECRET + "!"})
    assert upload(server, stranger.stdout.strip()).status_code == 401
    assert not (server.data / "jwt-secret").exists()


def test_printed_lines_work_when_pasted(start):
    server = start()
    lines = server.banner.split("Try it:")[1].strip().splitlines()
    script = "\n".join(["set -eu", *(line.strip() for line in lines)])
    # As pasted, but for what keeps the answers apart.
    script = script.replace("curl ", "curl -q -sS --fail -w '\\n' ")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=REPOSITORY, env=CLEAN_ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    size = (REPOSITORY / "Cargo.toml").stat().st_size
    jea, cdf, molgenis, jmix, idempiere = answers
    assert jea["status"] == "File upload accepted"
    assert cdf == {}
    assert (molgenis["filename"], molgenis["size"]) == ("Cargo.toml", size)
    assert (jmix["name"], jmix["size"]) == ("demo.txt", size)
    assert idempiere["isLastChunk"]
    assert len(server.stored()) == server.banner.count("  dialect ")


def test_banner(start):
    banner = start("--public-url", "https://files.example").banner
    assert re.search(r"^filestore listens on http://127\.0\.0\.1:\d+$", banner, re.M)
    assert "https://files.example/api/files" in banner
    assert re.search(r"limits .*5 GiB.*1 TiB.*10000.*1 MiB.*1024", banner)


# -- health and the end -------------------------------------------------------------------------


def test_health(server):
    assert server.get("/healthz")[0] == 200
    assert server.get("/readyz")[0] == 200


def test_every_answer_names_its_request(server, token):
    seen = set()
    for answer in [
        requests.get(f"{server.url}/healthz"),
        requests.get(f"{server.url}/nothing"),
        requests.post(f"{server.url}/api/files", data=b"x"),
        requests.post(f"{server.url}/api/files", data=b"x", headers=bearer(token)),
        requests.post(f"{server.url}/jea_web/api/upload", headers=bearer(token)),
        requests.get(f"{server.url}/rest/files", headers=bearer(token)),
        requests.options(f"{server.url}/rest/files"),
    ]:
        assert answer.headers["x-request-id"]
        seen.add(answer.headers["x-request-id"])
    assert len(seen) == 7


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_running_upload_ends_well_while_the_server_drains(start, signal_name):
    server = start()
    content = os.urandom(200_000)
    with server.connect() as connection:
        connection.sendall(
            f"POST /api/files HTTP/1.1\r\nHost: {server.host}\r\n"
            f"x-molgenis-token: {server.token()}\r\nExpect: 100-continue\r\n"
            f"Content-Length: {len(content)}\r\n\r\n".encode()
        )
        answer = connection.makefile("rb")
        # Now the upload runs, for its body has been asked for.
        assert answer.readline().startswith(b"HTTP/1.1 100 ")
        assert answer.readline() == b"\r\n"
        connection.sendall(content[:100_000])
        server.process.send_signal(getattr(signal, signal_name))
        wait_for(lambda: server.status("/readyz") == 503, "a server that drains")
        assert server.status("/healthz") == 200
        assert server.process.poll() is None
        connection.sendall(content[100_000:])
        made = parse_answer(answer.read())
    assert made.status == 201
    assert made.json()["size"] == len(content)
    assert server.process.wait(timeout=30) == 0
    server.start()
    stored = requests.get(
        f"{server.url}/api/files/{made.json()['id']}?alt=media",
        headers={"x-molgenis-token": server.token()},
    )
    assert stored.content == content
    assert server.command("fsck").returncode == 0


def test_idle_connections_do_not_hold_up_the_end(start):
    server = start()
    with requests.Session() as session:
        assert session.get(f"{server.url}/healthz").status_code == 200
        with server.connect():
            began = time.monotonic()
            server.stop()
    assert time.monotonic() - began < 10
