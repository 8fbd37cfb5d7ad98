"""A script as a process: its output by lines, its exit code, and that it does not outlive its starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.jobs import process


def ran(tmp_path: Path, text: str, *arguments: str) -> tuple[list[str], int]:
    script = tmp_path / "script.py"
    script.write_text(text)
    child = process.start([str(script), *arguments], {"GREETING": "hello"}, subprocess.PIPE)
    assert child.stdout is not None
    found = [line for some in process.lines(child.stdout.fileno()) for line in some]
    child.stdout.close()
    return found, process.exit_code(child.wait())


def test_a_script_has_its_arguments_and_variables(tmp_path: Path) -> None:
    text = "import os, sys; print(os.environ['GREETING'], *sys.argv[1:]); print('end', end='')"
    assert ran(tmp_path, text, "a b") == (["hello a b", "end"], 0)


def test_nothing_of_ours_stands_in_its_traceback(tmp_path: Path) -> None:
    lines, code = ran(tmp_path, "raise ValueError('mine')")
    assert code == 1
    assert lines[0] == "Traceback (most recent call last):"
    assert [line for line in lines if line.startswith('  File "')] == [lines[1]]
    assert lines[-1] == "ValueError: mine"


@pytest.mark.parametrize("code", [0, 3, 128 + signal.SIGKILL])
def test_the_exit_code_is_that_of_a_shell(tmp_path: Path, code: int) -> None:
    ending = f"os.kill(os.getpid(), {code - 128})" if code > 128 else f"sys.exit({code})"
    assert ran(tmp_path, f"import os, sys; {ending}") == ([], code)


@pytest.mark.parametrize("code", [3, 128, 255])
def test_an_exit_code_is_no_signal(code: int) -> None:
    assert process.ending(code) == f"ended with exit code {code}"


def test_a_kill_is_told_in_words() -> None:
    assert "SIGKILL: perhaps its node ran out of memory" in process.ending(137)


def test_a_script_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = tmp_path / "script.py"
    script.write_text(f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)")
    starter = f"from benchmark.jobs import process; process.start([{str(script)!r}], {{}}, None).wait()"
    parent = subprocess.Popen([sys.executable, "-c", starter])
    deadline = time.monotonic() + 30
    while not (mark.exists() and mark.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = int(mark.read_text())
    parent.kill()
    parent.wait()
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists() or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z"


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LONGEST", 10)
    read, write = os.pipe()
    os.write(write, b"x" * 25)
    os.close(write)
    assert sum(len(line) for some in process.lines(read) for line in some) == 25
    os.close(read)


def said(*chunks: bytes) -> list[str]:
    read, write = os.pipe()
    try:
        lines = process.lines(read)
        found = list[str]()
        for chunk in chunks:
            os.write(write, chunk)
            if chunk.endswith(b"!\n"):
                found += next(lines)
        os.close(write)
        return found + [line for some in lines for line in some]
    finally:
        os.close(read)


def test_each_state_of_a_progress_bar_is_a_line() -> None:
    assert said(b"\repoch 0%\repoch 50%\repoch 100%\n\nend\r\n") == [
        "epoch 0%", "epoch 50%", "epoch 100%", "", "end"
    ]  # fmt: skip


def test_a_carriage_return_at_the_end_of_a_chunk_is_no_line_of_its_own() -> None:
    assert said(b"first!\n", b"a\r", b"\nb\r") == ["first!", "a", "b"]


def test_bytes_that_are_no_text_hide_nothing() -> None:
    assert said(b"\xff\xfe\nafter\n")[1] == "after"


def test_what_stands_on_an_unfinished_line_is_shown_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "UNFINISHED_S", 0.2)
    read, write = os.pipe()
    found = process.lines(read)
    for point in (b"a", b"b\r"):
        os.write(write, b"epoch " + point)
        assert next(found) == [f"epoch {chr(point[0])}"]
    os.close(write)
    assert list(found) == []
    os.close(read)


def test_points_that_never_pause_are_shown_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "UNFINISHED_S", 0.3)
    read, write = os.pipe()
    writer = subprocess.Popen(["sh", "-c", "while printf .; do sleep 0.05; done 2>/dev/null"], stdout=write)
    os.close(write)
    (line,) = next(process.lines(read))
    writer.kill()
    writer.wait()
    os.close(read)
    assert 2 < len(line) < 100
    assert set(line) == {"."}


def test_a_line_that_is_written_in_parts_stays_whole() -> None:
    assert said(b"epoch 1", b" loss 2", b"\nend") == ["epoch 1 loss 2", "end"]
