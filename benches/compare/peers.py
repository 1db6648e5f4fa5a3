"""Programs to compare with, each installed by its package's name and kept between runs."""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

FOLDER = Path(os.environ.get("FILESTORE_PEERS") or Path(tempfile.gettempdir()) / "filestore-peers")
# Whoever compiles for longer than this is given up.
WITHIN = 1800


class Missing(Exception):
    """A program could not be had."""


@cache
def debian(package, program):
    """The system's own program, installed by apt-get where we may."""
    # Not in everybody's PATH.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    if found := shutil.which(program, path=path):
        return found
    if os.geteuid():
        raise Missing(f"{program} is not installed, and only root installs {package}")
    if not shutil.which("apt-get"):
        raise Missing(f"{program} is not installed, and there is no apt-get")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install(["apt-get", "update", "-qq"], quiet)
    install(["apt-get", "install", "-y", "-qq", "--no-install-recommends", package], quiet)
    return shutil.which(program, path=path) or missing(f"{package} has no {program}")


@cache
def cargo(package, version, *flags):
    root = FOLDER / f"{package}-{version}"
    program = root / "bin" / package
    if not program.exists():
        command = ["cargo", "install", "--quiet", "--locked", "--root", root, f"{package}@{version}"]
        # Without folder of its own, what is built would lie in that of the project.
        install([*command, *flags], {"CARGO_TARGET_DIR": str(FOLDER / "build")})
    return program if program.exists() else missing(f"{package} has no program")


def pypi(package, version, program):
    """A program that a package of Python's holds."""
    found = python(package, version).with_name(program)
    return found if found.exists() else missing(f"{package} has no {program}")


@cache
def python(package, version):
    """A Python that has the package."""
    folder = FOLDER / f"{package}-{version}"
    # Made at the very end of an installation.
    done = folder / "done"
    if not done.exists():
        install([sys.executable, "-m", "venv", "--clear", folder])
        install([folder / "bin/pip", "--quiet", "install", f"{package}=={version}"])
        done.touch()
    return folder / "bin/python"


@cache
def npm(*packages):
    """The folder whose `node_modules` has the packages, `name@version` each."""
    folder = FOLDER / "node"
    if not shutil.which("node") or not shutil.which("npm"):
        raise Missing("Node.js or npm is not installed")
    names = [package.rpartition("@")[0] for package in packages]
    if not all((folder / "node_modules" / name).exists() for name in names):
        folder.mkdir(parents=True, exist_ok=True)
        install(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, *packages])
    return folder


def install(command, env=None):
    command = [str(word) for word in command]
    print("installing:", " ".join(command), flush=True)
    try:
        done = subprocess.run(
            command,
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())
        missing(words[-200:] or f"exit code {done.returncode}")


def missing(reason):
    raise Missing(reason)
