"""Ctrl-C reaches the child once, and we wait for what it still has to do."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from operations.process import Interrupts, capture, stream

# Says "ready", then "cleaned up" after an interrupt, as Pulumi writes its state.
POLITE = """
import signal, sys, time
def stop(*_): print("cleaned up", flush=True); sys.exit(3)
signal.signal(signal.SIGINT, stop)
print("ready", flush=True)
time.sleep(20)
"""


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
