"""This repository and this process."""

import os
import pathlib
import signal
import subprocess
import sys

REPO = pathlib.Path(__file__).resolve().parents[3]


class Failure(Exception):
    """Something that the user has to read; printed without a traceback."""


def say(text):
    """Progress goes to stderr, so that stdout holds nothing but the report."""
    print(text, file=sys.stderr, flush=True)


def cache():
    """The folder, outside the repository, for what is fetched once."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "sockudo-kv"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def built(name):
    """Where cargo puts the release binary `name`."""
    target = os.environ.get("CARGO_TARGET_DIR") or "target"
    return REPO / target / "release" / name


def checked(command, **options):
    """Runs a command to its end; its output belongs to the failure if there is one."""
    run = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **options)
    if run.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))} ended with {run.returncode}\n{run.stdout}{run.stderr}")
    return run.stdout


def main(function):
    """Runs `function`; a Failure or an interrupt becomes one line and an exit code.

    SIGTERM and SIGHUP raise SystemExit, so that every `finally` still ends its processes.
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
        say("interrupted; everything that was started has been ended")
        sys.exit(130)
