"""How bringing a stack up ends: refused, failed, interrupted, or with services that are not healthy."""

from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import pytest
from docker.errors import NotFound

from components.planning.config import StackConfig
from components.planning.issues import Issue
from components.planning.plan import make_plan
from components.runtime.labels import KIND
from operations import bringup
from operations.errors import InterruptionError, OperationError, RefusedError
from operations.preflight.checks import Check
from operations.preflight.requirements import Report
from operations.process import Interrupts
from operations.stack.file import StackFile
from operations.stack.pulumi import Pulumi

PLAN = make_plan("dev", StackConfig())


def test_every_issue_is_reported_before_pulumi_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = tuple(Check(name, (Issue(name, "is wrong", "fix it"),)) for name in ("disk", "ports"))
    report = Report(StackFile("dev", Path("Pulumi.dev.yaml")), checks, None, None)
    monkeypatch.setattr("operations.images.building.refresh", lambda: None)
    monkeypatch.setattr("operations.preflight.requirements.examine", lambda _file: report)
    monkeypatch.setattr(bringup, "Pulumi", lambda _stack: pytest.fail("called"))
    with pytest.raises(RefusedError, match="2 problems; nothing was created in stack dev") as caught:
        bringup.bring_up("dev")
    assert "disk: is wrong" in str(caught.value)
    assert "ports: is wrong" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "signals", "error", "text"),
    [
        (1, 0, OperationError, "is not up"),
        (-9, 0, OperationError, "killed by signal 9"),
        (1, 1, InterruptionError, "nothing is lost"),
        (0, 1, InterruptionError, "nothing is lost"),
    ],
)
def test_a_run_that_did_not_succeed_says_how_it_continues(
    code: int, signals: int, error: type[OperationError], text: str
) -> None:
    pulumi, interrupts = Mock(spec=Pulumi), Interrupts()
    pulumi.run_with_progress.return_value, interrupts.count = code, signals
    with pytest.raises(error, match=text) as caught:
        bringup.apply(pulumi, interrupts)
    assert "run `make up` again" in str(caught.value)


def test_a_run_that_succeeded_is_no_error() -> None:
    pulumi = Mock(spec=Pulumi)
    pulumi.run_with_progress.return_value = 0
    bringup.apply(pulumi, Interrupts())
    arguments = pulumi.run_with_progress.call_args.args
    assert arguments[0] == "up"
    assert {"--yes", "--refresh", "--policy-pack"} <= set(arguments)


def test_a_planned_container_that_does_not_exist_is_named() -> None:
    engine = Mock()
    engine.inspect.side_effect = NotFound("gone")
    with pytest.raises(OperationError, match=f"{PLAN.services[0].container}: does not exist"):
        bringup.verify(engine, PLAN, datetime.now(UTC))


def test_a_job_that_had_failed_runs_again() -> None:
    job = PLAN.service("object-store-setup").container
    failed = {"Status": "exited", "ExitCode": 1, "FinishedAt": "2026-01-01T00:00:00.1Z"}
    states = {s.container: {"Status": "running", "ExitCode": 0} for s in PLAN.services} | {job: failed}
    engine = Mock()
    engine.inspect.side_effect = lambda name: {
        "State": states[name],
        "Config": {"Labels": {KIND: "job" if states[name]["Status"] == "exited" else "service"}},
    }
    engine.restart.side_effect = lambda name: states.update({name: {**failed, "ExitCode": 0}})
    engine.output.return_value = None
    bringup.verify(engine, PLAN, datetime.now(UTC))
    engine.restart.assert_called_once_with(job)


def test_a_bucket_that_somebody_deleted_has_the_store_set_up_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = PLAN.service("object-store-setup").container
    engine = Mock()
    engine.inspect.side_effect = lambda name: (
        {
            "State": {"Status": "exited" if name == job else "running", "ExitCode": 0},
            "Config": {"Labels": {KIND: "job" if name.endswith("-setup") else "service"}},
        }
        | ({"State": {"Status": "exited", "ExitCode": 0}} if name.endswith("-setup") else {})
    )
    engine.output.side_effect = lambda _node, command: "" if command[0] == "buckets" else None
    bringup.verify(engine, PLAN, datetime.now(UTC))
    engine.restart.assert_called_once_with(job)
    assert "datasets: the bucket is missing, declared present" in capsys.readouterr().out


def test_a_store_that_does_not_tell_is_left_alone() -> None:
    engine = Mock()
    engine.output.return_value = "what is no line of it"
    assert bringup.drift(engine, PLAN) == []


def test_what_was_found_unhealthy_may_become_healthy_while_the_store_is_set_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a `make up` that was killed."""
    monkeypatch.setattr("components.runtime.health.time.sleep", lambda _: None)
    looks = dict.fromkeys((s.container for s in PLAN.services), 0)
    setup, backup = PLAN.service("object-store-setup").container, PLAN.service("backup").container

    def inspect(name: str) -> dict[str, object]:
        looks[name] += 1
        state: dict[str, object] = {"Status": "running", "ExitCode": 0}
        if name.endswith("-setup") and (name != setup or looks[name] > 3):
            state = {"Status": "exited", "ExitCode": 0}
        if name == backup and looks[name] <= 5:
            state["Health"] = {"Status": "unhealthy", "Log": [{"Output": "no repository"}]}
        kind = "job" if name.endswith("-setup") else "service"
        return {"State": state, "Config": {"Labels": {KIND: kind}}}

    engine = Mock()
    engine.inspect.side_effect = inspect
    engine.output.return_value = None
    bringup.verify(engine, PLAN, datetime.now(UTC))
    assert looks[backup] > 5
