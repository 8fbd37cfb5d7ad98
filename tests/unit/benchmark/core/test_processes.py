"""Processes as /proc has them: who descends from whom, what they have used, whatever their names hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmark.core import processes
from benchmark.core.processes import TICKS, Process


def test_descendants_are_found_through_their_parents() -> None:
    among = [Process(*pair) for pair in ((2, 1), (3, 2), (4, 3), (5, 1), (6, 5))]
    assert {one.number for one in processes.descendants(2, among)} == {3, 4}


def test_parents_in_a_circle_end_the_search() -> None:
    among = [Process(2, 3), Process(3, 2)]
    assert [one.number for one in processes.descendants(2, among)] == [3]


def test_a_name_may_hold_anything() -> None:
    stat = b"7 (a) Z 1 (b)) S 3 7 7 0 -1 0 0 0 0 0 100 20 3 4 20 0 1"
    assert processes.of(7, stat) == Process(7, 3, 127 / TICKS)


def test_one_that_nobody_has_waited_for_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert [one.ended for one in processes.present() if one.number == child.pid] == [True]


def test_this_process_is_among_those_that_run() -> None:
    own = {one.number: one for one in processes.present()}[os.getpid()]
    assert (own.parent, own.ended) == (os.getppid(), False)


def test_what_a_process_has_started_counts_with_it() -> None:
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    script = f"import subprocess, sys, time; subprocess.run([sys.executable, '-c', {burn!r}]); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script]) as child:
        end = time.monotonic() + 60
        while (used := processes.cpu_seconds(child.pid)) < 0.3 and time.monotonic() < end:
            time.sleep(0.1)
        child.kill()
    assert used >= 0.3
    assert processes.cpu_seconds(os.getpid()) >= 0.3
