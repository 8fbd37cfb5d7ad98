"""What the benchmark asks of a stack over the network, when the network or the other side misbehaves."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.cluster import replicas
from benchmark.cluster.connection import Connection, Endpoint
from benchmark.cluster.ray_api import LogLines, RayClient
from benchmark.core.errors import BenchmarkError

ROOT = Path(__file__).parents[4]


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=5), max_size=6),
    st.lists(st.integers(0, 60), max_size=6),
)
def test_each_line_of_a_log_comes_once_however_it_is_cut(lines: list[str], cuts: list[int]) -> None:
    text, log, found = "".join(line + "\n" for line in lines), LogLines(), list[str]()
    for cut in sorted(cuts):
        found += log.new(text[:cut])
    assert found + log.new(text, ended=True) == lines


def test_only_a_line_feed_ends_a_line() -> None:
    log = LogLines()
    text = 'a 10%\ra 50%\ra 100%\n@progress {"step": 1}\x0bx\x85y\u2028z\nlast'
    assert log.new(text) == ["a 100%", '@progress {"step": 1}\x0bx\x85y\u2028z']
    assert log.new(text) == []
    assert log.new(text, ended=True) == ["last"]


def test_a_log_of_windows_has_the_same_lines() -> None:
    assert LogLines().new("a\r\nb\r\n") == ["a", "b"]


def test_a_long_log_is_fetched_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    now, fetched = [0.0], [0]
    text = "x" * 99 + "\n"

    def status(_: Any, __: str) -> dict[str, Any]:
        return {"status": "RUNNING" if now[0] < 400 else "SUCCEEDED"}

    def logs(_: Any, __: str) -> str:
        whole = text * int(1000 * now[0])  # 100 kB a second
        fetched[0] += len(whole)
        return whole

    monkeypatch.setattr(RayClient, "status", status)
    monkeypatch.setattr(RayClient, "logs", logs)
    monkeypatch.setattr("benchmark.cluster.ray_api.time.monotonic", lambda: now[0])
    monkeypatch.setattr("benchmark.cluster.ray_api.time.sleep", lambda s: now.__setitem__(0, now[0] + s))
    seen: list[str] = []
    assert RayClient("http://ray").follow("job", seen.append, 1000) == "SUCCEEDED"
    assert len(seen) == 400_000
    assert fetched[0] < 25 * 400 * len(text) * 1000  # the whole each second would be eight times as much


@pytest.mark.parametrize(
    "answer",
    [http.client.IncompleteRead(b"x", 10), http.client.BadStatusLine("x"), ConnectionResetError("reset"),
     (200, b"{"), (200, b"[]"), (200, b'{"models": [1]}'), (200, b'{"models": null}')],
)  # fmt: skip
def test_whatever_is_answered_during_a_roll_out_is_asked_again(answer: Any) -> None:
    class Played:
        left = 2

        def call(self, *_: Any) -> tuple[int, bytes]:
            self.left -= 1
            if self.left >= 0:
                if isinstance(answer, Exception):
                    raise answer
                return answer  # type: ignore[no-any-return]
            return 200, json.dumps({"models": [{"workload": "mlp", "sha256": "a"}]}).encode()

    replicas.await_models(Played(), {"mlp": {"sha256": "a", "card": "k"}})  # type: ignore[arg-type]


def test_an_answer_that_never_comes_is_an_error_with_the_last_one() -> None:
    class Played:
        def call(self, *_: Any) -> tuple[int, bytes]:
            raise http.client.IncompleteRead(b"x", 10)

    with pytest.raises(BenchmarkError, match="IncompleteRead"):
        replicas.await_models(Played(), {}, timeout_s=0)  # type: ignore[arg-type]


class Answering:
    """A load balancer whose replicas serve `mlp`, and could not load `slope`."""

    def call(self, *_: Any) -> tuple[int, bytes]:
        failed = [{"workload": "slope", "error": "corrupt"}]
        return 200, json.dumps({"models": [{"workload": "mlp", "sha256": "a"}], "failed": failed}).encode()


WANTED = {"mlp": {"sha256": "a", "card": "k"}, "slope": {"sha256": "b", "card": "k"}}


def test_a_model_that_was_not_asked_for_and_cannot_be_loaded_is_no_failure_and_is_named() -> None:
    failed = replicas.await_models(Answering(), WANTED, required=["mlp"])  # type: ignore[arg-type]
    assert failed == {"slope": "corrupt"}


@pytest.mark.parametrize("required", [None, ["slope"]])
def test_a_model_that_was_asked_for_and_cannot_be_loaded_is_a_failure(required: list[str] | None) -> None:
    with pytest.raises(BenchmarkError, match="slope: replicas cannot load it: corrupt"):
        replicas.await_models(Answering(), WANTED, required=required)  # type: ignore[arg-type]


def test_a_connection_is_closed_at_the_end_of_its_block(endpoint: Endpoint) -> None:
    with Connection(endpoint) as connection:
        assert connection.call("GET", "/v1/models")[0] == 200
        assert connection.connection is not None
    assert connection.connection is None


PROGRAM = """
import signal, sys, time
from benchmark import __main__ as command
from benchmark.cluster import stack
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, command._end)
path = stack._write_ca("a certificate")
print(path, flush=True)
assert open(path).read() == "a certificate"
if sys.argv[1] == "failure":
    raise SystemExit(1)
if sys.argv[1] != "end":
    time.sleep(60)
"""


@pytest.mark.parametrize("end", ["end", "failure", "SIGTERM", "SIGINT", "SIGHUP"])
def test_the_authoritys_file_is_private_and_gone_with_the_process(end: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, end], cwd=ROOT, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        assert process.stdout
        path = Path(process.stdout.readline().strip())
        assert path.is_relative_to(tmp_path)
        if end.startswith("SIG"):
            assert path.parent.stat().st_mode & 0o077 == 0
            process.send_signal(getattr(signal, end))
        process.wait(30)
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []
