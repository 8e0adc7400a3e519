"""What must pass, and what is left out with its reason.

    [unit."unit/type/zset"]
    tests = 190        # how many the suite has there; fewer seen means that some never ran
    passes = 180       # how many pass; fewer is a failure of the run
    seconds = 40       # about how long it takes: the long ones begin first
    left_out = [{ test = "its name", reason = "One sentence." }]
    options = ["--ignore-encoding"]       # further words for the suite's own runner, which need a reason too
    because = "One sentence."

    [unit."unit/tls"]
    reason = "One sentence."       # all of the unit is left out
"""

import re
import tomllib

from .system import Failure

UNIT_KEYS = {"tests", "passes", "seconds", "left_out", "reason", "options", "because"}


class Entry:
    """One unit's lines."""

    def __init__(self, name, table):
        unknown = set(table) - UNIT_KEYS
        if unknown:
            raise Failure(f"ledger: {name} has {', '.join(sorted(unknown))}, which means nothing")
        self.tests = table.get("tests", 0)
        self.passes = table.get("passes", 0)
        self.seconds = table.get("seconds", 0)
        self.reason = table.get("reason")
        self.left_out = [(item["test"], item.get("reason", "")) for item in table.get("left_out", [])]
        self.options = table.get("options", [])
        reasons = [table.get("because", "")] if self.options else []
        reasons += [reason for _, reason in self.left_out] + ([self.reason] if "reason" in table else [])
        if not all(reason.strip().endswith(".") for reason in reasons):
            raise Failure(f"ledger: {name} leaves something out without a sentence that says why")

    def skipped_names(self):
        """The tests that the suite is told to leave out."""
        return [name for name, _ in self.left_out]


def read(path):
    """{unit: Entry}."""
    return parse(path.read_text())


def parse(text):
    """{unit: Entry} of the ledger's text."""
    return {name: Entry(name, table) for name, table in tomllib.loads(text).get("unit", {}).items()}


def check_complete(entries, units):
    """Every unit of the suite stands in the ledger, and nothing else does."""
    missing, strange = set(units) - set(entries), set(entries) - set(units)
    if missing or strange:
        raise Failure(f"ledger: lacks {sorted(missing)}, has units that the suite has not: {sorted(strange)}")


def raised(text, outcomes):
    """The ledger's text with the numbers of `outcomes` where they are higher; all else stays as it is."""
    entries, lines, unit = parse(text), [], None
    for line in text.splitlines(keepends=True):
        if found := re.match(r'\[unit\."(.+)"\]', line):
            unit = found.group(1)
        outcome = outcomes.get(unit)
        if outcome and not outcome.broken:
            line = raised_line(line, "passes", entries[unit].passes, len(outcome.passed))
            seen = len(outcome.passed) + len(outcome.failed)
            line = raised_line(line, "tests", entries[unit].tests, seen)
        lines.append(line)
    return "".join(lines)


def raised_line(line, key, now, found):
    """`key = now` becomes `key = found` if that is more."""
    if found > now and re.match(rf"{key} = \d+$", line.strip()):
        return f"{key} = {found}\n"
    return line
