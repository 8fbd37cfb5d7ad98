"""Folders for temporary files: they go with their process, and what one has left is found."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmark.core import scratch
from benchmark.core.scratch import PREFIX, Scratch


def test_a_folder_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    own = Scratch(tmp_path)
    deep = own.folder / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    deep.chmod(0o500)
    own.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_has_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    imports = "import os; from pathlib import Path; from benchmark.core.scratch import Scratch"
    killed = f"{imports}; Scratch(Path({str(tmp_path)!r})); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed], check=False)
    (left,) = tmp_path.iterdir()
    (left / "file").write_text("x")
    own, other = Scratch(tmp_path), tmp_path / "theirs"
    other.mkdir()
    link = tmp_path / f"{PREFIX}link"
    link.symlink_to(other)
    scratch.sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {own.folder, other, link}


def test_python_puts_temporary_files_there(tmp_path: Path) -> None:
    asked = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]
    done = subprocess.run(asked, env=scratch.variables(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path)


def test_ray_s_client_finds_its_session_where_it_was() -> None:
    assert scratch.variables(Path("/tmp/x"))["RAY_TMPDIR"] == "/tmp"


def test_the_path_leaves_room_for_sockets_below_it() -> None:
    own = Scratch()
    try:
        with tempfile.TemporaryDirectory(prefix="pymp-", dir=own.folder) as folder:
            assert len(f"{folder}/listener-abcdefgh") < 100
    finally:
        own.remove()
