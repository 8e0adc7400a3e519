"""Whether a program was built with frame pointers, judged from its machine code.

Layout: the ELF-64 object file format (file header, section headers, symbol table).
"""

import pathlib
import platform
import struct

# `push rbp; mov rbp, rsp`, in both encodings of the move.
PROLOGUES = (b"\x55\x48\x89\xe5", b"\x55\x48\x8b\xec")
ENDBR64 = b"\xf3\x0f\x1e\xfa"
FUNCTION = 2  # STT_FUNC
SYMBOL_BYTES = 24
# Smaller functions may be thunks that call nothing and need no frame.
SMALLEST = 64
# A Rust program has frame pointers in the standard library even when its own code has none.
SHARE_OF_FUNCTIONS = 0.6
# For a program without symbols: with frame pointers there is a prologue every 200 to 750 bytes.
BYTES_PER_PROLOGUE = 1000


def has_frame_pointers(path):
    """True if `perf record --call-graph fp` will see whole stacks of this program."""
    if platform.machine() == "aarch64":
        return True  # The AArch64 calling convention keeps them, and compilers do by default.
    image = pathlib.Path(path).read_bytes()
    sections = sections_of(image)
    if ".text" not in sections:
        return False
    starts = list(function_starts(image, sections))
    if starts:
        framed = sum(start.removeprefix(ENDBR64).startswith(PROLOGUES) for start in starts)
        return framed >= SHARE_OF_FUNCTIONS * len(starts)
    _, offset, size = sections[".text"]
    found = sum(image.count(prologue, offset, offset + size) for prologue in PROLOGUES)
    return found * BYTES_PER_PROLOGUE > size


def sections_of(image):
    """{name: (address, file offset, size)} of a 64-bit little-endian ELF file; else nothing."""
    if image[:6] != b"\x7fELF\x02\x01":
        return {}
    table, = struct.unpack_from("<Q", image, 0x28)
    entry, number, names_index = struct.unpack_from("<HHH", image, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", image, table + index * entry) for index in range(number)]
    names = headers[names_index][4]
    found = {}
    for name, _kind, _flags, address, offset, size in headers:
        end = image.index(b"\0", names + name)
        found[image[names + name:end].decode()] = (address, offset, size)
    return found


def function_starts(image, sections):
    """The first bytes of every function of .text that the symbol table names."""
    _, table, length = sections.get(".symtab", (0, 0, 0))
    address, offset, size = sections[".text"]
    for place in range(table, table + length, SYMBOL_BYTES):
        _name, kind, _other, _section, value, extent = struct.unpack_from("<IBBHQQ", image, place)
        if kind & 15 == FUNCTION and extent >= SMALLEST and address <= value < address + size:
            start = offset + value - address
            yield image[start:start + 8]
