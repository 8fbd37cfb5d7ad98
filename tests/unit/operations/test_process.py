"""Ctrl-C reaches the child once, and we wait for what it still has to do."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations import process
from operations.process import Interrupts, attached, capture, stream

# Says "ready", then "cleaned up" after an interrupt, as Pulumi writes its state.
POLITE = """
import signal, sys, time
def stop(*_): print("cleaned up", flush=True); sys.exit(3)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
time.sleep(20)
"""


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """What a shell starts in the background ignores Ctrl-C, and so would these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def run(script: str, on_line: object, interrupts: Interrupts) -> int:
    return stream(
        [sys.executable, "-c", script],
        interrupts=interrupts,
        on_line=on_line,  # type: ignore[arg-type]
        environment=os.environ,
        cwd=Path.cwd(),
    )


def test_lines_arrive_in_order_with_both_streams() -> None:
    lines: list[str] = []
    script = "import sys; print('a', flush=True); print('b', file=sys.stderr, flush=True); print('c')"
    assert run(script, lines.append, Interrupts()) == 0
    assert lines == ["a", "b", "c"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_child_ends_by_itself(number: signal.Signals) -> None:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "ready":
            os.kill(os.getpid(), number)

    with Interrupts() as interrupts:
        assert run(POLITE, on_line, interrupts) == 3
    assert interrupts.count == 1
    assert lines == ["ready", "cleaned up"]


def test_the_terminals_signal_does_not_reach_the_child_beside_ours() -> None:
    script = "import os; print(os.getpgid(0) == os.getpid())"
    lines: list[str] = []
    run(script, lines.append, Interrupts())
    assert lines == ["True"]


def test_without_a_child_ctrl_c_raises_at_once() -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(1)

    with pytest.raises(KeyboardInterrupt), Interrupts():
        interrupt()


def test_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_child_that_was_killed_shows_its_signal() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(script, lambda _line: None, Interrupts()) == -signal.SIGKILL


def test_a_secret_goes_in_by_stdin() -> None:
    echo = [sys.executable, "-c", "import sys; print(sys.stdin.read())"]
    done = capture(echo, environment=os.environ, cwd=Path.cwd(), stdin="secret")
    assert done.stdout.strip() == "secret"


# Writes its file in two halves, as `pulumi config set` rewrites the stack's file; the second once it is told.
TWO_HALVES = """
import pathlib, sys, time
path = pathlib.Path(sys.argv[1])
path.write_text("half")
while not path.with_name("told").exists():
    time.sleep(0.01)
path.write_text("whole")
"""


def signalled_when(
    condition: Callable[[], bool], times: int = 1, then: Callable[[], object] = lambda: None
) -> threading.Thread:
    def send() -> None:
        while not condition():
            time.sleep(0.01)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        then()

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def half_written(path: Path) -> Callable[[], bool]:
    return lambda: path.exists() and path.read_text() == "half"


def short(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", TWO_HALVES, str(path)]
    return capture(command, environment=os.environ, cwd=Path.cwd())


def test_a_short_command_is_not_cut_off_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "file"
    thread = signalled_when(half_written(path), then=(tmp_path / "told").touch)
    with pytest.raises(KeyboardInterrupt), Interrupts():
        short(path)
    thread.join()
    assert path.read_text() == "whole"


def test_without_interrupts_around_it_a_short_command_is_not_cut_off_either(tmp_path: Path) -> None:
    path = tmp_path / "file"
    thread = signalled_when(half_written(path), then=(tmp_path / "told").touch)
    with pytest.raises(KeyboardInterrupt):
        short(path)
    thread.join()
    assert path.read_text() == "whole"


def test_who_insists_ends_a_short_command_that_hangs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    thread = signalled_when(half_written(path), times=3)
    with pytest.raises(KeyboardInterrupt):
        short(path)
    thread.join()
    assert path.read_text() == "half"


def test_a_short_command_that_hangs_is_ended_at_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.1)
    with pytest.raises(subprocess.TimeoutExpired):
        capture(["sleep", "60"], environment=os.environ, cwd=Path.cwd(), limit=0.2)


def test_a_signal_before_the_child_is_known_reaches_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    children = []
    listens = tmp_path / "listens"
    script = POLITE.replace("time.sleep(20)", f"open({str(listens)!r}, 'w'); time.sleep(60)")

    class Slow(subprocess.Popen[str]):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]
            children.append(self)
            while not listens.exists() and self.poll() is None:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    lines: list[str] = []
    with Interrupts() as interrupts:
        assert run(script, lines.append, interrupts) == 3
    assert interrupts.count == 1
    assert lines[-1] == "cleaned up"
    assert children[0].returncode == 3


def test_a_reader_that_fails_leaves_no_child_behind() -> None:
    seen: list[int] = []

    def on_line(line: str) -> None:
        if line.isdigit():
            seen.append(int(line))
            raise BrokenPipeError

    script = "import os; print(os.getpid(), flush=True)" + POLITE
    with pytest.raises(BrokenPipeError), Interrupts() as interrupts:
        run(script, on_line, interrupts)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)


def test_the_third_signal_ends_a_child_that_takes_none() -> None:
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    stubborn = f"{ignore}\nimport time\nprint('ready', flush=True)\ntime.sleep(60)"

    def on_line(line: str) -> None:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)

    with Interrupts() as interrupts:
        assert run(stubborn, on_line, interrupts) == -signal.SIGKILL


def test_an_attached_child_is_waited_for_after_an_interrupt(tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    script = f"""
import pathlib, signal, sys, time
def stop(*_): time.sleep(0.5); pathlib.Path({str(ended)!r}).touch(); sys.exit(5)
signal.signal(signal.SIGINT, stop)
pathlib.Path({str(begun)!r}).touch()
time.sleep(20)
"""
    thread = signalled_when(begun.exists)
    with Interrupts() as interrupts:
        assert attached([sys.executable, "-c", script], interrupts=interrupts, cwd=Path.cwd()) == 5
    thread.join()
    assert ended.exists()


def interrupted_unnoticed(begun: Callable[[], bool]) -> threading.Thread:
    """Sends the signal to a thread of its own, so that no call of the main thread is interrupted.

    As with a signal that comes after Python has looked for one and before the call that blocks.
    """

    def send() -> None:
        while not begun():
            time.sleep(0.01)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def polite(begun: Path) -> str:
    """POLITE, which also makes the file `begun`."""
    return (
        f"import pathlib\n{POLITE.replace('time.sleep', f'pathlib.Path({str(begun)!r}).touch(); time.sleep')}"
    )


def test_a_signal_that_interrupts_no_read_reaches_a_silent_child(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = polite(begun)
    seen: list[str] = []
    thread = interrupted_unnoticed(begun.exists)
    with Interrupts() as interrupts:
        assert run(script, seen.append, interrupts) == 3
    thread.join()
    assert seen == ["ready", "cleaned up"]


def test_a_signal_that_interrupts_no_wait_reaches_an_attached_child(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    script = polite(begun)
    thread = interrupted_unnoticed(begun.exists)
    with Interrupts() as interrupts:
        command = [sys.executable, "-c", script]
        assert attached(command, interrupts=interrupts, cwd=Path.cwd(), output=subprocess.DEVNULL) == 3
    thread.join()
