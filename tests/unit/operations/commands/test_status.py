"""Rows, usage and times of the status table, from made-up readings."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from docker.errors import NotFound

from components.planning.inventory import Inventory, load
from operations import output
from operations.commands import status
from operations.engine import usage
from operations.engine.client import Engine, EngineResource
from operations.errors import OperationError
from operations.front.last import backup_lines
from operations.overview import looking
from operations.status_document import Service

INVENTORY: dict[str, Any] = {
    "schema": "aidc.inventory/1",
    "stack": "dev",
    "segments": [],
    "services": [
        {"name": n, "role": n, "container": f"aidc-dev-{n}", "image": "i", "addresses": {}, "listens": []}
        for n in ("vault", "backup")
    ],
    "flows": [],
    "endpoints": {},
}


class FakeEngine(Engine):
    """Knows the given containers and their engine states."""

    def __init__(self, states: dict[str, dict[str, Any]]) -> None:
        super().__init__(None)
        self.states = states

    def inspect(self, name: str) -> dict[str, Any]:
        if name not in self.states:
            raise NotFound(name)
        return {"Config": {"Labels": {"aidc.kind": "service"}}, "State": self.states[name]}


def running(name: str) -> EngineResource:
    return EngineResource(
        "container", name, name, {"aidc.stack": "dev", "aidc.kind": "service", "aidc.role": "r"}, True
    )


@pytest.fixture(autouse=True)
def _no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "sample", lambda _engine, _names: {})


def rows(states: dict[str, dict[str, Any]], inventory: Inventory | None) -> dict[str, Service]:
    found = looking.collect(FakeEngine(states), inventory, [running(n) for n in states])
    return {row.name: row for row in found}


HEALTHY = {"Status": "running", "Health": {"Status": "healthy"}, "StartedAt": "2026-01-02T03:04:05.678Z"}


def test_a_declared_service_that_is_gone_is_shown_as_missing() -> None:
    found = rows({"aidc-dev-vault": HEALTHY}, load(INVENTORY))
    assert found["vault"].healthy
    assert found["backup"].state == "missing"
    assert not found["backup"].healthy


def test_without_an_inventory_what_runs_is_shown() -> None:
    assert rows({"aidc-dev-vault": HEALTHY}, None)["vault"].healthy


def test_something_undeclared_is_shown_too() -> None:
    assert "extra" in rows({"aidc-dev-extra": HEALTHY}, load(INVENTORY))


def test_nothing_there_means_no_rows() -> None:
    assert rows({}, load(INVENTORY)) == {}


def test_a_stopped_service_is_not_healthy() -> None:
    stopped = {"Status": "exited", "ExitCode": 137, "OOMKilled": True, "StartedAt": ""}
    row = rows({"aidc-dev-vault": stopped}, None)["vault"]
    assert not row.healthy
    assert "out of memory" in row.state


def reading(nanoseconds: int, **memory: object) -> dict[str, Any]:
    return {"cpu_stats": {"cpu_usage": {"total_usage": nanoseconds}}, "memory_stats": memory}


@pytest.mark.parametrize("key", ["inactive_file", "total_inactive_file"])
def test_usage_is_cores_and_memory_without_cache(key: str) -> None:
    after = reading(2_000_000_000, usage=100, stats={key: 40}, limit=1000)
    assert usage.usage(reading(1_000_000_000), after, 0.5) == usage.Usage(2.0, 60, 1000)


@pytest.mark.parametrize(
    ("seconds", "text"), [(43, "43 s"), (720, "12 min"), (18000, "5 h"), (259200, "3 d"), (-5, "0 s")]
)
def test_times_are_short(seconds: int, text: str) -> None:
    now = datetime.now(UTC)
    assert output.ago(now - timedelta(seconds=seconds), now) == text


def test_the_engines_zero_time_is_no_time() -> None:
    assert output.parse_time("0001-01-01T00:00:00Z") is None


def test_another_clones_stack_is_named_as_such() -> None:
    foreign = EngineResource(
        "container", "aidc-dev-vault", "id-1", {"aidc.stack": "dev", "aidc.kind": "service"}, True
    )
    said = looking.absent("dev", [foreign], None)
    assert "another clone" in said
    assert "make up" not in said


def test_an_interrupted_run_is_continued() -> None:
    own = EngineResource(
        "container", "aidc-dev-vault", "id-1", {"aidc.stack": "dev", "aidc.kind": "service"}, True
    )
    exported = {"deployment": {"resources": [{"id": "id-1"}]}}
    assert "make up" in looking.absent("dev", [own], exported)


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Pulumi's answers about a stack without containers."""
    engine, pulumi = Mock(spec=Engine), Mock(environment={})
    engine.containers.return_value = []
    pulumi.output.return_value = None
    monkeypatch.setattr(status, "connect", lambda: engine)
    monkeypatch.setattr(looking, "Pulumi", lambda _stack: pulumi)
    return pulumi


@pytest.mark.usefixtures("nothing")
def test_a_stack_that_is_not_up_was_not_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main("dev", as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["healthy"], document["services"], document["remark"]) == (False, [], None)


def test_a_state_that_cannot_be_read_is_reported(nothing: Mock, capsys: pytest.CaptureFixture[str]) -> None:
    nothing.output.side_effect = OperationError("incorrect passphrase")
    assert status.main("dev", as_json=False) == 1
    assert "incorrect passphrase" in capsys.readouterr().out


@pytest.mark.usefixtures("nothing")
def test_a_misspelt_stack_is_shown_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert status.main("deev", as_json=False) == 1
    assert "did you mean 'dev'?" in capsys.readouterr().out


def told(**states: str) -> dict[str, Any]:
    """What the backup's service says of its jobs."""
    run = {"finished": "2026-01-31T12:00:00+00:00"}
    jobs = {
        name: {"state": state, "text": f"it is {state}", "schedule": "* * * * *", "run": run}
        for name, state in states.items()
    }
    return {"state": "failed", "text": "all", "run": run, "jobs": jobs, "unsaved": ["bucket/raw"]}


class Answering(FakeEngine):
    def __init__(self, answer: Any) -> None:
        super().__init__({})
        self.answer = answer

    def output(self, container: str, command: Any, *_: Any) -> str | None:
        return None if self.answer is None else json.dumps(self.answer)


def test_each_backup_job_has_a_line_of_its_own_where_there_are_several() -> None:
    backup = looking.last_backup(Answering(told(often="ok", rare="failed")), "dev")
    assert {name: line and line.text for name, line in backup_lines(backup).items()} == {
        "backup often": "it is ok",
        "backup rare": "it is failed",
    }
    assert backup
    assert (backup.result, backup.not_saved) == ("failed", ["bucket/raw"])
    assert list(backup_lines(looking.last_backup(Answering(told(one="ok")), "dev"))) == ["last backup"]


def test_a_service_of_before_there_were_jobs_is_understood() -> None:
    known = {name: told()[name] for name in ("state", "text", "run")}
    found = looking.last_backup(Answering(known), "dev")
    assert found
    assert (found.result, found.jobs) == ("failed", {})
    assert looking.last_backup(Answering(None), "dev") is None
