"""The table and the last line."""


class Row:
    """A unit's numbers beside what the ledger asks for."""

    def __init__(self, name, entry, outcome):
        self.name = name
        self.asked = entry.passes
        self.outcome = outcome
        if outcome is None:
            self.passed, self.failed, self.skipped = 0, 0, max(entry.tests, 1)
            self.note = entry.reason
            return
        self.passed, self.failed, self.skipped = outcome.counts(entry.tests - len(entry.left_out))
        self.note = outcome.broken or ""
        if self.short() and not outcome.broken:
            self.note = "fewer than the ledger says"

    def short(self):
        """Whether fewer passed than the ledger asks for."""
        return self.outcome is not None and self.passed < self.asked

    def cells(self):
        """Its line of the table."""
        seconds = "" if self.outcome is None else f"{self.outcome.seconds:.0f}"
        return [self.name, *map(str, (self.passed, self.failed, self.skipped, self.asked)), seconds, self.note]


HEAD = ["unit", "passed", "failed", "skipped", "ledger", "seconds", "note"]


def table(rows):
    """All rows under a heading, numbers to the right."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = []
    for line in lines:
        cells = [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:6], widths[1:6])), line[6]]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def failures(rows):
    """What failed, by unit; nothing for a unit that broke, whose note says why."""
    lines = []
    for row in rows:
        if row.outcome is not None:
            lines += [f"{row.name}: {test}" for test in row.outcome.failed]
    return "\n".join(lines)


def totals(rows):
    """The last line."""
    passed, failed, skipped = (sum(getattr(row, name) for row in rows) for name in ("passed", "failed", "skipped"))
    return f"{passed} passed, {failed} failed, {skipped} skipped"
