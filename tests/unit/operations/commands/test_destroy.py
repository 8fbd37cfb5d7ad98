"""What destroy removes, keeps and asks, on an engine that is made up."""

import sys
from pathlib import Path

import pytest

from operations.commands import destroy
from operations.engine.client import Thing
from operations.errors import OperationError, RefusedError
from operations.stack.file import StackFile


def thing(kind: str, name: str, label: str = "service", stack: str = "dev") -> Thing:
    return Thing(kind, name, name, {"aidc.stack": stack, "aidc.kind": label}, True)  # type: ignore[arg-type]


DATA = thing("volume", "aidc-dev-vault-data", "data")
STAGING = Thing("volume", "aidc-dev-backup-staging", "x", {"aidc.stack": "dev"})
THINGS = [thing("container", "c"), thing("network", "n"), DATA, STAGING]


class FakeEngine:
    """Holds things and removes them, except those named in `stuck`."""

    def __init__(self, things: list[Thing], stuck: str = "") -> None:
        self.things, self.stuck = list(things), stuck

    def owned(self, stack: str) -> list[Thing]:
        return [t for t in self.things if t.stack == stack]

    def remove(self, thing: Thing) -> None:
        if thing.name == self.stuck:
            raise OperationError(f"{thing.name}: in use")
        self.things.remove(thing)


def test_a_sweep_leaves_data_and_other_stacks_alone() -> None:
    other = thing("container", "c", stack="test")
    engine = FakeEngine([*THINGS, other])
    assert destroy.sweep(engine, "dev") == []  # type: ignore[arg-type]
    assert engine.things == [DATA, other]


def test_one_stuck_thing_does_not_save_the_others() -> None:
    engine = FakeEngine(THINGS, stuck="n")
    assert destroy.sweep(engine, "dev") == ["n: in use"]  # type: ignore[arg-type]
    assert [t.name for t in engine.things] == ["n", DATA.name]


def test_containers_that_the_state_does_not_know_go_first() -> None:
    """They hold volumes and networks that Pulumi is about to remove; networks and volumes themselves wait."""
    engine = FakeEngine(THINGS)
    destroy.remove_unknown(engine, THINGS)  # type: ignore[arg-type]
    assert [t.name for t in engine.things] == ["n", DATA.name, STAGING.name]


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
        destroy._confirm("dev", [thing("container", "c")], [], yes=False)


def test_kept_data_is_reported_with_the_command_that_removes_it(capsys: pytest.CaptureFixture[str]) -> None:
    destroy._report_data(StackFile("dev", Path("Pulumi.dev.yaml")), [DATA], purge=False)
    assert "destroy --purge --stack dev" in capsys.readouterr().out
