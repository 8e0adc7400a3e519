"""This machine and this process: cores, limits, and how a record names them."""

import contextlib
import ctypes
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[2]

# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
# Loaded here because a forked child must not import or load anything.
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """Something that the user has to read; the tools print it without a traceback."""


def say(text):
    """Progress goes to stderr, so that stdout holds nothing but the report."""
    print(text, file=sys.stderr, flush=True)


def need(program, package):
    """The path of `program`, or a Failure that says how to install it."""
    path = shutil.which(program)
    if path is None:
        raise Failure(f"{program} is not installed; on Debian: apt-get install {package}")
    return path


def child_setup(cores):
    """A function for Popen's preexec_fn: pin to `cores` if given, and die with this process."""

    def setup():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if cores:
            os.sched_setaffinity(0, cores)

    return setup


def check_cores(cores):
    """Fails unless this process may run on every one of `cores`."""
    missing = set(cores) - os.sched_getaffinity(0)
    if missing:
        raise Failure(f"core {min(missing)} is not available here; see --server-core and --client-core")


def raise_open_files(wanted):
    """Lets this process and its children open `wanted` files; fails if the hard limit is lower."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            hard = raise_hard_limit(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def raise_hard_limit(wanted, hard):
    """Raises the hard limit too, which root may do."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except (ValueError, PermissionError) as error:
        raise Failure(
            f"{wanted} open files are needed and the hard limit is {hard}; "
            f"raise it (ulimit -Hn {wanted}) or ask for fewer clients"
        ) from error
    return wanted


def cpu_model():
    """The processor's name as the kernel tells it, or the architecture where it tells none."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def machine_slug(model, cores):
    """`model` as a folder name: 'Intel(R) Xeon(R) CPU @ 2.20GHz', 2 -> 'intel-xeon-2.20ghz-2c'."""
    text = re.sub(r"\((r|tm|c)\)|\bcpu\b|\bprocessor\b", " ", model.lower())
    return re.sub(r"[^a-z0-9.]+", "-", text).strip("-") + f"-{cores}c"


def core_count():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))


def busy_seconds():
    """CPU seconds that all cores together spent on anything, or had stolen by the hypervisor."""
    line = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, line.split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def git_commit():
    """The short commit of this checkout, '-dirty' if tracked files differ, or 'unknown'."""
    command = ["git", "-C", str(REPO), "describe", "--always", "--dirty", "--exclude=*"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"


def main(function):
    """Runs `function`; a Failure or an interrupt becomes one line and an exit code.

    SIGTERM and SIGHUP raise SystemExit, so that every `with` block still ends its servers.
    """

    def leave(number, _frame):
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGHUP, leave)
    try:
        sys.exit(function() or 0)
    except Failure as failure:
        say(f"error: {failure}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; every server that was started has been ended")
        sys.exit(130)
