"""What the backup service is told for a restore: keys on standard input, and none outlives it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from components.planning.outside import KeyPair
from components.runtime import outside_store
from operations.errors import OperationError, RefusedError
from operations.restoring import session
from operations.restoring.order import Sources
from operations.restoring.session import Request

REQUEST = Request(Sources(("datasets",), ("tracking",)))
DONE = {"done": {"result": "ok"}}


class Subject:
    """A stack whose backup service answers with `lines`, and whose store keeps what it was asked."""

    def __init__(self, *lines: object, code: int = 0) -> None:
        self.lines, self.code = lines, code
        self.told: list[dict[str, Any]] = []
        self.replies: list[str | None] = []
        self.asked: list[tuple[list[str], Mapping[str, str]]] = []
        self.engine = self
        node = SimpleNamespace(container="aidc-dev-object-store-1")
        store = SimpleNamespace(external=None)
        config = SimpleNamespace(object_store=store)
        self.plan = SimpleNamespace(stack="dev", config=config, by_role=lambda role: (node,))

    def container(self, name: str) -> str:
        return f"aidc-dev-{name}"

    def value(self, name: str) -> str:
        return f"password of {name}"

    def run(self, container: str, command: list[str], values: Mapping[str, str]) -> tuple[int, str]:
        self.asked.append((command, values))
        return (self.code, "no")

    def converse(
        self, container: str, command: list[str], said: str, on_line: Callable[[str], str | None]
    ) -> int:
        self.told.append(json.loads(said))
        assert "password" not in " ".join(command)
        for line in self.lines:
            self.replies.append(on_line(line if isinstance(line, str) else json.dumps(line)))
        return 0


def actions(subject: Subject) -> list[str]:
    return [command[1] for command, _ in subject.asked]


def test_keys_are_told_on_standard_input_and_the_identity_is_removed() -> None:
    subject = Subject({"step": "objects", "done": 1}, DONE)
    seen: list[Mapping[str, Any]] = []
    assert session.carry_out(subject, REQUEST, seen.append) == (DONE["done"], "")  # type: ignore[arg-type]
    (told,) = subject.told
    assert told["roles"] == {"tracking": ["tracking_owner", "password of database/tracking_owner"]}
    assert actions(subject) == ["dismiss", "admit", "dismiss"]
    (_, values) = subject.asked[1]
    assert told["s3"] == [values["ID"], values["KEY"]]
    assert len(values["ID"]) == 20
    assert "arn:aws:s3:::datasets/*" in values["POLICY"]
    assert 's3:DeleteObject"' not in values["POLICY"].split("Deny")[0]
    assert [step["step"] for step in seen] == ["objects"]


def test_no_backup_begins_before_the_rest_is_in_place() -> None:
    subject, order = Subject({"step": "objects", "done": 1}, DONE), list[str]()

    def put() -> None:
        assert subject.replies == [None]  # what is said to the outcome lets backups begin
        order.append("put")

    session.carry_out(subject, REQUEST, lambda _: None, put)  # type: ignore[arg-type]
    assert subject.told[0]["hold"] is True
    assert order == ["put"]
    assert subject.replies == [None, "over\n"]


def test_where_nothing_is_left_nothing_waits() -> None:
    subject = Subject(DONE)
    session.carry_out(subject, REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert subject.told[0]["hold"] is False
    assert subject.replies == [None]


def test_every_restore_has_keys_of_its_own() -> None:
    subject = Subject(DONE)
    for _ in range(2):
        session.carry_out(subject, REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert subject.told[0]["s3"] != subject.told[1]["s3"]


def test_the_identity_is_removed_after_a_failure_too() -> None:
    subject = Subject({"error": "the vault has no snapshot"})
    with pytest.raises(OperationError, match="the vault has no snapshot"):
        session.carry_out(subject, REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert actions(subject) == ["dismiss", "admit", "dismiss"]


def test_what_a_program_says_without_an_outcome_is_the_reason() -> None:
    subject = Subject("Traceback", "killed for want of memory")
    with pytest.raises(OperationError, match="killed for want of memory"):
        session.plan(subject, REQUEST)  # type: ignore[arg-type]


def test_an_identity_that_cannot_be_removed_is_an_error() -> None:
    with pytest.raises(OperationError, match="cannot be removed"):
        session.dismiss(Subject(code=1))  # type: ignore[arg-type]


class Vanishing(Subject):
    """A stack whose store no longer answers once the backup service has been told."""

    def converse(
        self, container: str, command: list[str], said: str, on_line: Callable[[str], str | None]
    ) -> int:
        self.code = 1
        return super().converse(container, command, said, on_line)


def test_an_outcome_is_not_lost_because_the_identity_stays() -> None:
    done, left = session.carry_out(Vanishing(DONE), REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert done == DONE["done"]
    assert "cannot be removed" in left


def test_an_identity_that_stays_is_told_beside_the_failure() -> None:
    with pytest.raises(OperationError, match=r"the vault is away; the identity .* cannot be removed"):
        session.carry_out(Vanishing({"error": "the vault is away"}), REQUEST, lambda _: None)  # type: ignore[arg-type]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, KeyPair]:
    """What the file of an outside store's credentials holds."""
    found: dict[str, KeyPair] = {}
    monkeypatch.setattr(outside_store, "read", lambda _: SimpleNamespace(keys=found))
    return found


def outside() -> Subject:
    made = Subject(DONE)
    made.plan.config.object_store.external = SimpleNamespace(credentials="keys.ini")
    return made


def test_an_outside_store_is_written_with_the_key_that_its_file_has_for_it(keys: dict[str, KeyPair]) -> None:
    keys["restore"] = KeyPair("an-id", "a-key")
    made = outside()
    session.carry_out(made, REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert made.told[-1]["s3"] == ["an-id", "a-key"]
    assert made.asked == []


def test_without_such_a_key_nothing_is_restored_and_the_file_is_named(keys: dict[str, KeyPair]) -> None:
    keys["backup"] = KeyPair("an-id", "a-key")
    made = outside()
    with pytest.raises(RefusedError, match=r"\[restore\] to keys\.ini"):
        session.carry_out(made, REQUEST, lambda _: None)  # type: ignore[arg-type]
    assert made.told == []
