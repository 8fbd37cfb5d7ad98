"""A restic whose server refuses is ended, and one whose server was away for a moment is not."""

from __future__ import annotations

import subprocess
import sys

from images.backup.keeper.sources.patience import Listener

RETRY = "Save(<data/5b1f>) returned error, retrying after 1m7.75s: unexpected HTTP response (507): full"
DONE = "Save(<data/5b1f>) operation successful after 1 retries"


def heard(script: str, patience: float) -> tuple[Listener, int]:
    """What is heard of a program that says `script`, line by line, and its exit code."""
    command = [sys.executable, "-u", "-c", script]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with Listener(process, patience) as listener:
        assert process.stdout is not None
        process.stdout.read()
    process.stdout.close()
    return listener, process.returncode


def says(*lines: str, then: str = "") -> str:
    return f"import sys, time\nfor line in {lines!r}:\n    print(line, file=sys.stderr)\n{then}"


def test_a_server_that_goes_on_refusing_ends_it_with_the_servers_words() -> None:
    listener, code = heard(says(RETRY, RETRY, then="time.sleep(600)"), patience=0.0)
    assert listener.refused == "unexpected HTTP response (507): full"
    assert code == -15


def test_refusals_that_do_not_last_end_nothing() -> None:
    listener, code = heard(says(RETRY, RETRY, RETRY), patience=600.0)
    assert (listener.refused, code) == ("", 0)


def test_a_success_begins_the_time_anew() -> None:
    """Each refusal alone is shorter than the patience; together they are longer."""
    script = (
        "import sys, time\n"
        "for _ in range(3):\n"
        f"    print({RETRY!r}, file=sys.stderr)\n"
        f"    print({DONE!r}, file=sys.stderr)\n"
        "    time.sleep(0.3)\n"
    )
    listener, code = heard(script, patience=0.5)
    assert (listener.refused, code) == ("", 0)


def test_the_last_words_are_kept() -> None:
    listener, _ = heard(says(*(f"line {n}" for n in range(200))), patience=600.0)
    assert listener.words.splitlines()[-1] == "line 199"
    assert len(listener.words.splitlines()) == 50


def test_an_error_of_the_reader_ends_the_program() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        with Listener(process):
            raise ValueError
    except ValueError:
        pass
    assert process.returncode == -9
