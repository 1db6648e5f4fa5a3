"""Holds our form parser against the test files of other parsers.

    foreign.py FORM CORPUS

FORM is the built example `form`. The bodies are left in the folder CORPUS, for the fuzzer to begin
with. They come out of the source packages of python-multipart (files, and what it makes of them)
and werkzeug (what browsers sent, and the files that they had). Needs pip and PyYAML.
"""

import base64
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import yaml

PACKAGES = ["python-multipart==0.0.34", "werkzeug==3.1.9"]

ENCODING = "an encoding is refused, not undone (RFC 7578, section 4.7)"
PREFIX = "what begins with the delimiter is none of the content (RFC 2046, section 5.1.1)"
# Files of python-multipart that we refuse, and why.
REFUSED = {
    "almost_match_boundary_without_CR": PREFIX,
    "almost_match_boundary_without_LF": PREFIX,
    "almost_match_boundary_without_final_hyphen": PREFIX,
    "base64_encoding": ENCODING,
    "base64_encoding_whitespace": ENCODING,
    "mixed_case_headers": ENCODING,
    "mixed_plain_and_base64_encoding": ENCODING,
    "non_ascii_whitespace_before_filename": "the name of a parameter is ASCII",
    "quoted_printable_encoding": ENCODING,
}
# What it refuses and we do not: lines before the first delimiter are a preamble.
EMPTY = {"bad_initial_boundary"}
# Whose boundary is not the one beside it: its own test says which.
BOUNDARIES = {"single_field_blocks": "boundary"}

# The captures of werkzeug: boundary, names of the two files, their type, text. From its
# tests/test_formparser.py.
CAPTURES = {
    "firefox3-2png1txt": (
        "---------------------------186454651713519341951581030105",
        ["anchor.png", "application_edit.png"], "image/png", "example text"),
    "firefox3-2pnglongtext": (
        "---------------------------14904044739787191031754711748",
        ["accept.png", "add.png"], "image/png",
        "--long text\r\n--with boundary\r\n--lookalikes--"),
    "opera8-2png1txt": (
        "----------zEO9jQKmLc2Cq88c23Dx19",
        ["arrow_branch.png", "award_star_bronze_1.png"], "image/png", "blafasel öäü"),
    "webkit3-2png1txt": (
        "----WebKitFormBoundaryjdSFhcARk8fyGNy6",
        ["gtk-apply.png", "gtk-no.png"], "image/png", "this is another text with ümläüts"),
    "ie6-2png1txt": (
        "---------------------------7d91b03a20128",
        ["file1.png", "file2.png"], "image/x-png", "ie6 sucks :-/"),
}


def main(form, corpus):
    corpus = pathlib.Path(corpus)
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        unpack(folder)
        cases = [*of_python_multipart(folder), *of_werkzeug(folder)]
    wrong = 0
    for name, boundary, body, expected in cases:
        (corpus / name).write_bytes(body)
        read = run(form, boundary, body)
        if read != expected:
            wrong += 1
            print(f"{name}: {read}, expected {expected}", file=sys.stderr)
    print(f"{len(cases)} forms of others, {wrong} read wrongly")
    assert len(cases) >= 35, "the packages hold less than they did"
    return 1 if wrong else 0


def unpack(folder):
    names = ",".join(package.split("==")[0] for package in PACKAGES)
    subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download",
         "--no-deps", "--no-binary", names, "--dest", folder, *PACKAGES],
        check=True)
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def of_python_multipart(folder):
    for path in sorted(folder.glob("python_multipart-*/tests/test_data/http/*.http")):
        told = yaml.safe_load(path.with_suffix(".yaml").read_text())
        expected = told["expected"]
        if path.stem in EMPTY:
            expected = []
        elif "error" in expected or path.stem in REFUSED:
            expected = "refused"
        else:
            expected = [
                [part["name"], part.get("file_name"), part["data"]] for part in expected]
        boundary = BOUNDARIES.get(path.stem, told["boundary"])
        yield path.stem, boundary, path.read_bytes(), expected


def of_werkzeug(folder):
    for name, (boundary, files, media, text) in CAPTURES.items():
        [capture] = folder.glob(f"werkzeug-*/tests/multipart/{name}")
        expected = [
            [f"file{at}", filename, (capture / f"file{at}.png").read_bytes()]
            for at, filename in enumerate(files, 1)]
        expected.append(["text", None, text.encode()])
        yield name, boundary, (capture / "request.http").read_bytes(), expected


def run(form, boundary, body):
    told = subprocess.run([form, boundary], input=body, capture_output=True, check=True).stdout
    read = json.loads(told)
    if read["error"]:
        return "refused"
    return [[name, filename, base64.b64decode(data)] for name, filename, _, data in read["parts"]]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
