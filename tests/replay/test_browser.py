"""A page in a real browser (headless Chromium) uploads by form and as it is, and downloads again."""

import json
import re
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from harness import bearer

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
    """Serves one page on an origin of its own; the page is set later, since it names the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page = httpd.page.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_):
            pass

    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()


def browse(chromium, url, profile):
    """The page's text once it has come to rest."""
    done = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}", "--virtual-time-budget=30000",
            "--dump-dom", url,
        ],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )
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
