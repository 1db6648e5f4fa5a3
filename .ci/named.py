"""Checks that the tests which the documents name are there."""

import re
import subprocess
import sys
from pathlib import Path

DOCUMENTS = [Path("docs/security.md"), Path("ARCHITECTURE.md")]
# A sentence in code font: nothing but tests, and functions, is called so.
NAME = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`")

sources = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.rs", "*.py"],
    capture_output=True, text=True, check=True,
)
defined = set()
for name in sources.stdout.split():
    if Path(name).exists():
        defined |= set(re.findall(r"^\s*(?:pub(?:\([a-z]+\))? )?(?:async )?(?:fn|def) (\w+)", Path(name).read_text(), re.M))
problems = [
    f"{document}: there is no test {name}"
    for document in DOCUMENTS
    for name in NAME.findall(document.read_text())
    if name not in defined
]
print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
sys.exit(bool(problems))
