"""Which shared memory counts as a script's, and which of it is removed."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.jobs import segments
from benchmark.jobs.segments import LOOKS, Segments


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "earlier").write_bytes(b"x" * 4096)
    return tmp_path


def user_of(path: Path) -> subprocess.Popen[bytes]:
    """A process that has a new file mapped and closed."""
    text = (
        "import mmap, os, sys, time\n"
        f"f = open({str(path)!r}, 'w+b'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); f.close()\n"
        "print(flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def end(*users: subprocess.Popen[bytes]) -> None:
    for user in users:
        user.kill()
        user.communicate()


def test_what_a_killed_process_had_mapped_is_removed_and_nothing_else(root: Path) -> None:
    found = Segments(root)
    own, other = user_of(root / "psm_1 a"), user_of(root / "psm_2")
    (root / "a file").write_text("x")
    found.look([own.pid])
    end(own, other)
    found.remove()
    assert {path.name for path in root.iterdir()} == {"earlier", "psm_2", "a file"}


def test_what_somebody_else_still_has_mapped_stays(root: Path) -> None:
    found, path = Segments(root), root / "psm_1"
    own = user_of(path)
    found.look([own.pid])
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096):
        file.close()
        end(own)
        found.remove()
        assert path.exists()
    found.remove()
    assert not path.exists()


def test_what_was_there_before_the_script_stays(root: Path) -> None:
    own = user_of(root / "psm_1")
    found = Segments(root)
    found.look([own.pid])
    end(own)
    found.remove()
    assert (root / "psm_1").exists()


def test_another_file_in_the_place_of_a_segment_stays(root: Path) -> None:
    found = Segments(root)
    own = user_of(root / "psm_1")
    found.look([own.pid])
    end(own)
    (root / "new").write_text("y")  # another inode, while the first one is taken
    (root / "new").rename(root / "psm_1")
    found.remove()
    assert (root / "psm_1").read_text() == "y"


def test_a_file_that_is_open_counts_too(root: Path) -> None:
    with (root / "open").open("w") as file:
        about = os.fstat(file.fileno())
        assert (about.st_dev, about.st_ino) in set(segments.used(os.getpid()))


def test_what_nobody_of_the_script_uses_is_not_looked_for_without_end(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[int]()

    def used(number: int) -> Iterator[segments.Key]:
        asked.append(number)
        return iter(())

    monkeypatch.setattr(segments, "used", used)
    found = Segments(root)
    (root / "new").write_text("x")
    for _ in range(LOOKS + 3):
        found.look([1])
    assert len(asked) == LOOKS
