"""What a script started ends with it; the script ends as it is asked to, and with who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.core import processes, scratch
from benchmark.jobs import keeper, process

WITHIN_S = 60.0
STAYS = "p = subprocess.Popen(['sleep', '600'], start_new_session={}); print(p.pid, flush=True)"


def lives(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except OSError:
        return False


def ends(number: int) -> bool:
    deadline = time.monotonic() + WITHIN_S
    while lives(number) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not lives(number)


def started(tmp_path: Path, text: str) -> subprocess.Popen[bytes]:
    script = tmp_path / "script.py"
    script.write_text(f"import os, signal, subprocess, time\n{text}\n")
    return process.start([str(script)], {}, subprocess.PIPE)


@pytest.mark.parametrize("session", [False, True])
def test_what_a_script_leaves_behind_ends_and_holds_no_output_open(tmp_path: Path, session: bool) -> None:
    child = started(tmp_path, STAYS.format(session))
    assert child.stdout is not None
    assert not lives(int(child.stdout.read()))
    assert child.wait() == 0


def test_what_ends_by_itself_is_given_the_time(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = started(tmp_path, f"subprocess.Popen(['sh', '-c', 'sleep 0.5; echo done > {mark}'])")
    assert child.wait(WITHIN_S) == 0
    assert mark.read_text() == "done\n"


def test_a_script_that_is_asked_to_end_ends_as_it_likes(tmp_path: Path) -> None:
    child = started(
        tmp_path,
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(7)); print('begun', flush=True); time.sleep(600)",
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"begun\n"
    child.terminate()
    assert child.wait(WITHIN_S) == 7


def told_before_its_parent_was_killed(script: Path) -> int:
    """The number that `script` printed first; the process that started it is gone then."""
    starter = f"from benchmark.jobs import process; process.start([{str(script)!r}], {{}}, None).wait()"
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    number = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    return number


def test_what_is_left_ends_when_the_one_that_started_the_script_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"import subprocess, time\n{STAYS.format(True)}\ntime.sleep(600)")
    left = told_before_its_parent_was_killed(script)
    assert ends(left)


def test_a_signal_ends_both_alike(tmp_path: Path) -> None:
    assert started(tmp_path, "os.kill(os.getpid(), signal.SIGSEGV)").wait(WITHIN_S) == -signal.SIGSEGV


def test_a_script_is_asked_to_end_when_the_one_that_started_it_is_killed(tmp_path: Path) -> None:
    script, mark = tmp_path / "script.py", tmp_path / "mark"
    script.write_text(
        "import os, signal, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').write('asked'), os._exit(0)))\n"
        "print(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    number = told_before_its_parent_was_killed(script)
    assert ends(number)
    assert mark.read_text() == "asked"


TEMPORARY = "import tempfile; place = tempfile.mkdtemp(); print(place, flush=True)"
ENDS = ("", "os.kill(os.getpid(), 9)", "raise ValueError", "os._exit(3)")


@pytest.mark.parametrize("end", ENDS)
def test_temporary_files_go_with_the_script(tmp_path: Path, end: str) -> None:
    child = started(tmp_path, f"{TEMPORARY}\n{end}")
    assert child.stdout is not None
    place = Path(child.stdout.readline().decode().strip())
    child.communicate(timeout=WITHIN_S)
    assert place.parent.name.startswith(scratch.PREFIX)
    assert not place.parent.exists()


def test_temporary_files_go_when_the_one_that_started_the_script_is_killed(tmp_path: Path) -> None:
    script, mark = tmp_path / "script.py", tmp_path / "mark"
    script.write_text(
        f"import os, tempfile, time\nopen({str(mark)!r}, 'w').write(tempfile.mkdtemp())\n"
        "print(os.getpid(), flush=True)\ntime.sleep(600)"
    )
    number = told_before_its_parent_was_killed(script)
    place = Path(mark.read_text()).parent
    assert ends(number)
    deadline = time.monotonic() + WITHIN_S
    while place.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not place.exists()


def test_shared_memory_of_a_killed_script_goes(tmp_path: Path) -> None:
    name = f"aidc-test-{os.getpid()}"
    child = started(
        tmp_path,
        "import mmap\n"
        f"f = open('/dev/shm/{name}', 'w+b'); f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); f.close()\n"
        "print(flush=True); time.sleep(600)",
    )
    assert child.stdout is not None
    child.stdout.readline()
    segment = Path("/dev/shm", name)
    try:
        assert segment.exists()
        time.sleep(2 * keeper.LOOK_S)
        _keeper, script = (one.number for one in processes.descendants(child.pid, processes.present()))
        os.kill(script, signal.SIGKILL)
        assert child.wait(WITHIN_S) == -signal.SIGKILL
        assert not segment.exists()
    finally:
        segment.unlink(missing_ok=True)


def test_a_script_runs_without_a_folder_of_its_own_where_none_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    script = tmp_path / "script.py"
    script.write_text("print('begun')")
    monkeypatch.setattr(keeper, "Scratch", full)
    former = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGALRM)]
    try:
        assert keeper.keep(os.getppid(), [str(script)]) == 0
    finally:
        for number, handler in former:
            signal.signal(number, handler)
    assert capfd.readouterr().out == "begun\n"


def test_a_worker_that_kills_its_children_as_it_ends_leaves_nothing_and_kills_nothing_at_once(
    tmp_path: Path,
) -> None:
    mark = tmp_path / "mark"
    child = started(
        tmp_path,
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(mark)!r}, 'w').write('asked'), os._exit(0)))\n"
        f"{TEMPORARY}\n{STAYS.format(True)}\ntime.sleep(600)",
    )
    assert child.stdout is not None
    place, stays = Path(child.stdout.readline().decode().strip()), int(child.stdout.readline())
    child.kill()
    child.wait()
    assert ends(stays)
    assert mark.read_text() == "asked"
    assert child.stdout.read() == b""
    deadline = time.monotonic() + WITHIN_S
    while place.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not place.parent.exists()
