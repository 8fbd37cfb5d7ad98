"""`python -m operations audit`: exit codes, files, and words instead of tracebacks."""

from __future__ import annotations

import json
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit.document import load
from operations import __main__ as commands
from operations.commands import audit
from operations.engine.client import EngineError
from operations.stack import exclusive
from operations.stack.pulumi import PulumiError


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another audit on this machine is none of these tests' business."""
    monkeypatch.setattr(exclusive, "AUDIT", f"aidc-audit-of-{tmp_path.name}")


def outputs(monkeypatch: pytest.MonkeyPatch, **found: Any) -> None:
    """What Pulumi says of the stack."""

    def output(_self: object, name: str, *, secret: bool = False) -> Any:
        del secret
        return found.get(name)

    monkeypatch.setattr(audit, "connect", lambda: SimpleNamespace(client=None, is_local=True))
    monkeypatch.setattr("operations.commands.audit.Pulumi.output", output)
    monkeypatch.setattr("operations.commands.audit.Pulumi.export", lambda _self: found.get("export"))


def command(out: Path) -> int:
    return commands.main(["audit", "--stack", "test", "--out", str(out)])


def test_no_stack_is_refused_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    outputs(monkeypatch)
    assert command(tmp_path) == 2
    assert "make up STACK=test" in capsys.readouterr().err
    assert not (tmp_path / "audit.json").exists()


def test_a_stack_of_which_nothing_runs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    raw = {
        "schema": "aidc.inventory/1",
        "stack": "test",
        "segments": [],
        "services": [],
        "flows": [],
        "endpoints": {},
    }
    outputs(monkeypatch, inventory=raw, access={"ca_pem": ""}, export={})
    nothing = SimpleNamespace(running=frozenset())
    monkeypatch.setattr("audit.engine.snapshot.take", lambda _client, _stack: nothing)
    assert command(tmp_path) == 2


def test_an_inventory_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outputs(monkeypatch, inventory={"schema": "other"}, access={"ca_pem": ""}, export={})
    assert command(tmp_path) == 2


@pytest.mark.parametrize("error", [EngineError("no", "start it"), PulumiError("no pulumi")])
def test_what_is_missing_on_the_machine_is_refused(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(audit, "connect", fail)
    assert command(tmp_path) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_second_audit_on_the_same_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outputs(monkeypatch)
    with exclusive.auditing():
        assert command(tmp_path) == 2


def audited(monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]) -> None:
    future: Future[Any] = Future()
    monkeypatch.setattr(audit, "gather", lambda _stack: (future, {}))
    monkeypatch.setattr(audit, "run", lambda *_arguments, **_options: load(document))


def test_all_pass_is_zero_and_both_files_are_written(
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    audited(monkeypatch, document)
    assert command(tmp_path / "new") == 0
    assert json.loads((tmp_path / "new/audit.json").read_text())["schema"] == "aidc.audit/1"
    assert (tmp_path / "new/audit.html").exists()
    said = capsys.readouterr().out
    assert "audit passed: stack test" in said
    assert all(row["name"] in said for row in document["verdicts"])


def test_a_failure_is_one_and_says_its_fix(
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    document["verdicts"][0] |= {"verdict": "fail", "fix": "[do] this"}
    lost = {
        "resource": "aidc-test-vault",
        "field": "user",
        "planned": "1",
        "live": "0",
        "fix": "make it again",
    }
    document["drift"]["differences"] = [lost]
    audited(monkeypatch, {**document, "passed": False})
    assert command(tmp_path) == 1
    said = capsys.readouterr().out
    assert "fix: [do] this" in said
    assert "aidc-test-vault: user is 0, planned 1\n    fix: make it again" in said


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    audited(monkeypatch, {})
    monkeypatch.setattr(audit, "run", interrupted)
    assert command(tmp_path) == 130
