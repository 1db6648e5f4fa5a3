"""A page in a real browser (headless Chromium) uploads by form and as it is, and downloads again; and what others
uploaded does nothing there."""

import json
import re
import shutil
import subprocess
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from harness import bearer, path_of, sha256

# What the page does: FormData as every browser encodes it, a raw body as the MOLGENIS page's own
# example sends it, and a download, all from another origin. It leaves its findings in its text.
PAGE = """<!doctype html><meta charset="utf-8"><pre id="out"></pre><script>
const base = %(base)s, token = %(token)s;
const bytes = new Uint8Array(300000).map((_, i) => i %% 251);
const file = new File([bytes], 'ünï "quoted".bin', {type: 'image/png'});
const auth = {Authorization: 'Bearer ' + token};
async function form(path) {
  const data = new FormData();
  data.append('comment', 'before');
  data.append('file', file);
  data.append('comment', 'after');
  const answer = await fetch(base + path, {method: 'POST', headers: auth, body: data});
  return {status: answer.status, body: await answer.json()};
}
function raw() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('post', base + '/api/files', true);
    request.setRequestHeader('Content-Type', file.type);
    request.setRequestHeader('x-molgenis-filename', 'plain.bin');
    request.setRequestHeader('x-molgenis-token', token);
    request.onload = () => resolve({
      status: request.status,
      location: request.getResponseHeader('Location'),
      body: JSON.parse(request.responseText),
    });
    request.onerror = reject;
    request.send(file);
  });
}
(async () => {
  const found = {};
  try {
    found.jea = await form('/jea_web/api/upload');
    found.jmix = await form('/rest/files');
    found.molgenis = await raw();
    const again = await fetch(found.molgenis.location, {headers: auth});
    const read = new Uint8Array(await again.arrayBuffer());
    found.same = read.length === bytes.length && read.every((byte, i) => byte === bytes[i]);
  } catch (error) {
    found.error = String(error);
  }
  document.getElementById('out').textContent = JSON.stringify(found);
})();
</script>"""


@pytest.fixture
def chromium():
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "chromium is not installed"
    return program


@pytest.fixture
def pages():
    """Serves one page on an origin of its own, and knows which paths were asked for. The page is set later, since it
    names the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            httpd.asked.append(self.path)
            page = httpd.page.encode()
            self.send_response(200)
            for cookie in httpd.cookies:
                self.send_header("Set-Cookie", cookie)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.asked, httpd.cookies = [], []
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()


def look(chromium, url, profile):
    """The document that a page has become once it has come to rest."""
    return subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}", "--virtual-time-budget=30000",
            "--dump-dom", url,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )


def browse(chromium, url, profile):
    """The page's own findings."""
    done = look(chromium, url, profile)
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
    assert found and found[1], done.stdout + done.stderr
    return json.loads(found[1].replace("&amp;", "&").replace("&quot;", '"').replace("&lt;", "<"))


def test_a_page_uploads_and_downloads(start, chromium, pages, tmp_path):
    origin = f"http://127.0.0.1:{pages.server_port}"
    server = start("--cors-origin", origin)
    token = server.token()
    pages.page = PAGE % {"base": json.dumps(server.url), "token": json.dumps(token)}
    found = browse(chromium, origin, tmp_path / "profile")
    assert found.get("error") is None, found
    content = bytes(i % 251 for i in range(300_000))
    assert found["jea"]["status"] == 200 and found["same"]
    assert found["jmix"]["status"] == found["molgenis"]["status"] == 201
    assert found["jmix"]["body"]["name"] == 'ünï "quoted".bin'
    assert found["molgenis"]["body"]["contentType"] == "image/png"
    for path, parameters in [
        (f"/jea_web/api/download/{found['jea']['body']['fileHandle']}", {}),
        ("/rest/files", {"fileRef": found["jmix"]["body"]["fileRef"]}),
    ]:
        answer = requests.get(server.url + path, params=parameters, headers=bearer(token))
        assert answer.content == content, path


def test_a_page_of_an_origin_that_is_not_allowed_gets_nothing(start, chromium, pages, tmp_path):
    server = start("--cors-origin", "https://elsewhere.example")
    pages.page = PAGE % {"base": json.dumps(server.url), "token": json.dumps(server.token())}
    origin = f"http://127.0.0.1:{pages.server_port}"
    found = browse(chromium, origin, tmp_path / "profile")
    assert "TypeError" in found["error"]
    assert server.stored() == set()


# Calls home in every way that a document or an image may.
HTML = """<!doctype html><img src=x onerror="fetch('%(home)s/ran/%(name)s-event')">
<script>fetch('%(home)s/ran/%(name)s-script')</script>"""
SVG = """<svg xmlns="http://www.w3.org/2000/svg" onload="fetch('%(home)s/ran/%(name)s-event')">
<script>fetch('%(home)s/ran/%(name)s-script')</script></svg>"""

FRAMES = """<!doctype html><meta charset="utf-8"><pre id="out"></pre>%s<script>
onload = () => setTimeout(() => { document.getElementById('out').textContent = '"loaded"'; }, 1000);
</script>"""


@pytest.mark.parametrize("settings", ["", 'inline_extensions = ["html", "svg", "png"]'], ids=["attached", "in place"])
def test_what_was_uploaded_runs_no_script(start, chromium, pages, tmp_path, settings):
    """Pages and images by every way to a file that a browser may take by itself: with a cookie, and with a signed URL."""
    config = tmp_path / "server.toml"
    config.write_text(settings)
    server = start("--config", config)
    token = server.token()
    home = f"http://127.0.0.1:{pages.server_port}"
    # Cookies know no ports: those of the page are sent to the server as well.
    pages.cookies = [f"{name}={token}; Path=/" for name in ("session_token", "JSESSIONID")]
    urls, auth = [], bearer(token)

    for kind, media, template in (("html", "text/html", HTML), ("svg", "image/svg+xml", SVG)):
        def content(dialect):
            return (template % {"home": home, "name": f"{dialect}-{kind}"}).encode()

        made = requests.post(f"{server.url}/jea_web/api/upload", headers=auth,
                             files={"file": (f"a.{kind}", content("jea"), media)}).json()
        urls.append(f"/jea_web/api/view/{made['fileHandle']}")
        made = requests.post(f"{server.url}/api/files", data=content("molgenis"),
                             headers=auth | {"x-molgenis-filename": f"a.{kind}", "Content-Type": media}).json()
        urls.append(f"/api/files/{made['id']}?alt=media")
        made = requests.post(f"{server.url}/files", json={"name": f"a.{kind}", "mimeType": media}, headers=auth).json()
        assert requests.put(made["uploadUrl"], data=content("cdf")).status_code == 200
        link = requests.post(f"{server.url}/files/downloadlink", json={"items": [{"id": made["id"]}]}, headers=auth)
        urls.append(path_of(link.json()["items"][0]["downloadUrl"]))
        body = content("idempiere")
        made = requests.post(f"{server.url}/api/v1/uploads", headers=auth, json={
            "fileName": f"a.{kind}", "contentType": media, "sha256": sha256(body)}).json()
        at = f"{server.url}/api/v1/uploads/{made['uploadId']}"
        assert requests.put(f"{at}/chunks/1", data=body, headers=auth | {
            "X-Total-Chunks": "1", "Content-Type": "application/octet-stream"}).status_code == 200
        shown = requests.get(f"{at}?expiresInSeconds=600", headers=auth).json()
        query = shown["presignedURL"].split("?")[1]
        urls.append(f"/api/v1/uploads/{made['uploadId']}/file?{query}")

    cookies = {"session_token": token, "JSESSIONID": token}
    for url in urls:
        answer = requests.get(server.url + url, cookies=cookies)
        assert answer.status_code == 200 and b"/ran/" in answer.content, url
    frames = "".join(f'<iframe src="{escape(server.url + url)}"></iframe>' for url in urls)
    # That the same runs elsewhere is what the test rests on.
    control = HTML % {"home": home, "name": "control"}
    pages.page = FRAMES % (frames + f'<iframe srcdoc="{escape(control)}"></iframe>')
    assert browse(chromium, home, tmp_path / "profile") == "loaded"
    ran = {path for path in pages.asked if path.startswith("/ran/")}
    assert ran == {"/ran/control-event", "/ran/control-script"}
