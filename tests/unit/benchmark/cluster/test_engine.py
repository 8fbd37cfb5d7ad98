"""Containers through a played engine: what is asked of it, and that every refusal names the container."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.cluster import engine
from benchmark.core.errors import StackError


def played(exit_code: int | None = 0, output: bytes = b"done\n", pid: int = 7) -> engine.Engine:
    api = SimpleNamespace(
        inspect_container=lambda name: {"State": {"Running": True, "Pid": pid}},
        exec_create=lambda name, command, stderr: {"Id": "1"},
        exec_start=lambda identifier: output,
        exec_inspect=lambda identifier: {"ExitCode": exit_code},
    )
    return engine.Engine(SimpleNamespace(api=api))


@pytest.mark.parametrize("exit_code", [0, 3])
def test_a_command_has_an_exit_code_and_an_output(exit_code: int) -> None:
    assert played(exit_code).run("c", ["true"]) == (exit_code, "done")


def test_an_exit_code_that_the_engine_notes_late_is_waited_for() -> None:
    asked = played(0)
    codes = iter([None, None, 3])
    asked.api.exec_inspect = lambda identifier: {"ExitCode": next(codes)}
    assert asked.run("c", ["true"]) == (3, "done")


def test_an_exit_code_that_never_comes_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.cluster.engine.time.sleep", lambda _seconds: None)
    with pytest.raises(StackError, match="does not say how"):
        played(None).run("c", ["true"])


@pytest.mark.parametrize("method", ["state", "kill", "start"])
def test_a_refusal_names_the_container(method: str) -> None:
    with pytest.raises(StackError, match="node1: cannot be "):
        getattr(engine.Engine(SimpleNamespace(api=None)), method)("node1")


def test_a_process_that_cannot_be_killed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda: played(1, b"no such process"))
    with pytest.raises(StackError, match="node1: kill -9 42: no such process"):
        engine.kill_process("node1", 42)


def test_containers_that_do_not_run_have_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda: played(pid=0))
    assert engine.pids(["node1", "node2"]) == []


def test_no_container_asks_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect() -> Any:
        pytest.fail("the engine was asked")

    monkeypatch.setattr(engine, "connect", connect)
    assert engine.pids([]) == []


def test_an_engine_that_is_absent_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/socket")
    with pytest.raises(StackError, match="name its engine in DOCKER_HOST"):
        engine.connect()
