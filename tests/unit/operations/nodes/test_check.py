"""Asking nodes by an engine that answers as told, and the record of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from benchmark.core.machine import cpu_model
from operations.engine.client import Engine, EngineResource
from operations.nodes import check, record
from tests.unit.operations.nodes.test_judge import said


class Told(Engine):
    """`answers`: container → what its check prints, in turn; an exception is raised."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        super().__init__(None)
        self.answers, self.commands = answers, list[list[str]]()

    def info(self) -> dict[str, Any]:
        return {"NCPU": 2}

    def containers(self, stack: str | None = None) -> list[EngineResource]:
        def of(name: str, kind: str) -> EngineResource:
            labels = {"aidc.role": "compute", "aidc.kind": kind}
            return EngineResource("container", f"aidc-dev-{name}", name, labels, True)

        return [of("compute-files", "seed"), *(of(name, "service") for name in self.answers)]

    def inspect(self, name: str) -> dict[str, Any]:
        return {"HostConfig": {"DeviceRequests": None}}

    def run(self, container: str, command: list[str], environment: Any = None) -> tuple[int, str]:
        self.commands.append(command)
        waiting = self.answers[container.removeprefix("aidc-dev-")]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else (0, json.dumps(answer) + "\n")


@pytest.fixture(autouse=True)
def host_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "host_core", lambda: {"Zen": 80.0})


def checked(engine: Told, out: Path) -> dict[str, str]:
    found = check.check(engine, "dev", list(check.containers(engine, "dev")), out)
    return {name: node.verdict for name, node in found.items()}


def now(**changes: Any) -> dict[str, Any]:
    return said(**{**changes, "time": time.time()})


def test_nodes_that_answer_pass_and_only_services_are_asked(tmp_path: Path) -> None:
    engine = Told({"compute-one": [now()], "compute-two": [now()]})
    assert checked(engine, tmp_path) == {"compute-one": "pass", "compute-two": "pass"}
    assert len(engine.commands) == 2


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (APIError("Conflict: container is paused"), "paused"),
        ((124, ""), "did not end within"),
        ((1, "Traceback"), "exit code 1"),
        ((0, "no JSON"), "without an answer"),
        ((0, "[" * 100_000), "without an answer"),
    ],
)
def test_a_node_that_cannot_say_how_it_is_fails_with_the_reason(
    answer: Any, words: str, tmp_path: Path
) -> None:
    engine = Told({"compute-one": [answer]})
    assert checked(engine, tmp_path) == {"compute-one": "fail"}
    known = record.read(tmp_path)
    assert known
    assert words in known.nodes[0].faults[0].found


def test_a_slow_node_is_asked_again_before_it_is_left_out(tmp_path: Path) -> None:
    once = Told({"compute-one": [now(speed=10.0), now()], "compute-two": [now()]})
    assert checked(once, tmp_path)["compute-one"] == "pass"
    always = Told({"compute-one": [now(speed=10.0)], "compute-two": [now()]})
    assert checked(always, tmp_path / "other")["compute-one"] == "fail"


def test_the_record_of_a_node_that_is_gone_is_dropped(tmp_path: Path) -> None:
    checked(Told({"compute-one": [now()], "compute-two": [now()]}), tmp_path)
    checked(Told({"compute-one": [now()]}), tmp_path)
    known = record.read(tmp_path)
    assert known
    assert [node.node for node in known.nodes] == ["compute-one"]
    assert [node.node for node in record.verdicts(known, {"compute-one"})] == ["compute-one"]
    assert record.verdicts(known, {"compute-other"}) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "aidc.nodes/2"}'])
def test_a_record_that_cannot_be_read_counts_as_none(text: str, tmp_path: Path) -> None:
    (tmp_path / record.NAME).write_text(text)
    assert record.read(tmp_path) is None


@pytest.mark.parametrize(
    ("requests", "count"),
    [(None, 0), ([{"DeviceIDs": ["0", "3"]}], 2), ([{"Count": 1}], 1), ([{"Count": -1}], 0)],
)
def test_gpus_are_those_that_the_container_was_given(requests: Any, count: int) -> None:
    assert check.gpus_of({"HostConfig": {"DeviceRequests": requests}}) == count


@pytest.mark.parametrize(
    "answer",
    [
        [],
        7,
        {},
        said(thermal=None),
        said(cpu={"model": "Zen"}),
        said(cpu={"model": "Zen", "gflops": "x", "others": 0}),
        said(time=float("nan")),
        said(disk={"/tmp": {"total": 1}}),
    ],
    ids=["list", "number", "empty", "no thermal", "half a cpu", "speed in words", "no time", "half a disk"],
)
def test_a_node_that_answers_nonsense_fails_alone(answer: Any, tmp_path: Path) -> None:
    engine = Told({"one": [said(time=time.time())], "two": [answer]})
    assert checked(engine, tmp_path) == {"one": "pass", "two": "fail"}


def test_what_a_node_says_steers_no_terminal(tmp_path: Path) -> None:
    engine = Told({"one": [said(answer="\x1b]0;mine\x07\x1b[2Jbad")]})
    (node,) = check.check(engine, "dev", list(check.containers(engine, "dev")), tmp_path).values()
    assert "bad" in node.faults[0].found
    assert "\x1b" not in node.faults[0].found


HUGE = 10**400


@pytest.mark.parametrize(
    "claim",
    [
        {"disk": {"/tmp": {"total": HUGE, "free": 1}}},
        {"memory": {"limit": HUGE, "used": 1, "host_available": None}},
        {"memory": {"limit": 1, "used": HUGE, "host_available": None}},
        {"memory": {"limit": None, "used": None, "host_available": -HUGE}},
        {"cpu": {"model": "Zen", "gflops": 1e308, "others": 0.0}},
        {"thermal": {"z": {"now": 1e308, "critical": 1.0}}},
    ],
)
def test_a_node_that_claims_what_no_node_has_gives_no_valid_answer(
    tmp_path: Path, claim: dict[str, Any]
) -> None:
    engine = Told({"compute-one": [now(**claim)], "compute-two": [now()]})
    found = check.check(engine, "dev", ["compute-one", "compute-two"], tmp_path)
    assert [fault.found for fault in found["compute-one"].faults] == ["its check gave no valid answer"]
    assert found["compute-two"].verdict == "pass"


def test_a_node_that_claims_what_no_core_has_is_left_out_and_not_the_honest_one(tmp_path: Path) -> None:
    engine = Told({"compute-one": [now(speed=80.0)], "compute-two": [now(speed=240.0)]})
    assert checked(engine, tmp_path) == {"compute-one": "pass", "compute-two": "fail"}


def test_a_core_of_this_machine_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    ((model, rate),) = check.host_core().items()
    assert model == cpu_model()
    assert rate > 0


@pytest.mark.parametrize("program", ["exit(1)", "print('no')", "print('{}')"])
def test_a_core_that_cannot_be_measured_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    monkeypatch.undo()
    assert check.host_core((sys.executable, "-c", program)) == {}
