"""Tests of the parts that judge: run with `python3 -m harness.tests` in tests/upstream/."""

import os
import pathlib
import subprocess
import tempfile
import time
import unittest

from . import ledger, pool, report, sources, system, unit

OUTPUT = """Cleanup: may take some time... OK
[ready]: 4711
Testing unit/x
[ok]: one (3 ms)
[\x1b[0;31;49merr\x1b[0m]: two in tests/unit/x.tcl
Expected '1' to be equal to '2' (context: [ok]: no line of its own)
[skip]: three
[ignore]: Tag: large memory flag not provided
[1/1 \x1b[0;33;49mdone\x1b[0m]: unit/x (0 seconds)
"""

LEDGER = """# head
[unit."unit/a"]
tests = 10
passes = 4 # not a plain line
left_out = [{ test = "t", reason = "It looks at the heap of C." }]

[unit."unit/b"]
tests = 3
passes = 2
seconds = 7

[unit."unit/c"]
reason = "A later issue."
tests = 5
"""


def outcome(passed, failed=0, broken=None):
    """An outcome with so many tests."""
    made = unit.Outcome("unit/b")
    made.passed, made.failed, made.broken = ["t"] * passed, ["f"] * failed, broken
    return made


class Reading(unittest.TestCase):
    def test_every_kind_of_line_is_counted_once(self):
        seen = unit.Outcome("unit/x")
        seen.read(OUTPUT)
        self.assertEqual((seen.passed, seen.failed), (["one"], ["two"]))
        self.assertEqual(seen.skipped, ["three", "Tag: large memory flag not provided"])
        self.assertIsNone(seen.broken)

    def test_a_unit_without_its_end_is_broken(self):
        for end in ("", "[exception]: Executing test client: gone\n", "[TIMEOUT]: clients state report follows.\n"):
            seen = unit.Outcome("unit/x")
            seen.read(OUTPUT[: OUTPUT.index("[1/1")] + end)
            self.assertTrue(seen.broken, end)
            self.assertEqual(seen.counts(8)[:2], (0, 8))

    def test_tests_that_never_ran_count_as_failed(self):
        self.assertEqual(outcome(4, 1).counts(10), (4, 6, 0))
        self.assertEqual(outcome(4, 3).counts(0), (4, 3, 0))
        self.assertEqual(outcome(0, 0, "hung").counts(0), (0, 1, 0))

    def test_a_panic_in_a_servers_output_is_found(self):
        with tempfile.TemporaryDirectory() as tree:
            tree = pathlib.Path(tree)
            folder = tree / "tests/tmp/server.1.1"
            folder.mkdir(parents=True)
            (folder / "stdout").write_text("1:M * Ready\n")
            self.assertIsNone(unit.crashed(tree))
            (folder / "stderr").write_text("thread 'worker-0' panicked at src/x.rs:1:1:\n")
            self.assertIn("panicked at", unit.crashed(tree))


class Ending(unittest.TestCase):
    def test_what_has_left_the_group_is_ended_too(self):
        with tempfile.TemporaryDirectory() as tree:
            tree = pathlib.Path(tree).resolve()
            script = "setsid sleep 60 & sleep 60"
            process = subprocess.Popen(["sh", "-c", script], cwd=tree, start_new_session=True)
            deadline = time.monotonic() + 10
            while len(unit.living_in(tree)) < 3 and time.monotonic() < deadline:
                time.sleep(0.01)
            unit.end(process, tree)
            self.assertEqual(unit.living_in(tree), [])
            self.assertIsNotNone(process.poll())


class Ledger(unittest.TestCase):
    def test_reads_what_is_left_out(self):
        entries = ledger.parse(LEDGER)
        self.assertEqual(entries["unit/a"].skipped_names(), ["t"])
        self.assertEqual((entries["unit/b"].passes, entries["unit/b"].seconds), (2, 7))
        self.assertEqual(entries["unit/c"].reason, "A later issue.")

    def test_nothing_is_left_out_without_a_sentence(self):
        for wrong in ('reason = ""', 'left_out = [{ test = "t" }]', 'left_out = [{ test = "t", reason = "no" }]', "skip = 1"):
            with self.assertRaises(system.Failure, msg=wrong):
                ledger.parse(f'[unit."unit/a"]\n{wrong}\n')

    def test_numbers_are_raised_and_never_lowered(self):
        self.assertEqual(ledger.raised(LEDGER, {"unit/b": outcome(1, 2)}), LEDGER)
        self.assertEqual(ledger.raised(LEDGER, {"unit/b": outcome(9, 0, "hung")}), LEDGER)
        more = ledger.raised(LEDGER, {"unit/b": outcome(3, 1)})
        self.assertEqual(more, LEDGER.replace("tests = 3\npasses = 2", "tests = 4\npasses = 3"))

    def test_it_has_the_units_of_the_suite(self):
        ledger.check_complete({"a": 1}, ["a"])
        for units in (["a", "b"], []):
            with self.assertRaises(system.Failure):
                ledger.check_complete({"a": 1}, units)


class Report(unittest.TestCase):
    def rows(self):
        entries = ledger.parse(LEDGER)
        results = {"unit/a": outcome(3, 1), "unit/b": outcome(3)}
        return [report.Row(name, entry, results.get(name)) for name, entry in entries.items()]

    def test_a_unit_below_its_number_is_short(self):
        self.assertEqual([row.short() for row in self.rows()], [True, False, False])

    def test_the_last_line(self):
        self.assertEqual(report.totals(self.rows()), "6 passed, 6 failed, 5 skipped")
        self.assertEqual(len(report.table(self.rows()).splitlines()), 4)


class Fetching(unittest.TestCase):
    def test_entries_become_entries_of_sources(self):
        text = "Types: deb\nURIs: x\n\nTypes: deb deb-src\n"
        self.assertEqual(sources.for_sources(text, ".sources"), "Types: deb-src\nURIs: x\n\nTypes: deb-src\n")
        self.assertEqual(sources.for_sources("# deb a\ndeb a b\ndeb-src c\n", ".list"), "# deb a\ndeb-src a b\ndeb-src c\n")

    def test_two_runs_have_different_ports(self):
        with tempfile.TemporaryDirectory() as home:
            os.environ["XDG_CACHE_HOME"] = home
            with pool.ports() as one, pool.ports() as other:
                self.assertFalse(set(one) & set(other))
            with pool.ports() as again:
                self.assertEqual(again, one)


if __name__ == "__main__":
    unittest.main()
