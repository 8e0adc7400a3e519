"""The suite's sources: those of Debian's package `redis`, fetched once into the cache."""

import os
import pathlib
import re
import shutil
import tempfile

from .system import REPO, Failure, cache, checked, say

VERSION = "7.0.15"
# What the suite runs besides the server, and where Debian puts it.
TOOLS = ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb")
PROGRAMS = ("tclsh", "dpkg-source", *TOOLS)
LISTS = pathlib.Path("/etc/apt")


def ready():
    """The folder with the sources, after whatever has to be installed and fetched for it."""
    if any(shutil.which(program) is None for program in PROGRAMS):
        say("installing what the suite needs (ci/tools)")
        checked([REPO / "ci/tools"])
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        raise Failure(f"{', '.join(missing)} not installed; on Debian: apt-get install tcl dpkg-dev redis-tools redis-server")
    folder = cache() / f"redis-{VERSION}"
    if not folder.is_dir():
        say(f"fetching the sources of redis {VERSION}")
        fetch(folder)
    return folder


def fetch(folder):
    """Lets apt fetch, check and unpack the package; `folder` appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=cache(), prefix="fetch-") as scratch:
        scratch = pathlib.Path(scratch)
        parts, lists = scratch / "parts", scratch / "lists"
        parts.mkdir()
        (lists / "partial").mkdir(parents=True)
        write_sources(parts)
        apt = [
            "apt-get", "-qq",
            "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts}",
            "-o", f"Dir::State::lists={lists}", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=",
        ]
        checked([*apt, "update"])
        checked([*apt, "source", "redis"], cwd=scratch)
        unpacked = scratch / f"redis-{VERSION}"
        if not unpacked.is_dir():
            found = [path.name for path in scratch.glob("redis-*")]
            raise Failure(f"the package has no redis-{VERSION} but {found}: the suite of that version is wanted")
        os.rename(unpacked, folder)


def write_sources(parts):
    """This machine's own package sources, asked for sources instead of binaries."""
    wrote = False
    for path in sorted([*LISTS.glob("sources.list"), *LISTS.glob("sources.list.d/*")]):
        if path.suffix in (".list", ".sources"):
            (parts / path.name).write_text(for_sources(path.read_text(), path.suffix))
            wrote = True
    if not wrote:
        raise Failure("no package sources in /etc/apt; the suite comes from Debian's package `redis`")


def for_sources(text, suffix):
    """The same entries with `deb-src` in the place of `deb`."""
    if suffix == ".list":
        return re.sub(r"^deb\s", "deb-src ", text, flags=re.MULTILINE)
    return re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE)
