"""Tests of the parts that judge: run with `python3 -m harness.tests` in perf/."""

import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.dom.minidom

from . import bench, cli, plot, report, resp, server, system

REPORT = """
GET: rps=0.0 (overall: -nan) avg_msec=-nan (overall: -nan)
GET: rps=400000.0 (overall: 398000.5) avg_msec=0.5 (overall: 0.5)
====== GET ======
  100000 requests completed in 0.50 seconds

Latency by percentile distribution:
50.000% <= 0.439 milliseconds (cumulative count 50624)
99.805% <= 4.327 milliseconds (cumulative count 99808)
99.902% <= 4.375 milliseconds (cumulative count 99904)
100.000% <= 4.455 milliseconds (cumulative count 100000)

Cumulative distribution of latencies:
100.000% <= 5.103 milliseconds (cumulative count 100000)

Summary:
  throughput summary: 200000.00 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.564     0.112     0.439     1.239     2.367     4.455
"""


class Bench(unittest.TestCase):
    def test_reads_every_figure_of_a_report(self):
        result = bench.parse(REPORT, threaded=False)
        figures = (result.rate, result.p50, result.p99, result.p999, result.requests)
        self.assertEqual(figures, (200000.0, 0.439, 2.367, 4.375, 100000))

    def test_threads_take_the_rate_of_the_last_tick_not_of_the_late_end(self):
        self.assertEqual(bench.parse(REPORT, threaded=True).rate, 398000.5)

    def test_a_report_of_another_form_is_an_error(self):
        with self.assertRaises(system.Failure):
            bench.parse(REPORT.replace("p99 ", "p98 "), threaded=False)

    def test_loads(self):
        load = bench.Load.parse("get-p1-c1000")
        self.assertEqual((load.command, load.depth, load.clients), ("get", 1, 1000))
        self.assertEqual((load.key(), load.label()), ("get-p1-c1000", "GET P1 c1000"))
        for wrong in ("get", "get-p0", "del-p1", "get-p1-c"):
            with self.assertRaises(system.Failure):
                bench.Load.parse(wrong)

    def test_requests_come_in_whole_pipelines_of_all_clients(self):
        self.assertEqual(bench.Load("get", 16).requests(10_100, 1), 13 * 16 * 50)
        self.assertEqual(bench.Load("get", 100).requests(1, 1), 5000)


class Server(unittest.TestCase):
    def test_cpu_counts_new_threads_in_full(self):
        self.assertEqual(server.cpu_between({"1": 100, "2": 50}, {"1": 130, "3": 7}), 37)

    def test_cpu_of_a_busy_process_grows_with_its_work(self):
        before = server.thread_times(os.getpid())
        end = time.process_time() + 0.2
        while time.process_time() < end:
            pass
        spent = server.cpu_between(before, server.thread_times(os.getpid()))
        self.assertGreater(spent, 0.15e9)
        self.assertLess(spent, 0.5e9)

    def test_a_command_that_names_its_port_is_left_alone(self):
        self.assertEqual(server.Spec("peer", ["peer", "-p", "{port}"]).argv(7), ["peer", "-p", "7"])
        self.assertEqual(server.Spec("redis", ["redis-server"]).argv(7)[1:3], ["--port", "7"])

    def test_a_server_that_ends_at_once_is_an_error_with_its_words(self):
        spec = server.Spec("broken", [sys.executable, "-c", "raise SystemExit('no such luck')", "{port}"])
        with self.assertRaisesRegex(system.Failure, "no such luck"), server.Server(spec):
            self.fail("it cannot have started")

    def test_a_killed_tool_leaves_no_server(self):
        with tempfile.TemporaryDirectory() as folder:
            note = pathlib.Path(folder, "pid")
            script = (
                "import subprocess, time\nfrom harness import system\n"
                "child = subprocess.Popen(['sleep', '60'], preexec_fn=system.child_setup(None), start_new_session=True)\n"
                f"open({str(note)!r}, 'w').write(f'{{child.pid}} ')\ntime.sleep(60)\n"
            )
            tool = subprocess.Popen([sys.executable, "-B", "-c", script], cwd=system.REPO / "perf")
            self.addCleanup(tool.wait)
            wait_for(lambda: note.exists() and note.read_text().endswith(" "))
            tool.kill()
            pid = note.read_text().strip()
            wait_for(lambda: not alive(pid))


def alive(pid):
    """False for a process that is gone or a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition):
    """Returns when `condition` holds, fails after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about within ten seconds")
        time.sleep(0.02)


class Resp(unittest.TestCase):
    def answer(self, *replies):
        """A Client whose server sends one of `replies` for every command."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            link, _ = listener.accept()
            with link:
                for reply in replies:
                    link.recv(65536)
                    link.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        client = resp.Client(listener.getsockname()[1], timeout=5)
        self.addCleanup(client.__exit__)
        return client

    def test_reads_every_kind_of_reply(self):
        client = self.answer(b"*5\r\n:-7\r\n$2\r\n\r\n\r\n$-1\r\n+OK\r\n*-1\r\n")
        self.assertEqual(client.command("ANY"), [-7, b"\r\n", None, b"OK", None])

    def test_an_error_reply_is_a_failure(self):
        with self.assertRaisesRegex(system.Failure, "ERR no"):
            self.answer(b"-ERR no\r\n").command("ANY")

    def test_an_error_while_filling_is_seen_though_it_is_shorter_than_what_is_awaited(self):
        with self.assertRaisesRegex(system.Failure, "OOM"):
            self.answer(b"+OK\r\n-OOM\r\n").fill([b"x"] * 100, b"+OK\r\n")

    def test_encodes_by_bytes(self):
        self.assertEqual(resp.encode("SET", "é", 5), b"*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xa9\r\n$1\r\n5\r\n")


class Words(unittest.TestCase):
    def test_counts(self):
        self.assertEqual(cli.counts("100k,1.5M,7"), [100_000, 1_500_000, 7])
        self.assertEqual([cli.short(n) for n in (100_000, 1_500_000, 5_000_000, 7)], ["100k", "1.5M", "5M", "7"])
        with self.assertRaises(ValueError):
            cli.count("0")

    def test_machine_names_are_folder_names(self):
        self.assertEqual(system.machine_slug("Intel(R) Xeon(R) Processor", 2), "intel-xeon-2c")
        self.assertEqual(system.machine_slug("AMD EPYC 7B13 @ 2.45GHz", 8), "amd-epyc-7b13-2.45ghz-8c")

    def test_no_verdict_on_a_disturbed_run(self):
        words = [report.verdict(True), report.verdict(False, 0.05), report.verdict(True, 0.5)]
        self.assertEqual(words, ["pass", "MISS", "disturbed"])

    def test_table(self):
        self.assertEqual(
            report.table(["a", "bar"], [["x", ">= 1.10"], ["yyyy", ""]]),
            "| a    |     bar |\n| ---- | ------: |\n| x    | >= 1.10 |\n| yyyy |         |",
        )

    def test_plot_is_well_formed_and_draws_the_goal(self):
        picture = plot.chart("a < b", "x & y", [plot.Bar("one", 1.0, 2.0, "MISS"), plot.Bar("two", 3.0)])
        drawn = xml.dom.minidom.parseString(picture)
        self.assertEqual(len(drawn.getElementsByTagName("line")), 1)
        colors = [bar.getAttribute("fill") for bar in drawn.getElementsByTagName("rect")]
        self.assertEqual(colors, ["white", plot.BAD, plot.PLAIN])


if __name__ == "__main__":
    unittest.main()
