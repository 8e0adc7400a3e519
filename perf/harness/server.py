"""Starting, watching and ending one server process."""

import contextlib
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from .resp import Client
from .system import REPO, Failure, child_setup, need

START_SECONDS = 20
STOP_SECONDS = 10
START_ATTEMPTS = 3
# RSS counts as settled when it moved by less than this between looks half a second apart.
SETTLED_BYTES = 64 * 1024
SETTLE_SECONDS = 20


class Spec:
    """How to start one of the servers under comparison."""

    def __init__(self, name, command):
        self.name = name
        self.command = list(command)

    def argv(self, port):
        """The command line. One that names {port} itself is taken as it is, for servers whose
        options are not Redis's; to all others the usual directives are added."""
        if any("{port}" in word for word in self.command):
            return [word.replace("{port}", str(port)) for word in self.command]
        usual = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        return self.command + usual

    def describe(self):
        """The command line for a record: the program by its name, without this machine's paths."""
        words = [pathlib.Path(self.command[0]).name, *self.command[1:]]
        return shlex.join(words)

    def version(self):
        """The first line that `--version` prints."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            run = subprocess.run(
                [self.command[0], "--version"],
                capture_output=True, text=True, timeout=10, check=False, stdin=subprocess.DEVNULL,
            )
            if run.returncode == 0 and run.stdout.strip():
                return run.stdout.strip().splitlines()[0]
        return "version not told"


def find_program(spec):
    """Replaces the program of `spec` by its path, or fails with what to do about it."""
    program = spec.command[0]
    if program == "redis-server":
        spec.command[0] = need(program, "redis-server")
        return
    candidate = shutil.which(program) or shutil.which(str(REPO / program))
    if candidate is None:
        raise Failure(f"{program} not found or not executable; build it (cargo build --release) or name it (--bin, --server)")
    spec.command[0] = str(pathlib.Path(candidate).resolve())


def free_port(ports):
    """A free loopback port, from `ports` (a range) if given, else one that the kernel picks."""
    for port in ports or [0]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise Failure(f"no free port in {ports}")


class Server:
    """A running server; a context manager that always ends it, by its own pid."""

    def __init__(self, spec, cores=None, ports=None):
        self.spec = spec
        self.cores = cores
        self.ports = ports
        self.process = None
        self.port = None
        self.folder = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="sockudo-perf-")
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Starts the server and waits for PONG; another port if somebody took this one meanwhile."""
        for _ in range(START_ATTEMPTS):
            self.port = free_port(self.ports)
            self.spawn()
            if self.answers_in_time():
                return
            if "in use" not in self.log_tail():
                break
        raise Failure(f"{self.spec.name} did not start: {self.spec.describe()}\n{self.log_tail()}")

    def spawn(self):
        """Runs the command in its own folder and session: Ctrl-C reaches the tool, not the server."""
        with open(self.log_path(), "wb") as log:
            self.process = subprocess.Popen(
                self.spec.argv(self.port), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, preexec_fn=child_setup(self.cores),
            )

    def answers_in_time(self):
        """True at the first PONG, False if the process ended or START_SECONDS passed."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError, Failure), Client(self.port, timeout=2) as client:
                # The second look: the answer must be this process's, not that of a stranger who
                # owns the port while ours is about to fail.
                if client.command("PING") == b"PONG" and self.process.poll() is None:
                    return True
            time.sleep(0.05)
        return False

    def stop(self):
        """Asks the process to end, insists after STOP_SECONDS, and removes its folder."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log_path(self):
        """Where the server's output goes."""
        return os.path.join(self.folder, "server.log")

    def log_tail(self):
        """The last lines that the server printed."""
        with contextlib.suppress(OSError):
            text = pathlib.Path(self.log_path()).read_text(errors="replace")
            return "\n".join(text.splitlines()[-8:])
        return ""

    def client(self, timeout=60):
        """A new connection to this server."""
        return Client(self.port, timeout)

    def check_alive(self):
        """Fails with the server's last words if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise Failure(f"{self.spec.name} ended with code {code}\n{self.log_tail()}")

    def cpu_times(self):
        """Nanoseconds on a core by thread id, see `cpu_between`."""
        return thread_times(self.process.pid)

    def rss(self):
        """Resident bytes now."""
        return resident_bytes(self.process.pid)

    def settled_rss(self):
        """Resident bytes once they hold still: allocators and tables give memory back late."""
        deadline = time.monotonic() + SETTLE_SECONDS
        time.sleep(1.0)
        last, quiet = self.rss(), 0
        while quiet < 3 and time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.rss()
            quiet = quiet + 1 if abs(now - last) < SETTLED_BYTES else 0
            last = now
        self.check_alive()
        return last


def thread_times(pid):
    """{thread id: nanoseconds on a core} from /proc/PID/task/*/schedstat (its first field)."""
    times = {}
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # A thread may end between the listing and the reading.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            times[path.parent.name] = int(path.read_text().split()[0])
    if not any(times.values()):
        raise Failure("no CPU times in /proc/PID/task/*/schedstat: the process ended, or this kernel lacks CONFIG_SCHED_INFO")
    return times


def cpu_between(before, after):
    """Nanoseconds that all threads of `after` spent since `before`; new threads count in full."""
    return sum(spent - before.get(thread, 0) for thread, spent in after.items())


def resident_bytes(pid):
    """Resident bytes. smaps_rollup counts pages; VmRSS of status may lag by some pages per thread."""
    for name, field in (("smaps_rollup", "Rss:"), ("status", "VmRSS:")):
        with contextlib.suppress(OSError):
            for line in pathlib.Path(f"/proc/{pid}/{name}").read_text().splitlines():
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    raise Failure(f"cannot read the resident size of process {pid}")
