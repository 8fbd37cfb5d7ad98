"""What destroy removes, keeps and asks, on an engine that is made up."""

import sys
from pathlib import Path

import pytest

from operations.commands import destroy
from operations.engine.client import EngineResource
from operations.errors import OperationError, RefusedError
from operations.stack.file import StackFile


def resource(kind: str, name: str, label: str = "service", stack: str = "dev") -> EngineResource:
    return EngineResource(kind, name, name, {"aidc.stack": stack, "aidc.kind": label}, True)  # type: ignore[arg-type]


DATA = resource("volume", "aidc-dev-vault-data", "data")
STAGING = EngineResource("volume", "aidc-dev-backup-staging", "x", {"aidc.stack": "dev"})
RESOURCES = [resource("container", "c"), resource("network", "n"), DATA, STAGING]


class FakeEngine:
    """Holds resources and removes them, except those named in `stuck`."""

    def __init__(self, resources: list[EngineResource], stuck: str = "") -> None:
        self.resources, self.stuck = list(resources), stuck

    def owned(self, stack: str) -> list[EngineResource]:
        return [t for t in self.resources if t.stack == stack]

    def remove(self, resource: EngineResource) -> None:
        if resource.name == self.stuck:
            raise OperationError(f"{resource.name}: in use")
        self.resources.remove(resource)


def test_a_sweep_leaves_data_and_other_stacks_alone() -> None:
    other = resource("container", "c", stack="test")
    engine = FakeEngine([*RESOURCES, other])
    assert destroy.sweep(engine, "dev") == []  # type: ignore[arg-type]
    assert engine.resources == [DATA, other]


def test_one_stuck_thing_does_not_save_the_others() -> None:
    engine = FakeEngine(RESOURCES, stuck="n")
    assert destroy.sweep(engine, "dev") == ["n: in use"]  # type: ignore[arg-type]
    assert [t.name for t in engine.resources] == ["n", DATA.name]


def test_containers_that_the_state_does_not_know_go_first() -> None:
    """They hold volumes and networks that Pulumi is about to remove; networks and volumes themselves wait."""
    engine = FakeEngine(RESOURCES)
    destroy.remove_unknown(engine, RESOURCES)  # type: ignore[arg-type]
    assert [t.name for t in engine.resources] == ["n", DATA.name, STAGING.name]


def test_plain_destroy_asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _prompt: pytest.fail("asked"))
    destroy._confirm("dev", [], [], yes=False)


def test_without_a_terminal_data_is_not_purged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(RefusedError, match="--yes"):
        destroy._confirm("dev", [], [DATA], yes=False)
    assert DATA.name in capsys.readouterr().out


@pytest.mark.parametrize("answer", ["", "y", "yes", "test"])
def test_only_the_stacks_name_confirms(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: answer)
    with pytest.raises(RefusedError):
        destroy._confirm("dev", [], [DATA], yes=False)


def test_the_stacks_name_confirms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _prompt: "dev")
    destroy._confirm("dev", [], [DATA], yes=False)


def test_running_containers_of_another_clone_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(RefusedError):
        destroy._confirm("dev", [resource("container", "c")], [], yes=False)


def test_kept_data_is_reported_with_the_command_that_removes_it(capsys: pytest.CaptureFixture[str]) -> None:
    destroy._report_data(StackFile("dev", Path("Pulumi.dev.yaml")), [DATA], purge=False)
    assert "destroy --purge --stack dev" in capsys.readouterr().out
