"""What the C library is told, and what a process that has told it holds."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.core import memory

TELL = """
from benchmark.core import memory
print(memory.keep_freed(), open("/proc/self/smaps").read())
"""
# An area of the heap: its size in KiB and its flags.
AREA = re.compile(r"\[heap\]\nSize: +(\d+) kB\n(?:[^V].*\n|V(?!mFlags).*\n)*VmFlags: (.*)\n")


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="this kernel has no large pages"
)
def test_the_heap_is_held_at_once_and_on_large_pages() -> None:
    done = subprocess.run([sys.executable, "-c", TELL], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True")
    large = sum(int(size) for size, flags in AREA.findall(done.stdout) if "hg" in flags.split())
    assert large * 1024 >= memory.HEAP


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.core.memory.ctypes.CDLL", lambda name: object())
    assert not memory.keep_freed()


def test_a_library_that_refuses_is_asked_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Library:
        malloc = free = None

        def mallopt(self, option: int, value: int) -> int:
            return 0

    monkeypatch.setattr("benchmark.core.memory.ctypes.CDLL", lambda name: Library())
    assert not memory.keep_freed()
