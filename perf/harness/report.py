"""Markdown tables and the files of a record."""

import datetime
import platform

from . import system

# Cores that other processes, or other guests of the host, may keep busy before a report says so.
FOREIGN_LIMIT = 0.15


def table(header, rows):
    """A Markdown table, columns padded so that it reads well as text; all but text columns right."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    numeric = [is_numeric(column, cells) for column in range(len(header))]
    rule = [("-" * (width - 1) + ":") if right else "-" * width for width, right in zip(widths, numeric)]
    lines = [pad(row, widths, numeric) for row in cells]
    return "\n".join([lines[0], "| " + " | ".join(rule) + " |", *lines[1:]])


def is_numeric(column, cells):
    """True if the first filled cell under the header starts like a number."""
    filled = [row[column] for row in cells[1:] if row[column] not in ("", "-")]
    return bool(filled) and filled[0].lstrip("<>=+- ")[:1].isdigit()


def pad(row, widths, numeric):
    """One line of the table."""
    cells = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric)]
    return "| " + " | ".join(cells) + " |"


def verdict(good, foreign=0.0):
    """How every bar's outcome is written. For throughput and latency, `foreign` is the cores that
    others kept busy: past the limit there is no verdict, because it would judge the neighbours."""
    if foreign >= FOREIGN_LIMIT:
        return "disturbed"
    return "pass" if good else "MISS"


def preamble(title, specs, notes):
    """The head of a report: what ran, where, when, and from which commit."""
    lines = [f"# {title}", ""]
    lines += [f"- {datetime.datetime.now():%Y-%m-%d %H:%M}, checkout {system.git_commit()}"]
    lines += [f"- {system.cpu_model()}, {system.core_count()} cores, Linux {platform.release()}"]
    lines += [f"- {spec.name}: `{spec.describe()}` ({spec.version()})" for spec in specs]
    lines += [f"- {note}" for note in notes]
    return "\n".join(lines) + "\n"


def disturbance(foreign):
    """A note if others kept a visible part of the cores busy, see `bench.Result`; else nothing."""
    if max(foreign) < FOREIGN_LIMIT:
        return []
    note = f"disturbed: others kept up to {max(foreign):.2f} cores busy in a median run; requests/s and latencies are not to be trusted"
    system.say(note)
    return [note]


def record_folder():
    """perf/records/<machine>/<date>, made if it is not there."""
    machine = system.machine_slug(system.cpu_model(), system.core_count())
    folder = system.REPO / "perf" / "records" / machine / f"{datetime.date.today():%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def publish(name, text, svg, record):
    """Prints the report, and with `record` writes name.md and name.svg."""
    print(text)
    if not record:
        return
    folder = record_folder()
    picture = f"\n![{name}]({name}.svg)\n" if svg else ""
    (folder / f"{name}.md").write_text(text + "\n" + picture)
    if svg:
        (folder / f"{name}.svg").write_text(svg)
    system.say(f"recorded in {folder.relative_to(system.REPO)}")
