"""A small RESP2 client, and filling a server through a raw socket."""

import socket

from .system import Failure

# Commands per write while filling: their replies (a few bytes each) fit the socket's buffers, so
# that neither side ever waits for the other to read.
FILL_BATCH = 2000


class Client:
    """One connection; use it as a context manager."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def command(self, *words):
        """Sends one command and returns its reply: int, bytes, None, list; an error raises Failure."""
        self.socket.sendall(encode(*words))
        return self.reply()

    def reply(self):
        """Reads one RESP2 reply."""
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise Failure("the server closed the connection in the middle of a reply")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Failure(rest.decode(errors="replace"))
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise Failure(f"not a RESP2 reply: {line!r}")

    def fill(self, commands, expected):
        """Pipelines `commands` (an iterator of encoded commands), each answered by `expected`."""
        batch = []
        for command in commands:
            batch.append(command)
            if len(batch) == FILL_BATCH:
                self.send_batch(batch, expected)
                batch = []
        self.send_batch(batch, expected)

    def send_batch(self, batch, expected):
        """Sends one batch and checks every byte of its replies."""
        self.socket.sendall(b"".join(batch))
        wanted = expected * len(batch)
        received = bytearray()
        while len(received) < len(wanted):
            part = self.socket.recv(len(wanted) - len(received))
            if not part:
                raise Failure("the server closed the connection while it was being filled")
            received += part
            # A shorter error reply would leave this loop waiting for bytes that never come.
            if not wanted.startswith(received):
                raise Failure(f"while filling, expected {expected!r}, got {bytes(received[:200])!r}")


def encode(*words):
    """One command as a RESP array of bulk strings."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    body = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"*%d\r\n%s" % (len(parts), body)


def load_keyspace(client, keys):
    """Sets every key that `redis-benchmark -r keys` may ask for, to a value of 3 bytes.

    redis-benchmark picks keys at random, so filling with it would leave gaps, and a missing key
    is cheaper to answer than a present one.
    """
    template = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$3\r\nxxx\r\n"
    client.fill((template % number for number in range(keys)), b"+OK\r\n")
    size = client.command("DBSIZE")
    if size != keys:
        raise Failure(f"the keyspace should hold {keys} keys after the fill, DBSIZE says {size}")


def info_field(client, section, field):
    """One field of INFO as text, or None if the server does not report it."""
    for line in client.command("INFO", section).decode(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return value
    return None
