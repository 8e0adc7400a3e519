"""redis-cli in its modes."""

import os
import pty
import re
import select
import subprocess
import sys
import time

PORT = sys.argv[1]
CHECKS = []


def check(function):
    """Registers a check by its function's name."""
    CHECKS.append(function)
    return function


def cli(*words, given=None, seconds=30):
    """What redis-cli prints."""
    run = subprocess.run(["redis-cli", "-p", PORT, *words], input=given, capture_output=True, text=True, timeout=seconds, check=False)
    return run.stdout + run.stderr


def until_told(*words, seconds=3):
    """What redis-cli shows on a terminal in a mode that never ends: into a pipe it would write when its buffer is full."""
    ours, its = pty.openpty()
    process = subprocess.Popen(["redis-cli", "-p", PORT, *words], stdin=subprocess.DEVNULL, stdout=its)
    os.close(its)
    printed, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([ours], [], [], left)[0]:
            printed += os.read(ours, 65536)
    process.terminate()
    process.wait(10)
    os.close(ours)
    return printed.decode()


@check
def interactive():
    printed = cli(given="SET k \"two words\"\nGET k\nINCR n\nGET none\nLOLWUT VERSION x\nSELECT 3\nDBSIZE\n")
    for line in ("OK", "two words", "1", "ERR value is not an integer"):
        assert line in printed, printed


@check
def one_command():
    assert cli("SET", "k", "v").strip() == "OK" and cli("--no-raw", "GET", "k").strip() == '"v"'
    assert cli("-3", "--no-raw", "CONFIG", "GET", "maxmemory").strip() == '1# "maxmemory" => "0"'
    assert cli("-x", "SET", "k", given="from stdin").strip() == "OK" and cli("GET", "k").strip() == "from stdin"
    assert len(cli("-r", "5", "INCR", "n").split()) == 5


@check
def hints_of_commands():
    printed = re.sub(r"\x1b\[[0-9;]*m", "", cli("HELP", "APPEND"))
    assert "APPEND key value" in printed and "group: string" in printed, printed


@check
def pipe():
    requests = "".join(f"*3\r\n$3\r\nSET\r\n${len(f'k{i}')}\r\nk{i}\r\n$1\r\nv\r\n" for i in range(50_000))
    printed = cli("--pipe", given=requests)
    assert "errors: 0, replies: 50000" in printed, printed
    assert int(cli("DBSIZE")) == 50_000


@check
def bigkeys():
    fill()
    printed = cli("--bigkeys")
    assert "Biggest string found" in printed and "big" in printed, printed
    assert "1001 strings" in printed, printed


@check
def memkeys():
    fill()
    printed = cli("--memkeys")
    assert "Biggest string found" in printed and '"big"' in printed, printed


@check
def hotkeys():
    fill()
    assert "OK" in cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu"), "CONFIG SET maxmemory-policy"
    for _ in range(50):
        cli("GET", "big")
    printed = cli("--hotkeys")
    assert "hot key found with counter" in printed and "big" in printed, printed


@check
def latency():
    printed = until_told("--latency", seconds=2)
    low, high, mean, count = re.findall(r"min: (\d+), max: (\d+), avg: ([\d.]+) \((\d+) samples\)", printed)[-1]
    assert float(low) <= float(mean) <= float(high) and int(count) > 10, printed


@check
def stat():
    fill()
    printed = until_told("--stat", "-i", "0.5", seconds=2)
    assert "1001" in printed and len(printed.splitlines()) >= 3, printed


@check
def scan():
    fill()
    assert len(cli("--scan", "--pattern", "key:*").split()) == 1000


@check
def monitor():
    process = subprocess.Popen(["redis-cli", "-p", PORT, "MONITOR"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    time.sleep(0.5)
    cli("SET", "watched", "v")
    process.terminate()
    printed = process.communicate(timeout=10)[0]
    assert '"SET" "watched" "v"' in printed, printed


def fill():
    """A thousand small strings and a large one."""
    cli(given="FLUSHALL\n" + "".join(f"SET key:{i} v\n" for i in range(1000)) + "SET big " + "x" * 5000 + "\n")


for function in CHECKS:
    name = function.__name__.replace("_", " ")
    try:
        cli("FLUSHALL")
        function()
        print(f"ok {name}", flush=True)
    except Exception as error:  # whatever it was, it is the check's outcome
        print(f"failed {name}: {type(error).__name__} {str(error)[:300]}".replace("\n", " "), flush=True)
