"""One unit of the suite: a tree of its own, one run, and what the output says.

The suite runs a unit's tests one after the other. With --durable an error that is no assertion fails its test (or its
block of tests, when it happens between tests) instead of ending the suite. What ends a unit early nevertheless, or
what never ends, fails all of it.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

from .sources import TOOLS
from .system import Failure

LINE = re.compile(r"^\[(ok|err|exception|skip|ignore|TIMEOUT)\]: (.*)$")
DONE = re.compile(r"^\[\d+/\d+ done\]: ")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ELAPSED = re.compile(r" \(\d+ ms\)$")
FAILED_IN = re.compile(r" in tests/\S+\.tcl$")
# What our server says when a thread has panicked, and the runtime when memory ran out.
CRASHES = re.compile(r"panicked at|memory allocation of \d+ bytes failed|fatal runtime error")
STOP_SECONDS = 5
# The suite gives up when nothing began or ended for so long. Its longest test takes half a minute on a busy machine.
STILL_SECONDS = 100


class Outcome:
    """What one run of a unit came to."""

    def __init__(self, unit):
        self.unit = unit
        self.passed = []
        self.failed = []
        self.skipped = []
        self.seconds = 0.0
        # Why all of it counts as failed, or None.
        self.broken = None

    def read(self, output):
        """Takes in the lines of the suite."""
        done = False
        for raw in output.splitlines():
            line = COLOUR.sub("", raw)
            done = done or bool(DONE.match(line))
            if found := LINE.match(line):
                self.take(*found.groups())
        if not done and not self.broken:
            self.broken = "ended early"

    def take(self, kind, text):
        """Takes in one line."""
        if kind == "ok":
            self.passed.append(ELAPSED.sub("", text))
        elif kind == "err":
            self.failed.append(FAILED_IN.sub("", text))
        elif kind == "exception":
            self.broken = f"exception: {text[:160]}"
        elif kind == "TIMEOUT":
            self.broken = "hung: no test began or ended for too long"
        else:
            self.skipped.append(text)

    def counts(self, known):
        """(passed, failed, skipped), where `known` is how many tests the unit has at least."""
        skipped = len(self.skipped)
        if self.broken:
            return 0, max(known, len(self.passed) + len(self.failed), 1), skipped
        return len(self.passed), max(len(self.failed), known - len(self.passed)), skipped


class Job:
    """What to run, and within which bounds."""

    def __init__(self, sources, binary, scratch, seconds, entry, only=None):
        self.sources = sources
        self.binary = binary
        self.scratch = scratch
        self.seconds = seconds
        self.skip = entry.skipped_names()
        self.options = entry.options
        self.only = only


def run(job, unit, ports):
    """Runs `unit` once on `ports` (a range of its own). Its tree stays below job.scratch."""
    outcome = Outcome(unit)
    tree = plant(job, unit)
    began = time.monotonic()
    log = tree / "output"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            argv(job, unit, ports, tree), cwd=tree, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, "TERM": "dumb"},
        )
        try:
            process.wait(job.seconds)
        except subprocess.TimeoutExpired:
            outcome.broken = f"hung: not done after {job.seconds} seconds"
        finally:
            end(process, tree)
    outcome.read(log.read_text(errors="replace"))
    outcome.seconds = time.monotonic() - began
    if crash := crashed(tree):
        outcome.broken = crash
    return outcome


def argv(job, unit, ports, tree):
    """The command line of the suite's own runner."""
    command = [
        "./runtest", "--single", unit, "--clients", "1", "--durable", "--dont-clean",
        "--timeout", str(min(job.seconds, STILL_SECONDS)), "--baseport", str(ports.start + 32), "--portcount", str(len(ports) - 32),
    ]
    command += job.options
    if job.skip:
        (tree / "left-out").write_text("\n".join(job.skip))
        command += ["--skipfile", "left-out"]
    if job.only:
        command += ["--only", job.only]
    return command


def plant(job, unit):
    """A tree in which the suite finds our server and Debian's tools where it expects to have built them."""
    tree = job.scratch / unit.replace("/", "-")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for path in job.sources.iterdir():
        if path.name not in ("src", "tests"):
            (tree / path.name).symlink_to(path)
    shutil.copytree(job.sources / "tests", tree / "tests", ignore=shutil.ignore_patterns("tmp"))
    (tree / "tests/tmp").mkdir()
    (tree / "src").mkdir()
    for path in (job.sources / "src").iterdir():
        (tree / "src" / path.name).symlink_to(path)
    for name in ("redis-server", "redis-sentinel"):
        place(tree / "src" / name, job.binary)
    for name in TOOLS:
        place(tree / "src" / name, shutil.which(name))
    return tree


def place(name, program):
    """Puts `program` under `name`, over what is there."""
    name.unlink(missing_ok=True)
    name.symlink_to(program)


def end(process, tree):
    """Ends the suite and whatever it has left behind: its process group, and what lives in the unit's tree."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with_group(process.pid, number)
        for pid in living_in(tree):
            with_process(pid, number)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and (process.poll() is None or living_in(tree)):
            time.sleep(0.05)
        if process.poll() is not None and not living_in(tree):
            return


def with_group(group, number):
    """Signals a process group that may be gone."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def with_process(pid, number):
    """Signals a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def living_in(tree):
    """The processes whose working directory is in `tree`: servers change into their own folders there."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            here = os.readlink(path / "cwd")
        except OSError:
            continue
        if here == str(tree) or here.startswith(f"{tree}/"):
            found.append(int(path.name))
    return found


def crashed(tree):
    """The first line in the servers' own output that says that one of them broke, or None.

    The lines between which a test asks for a crash are not told apart: those tests are few and end their server by a
    signal of its own choosing, which our server does not report as a panic.
    """
    for name in ("stdout", "stderr"):
        for path in sorted((tree / "tests/tmp").glob(f"server*/{name}")):
            for line in path.read_text(errors="replace").splitlines():
                if CRASHES.search(line):
                    return f"crashed: {line.strip()[:160]}"
    return None


def all_units(sources):
    """The units that the suite runs, in its order."""
    listed = subprocess.run(
        ["./runtest", "--list-tests"], cwd=sources, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    units = listed.stdout.split()
    if not units:
        raise Failure(f"the suite lists no units\n{listed.stderr}")
    return units
