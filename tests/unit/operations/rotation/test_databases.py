"""The proof that a database's password was rotated, on a server that is made up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from operations.rotation import databases

REFUSED = 'FATAL:  password authentication failed for user "monitor"'


def faults(new: tuple[int, str], old: tuple[int, str]) -> list[str]:
    """What the proof says where the server answers `new` to the new password and `old` to the old one."""

    def run(_container: str, _command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        assert environment["HOME_OF"] == "postgres"
        return old if environment["PGPASSWORD"] == "before" else new

    subject: Any = SimpleNamespace(run=run, container=lambda service: service, old=lambda _name: "before")
    return list(databases.proof(subject, "database/monitor"))


def test_a_new_password_that_works_and_an_old_one_that_is_refused_are_proof() -> None:
    assert faults((0, "1"), (2, REFUSED)) == []


@pytest.mark.parametrize(
    ("new", "old", "words"),
    [
        ((2, REFUSED), (2, REFUSED), "the new password does not open the database"),
        ((0, "1"), (0, "1"), "the old password still opens the database"),
        ((0, "1"), (2, "connection refused"), "the old password is not known to be refused"),
    ],
)
def test_anything_else_is_a_fault(new: tuple[int, str], old: tuple[int, str], words: str) -> None:
    assert [fault.startswith(words) for fault in faults(new, old)] == [True]


def test_every_role_has_a_database_to_be_tried_on() -> None:
    assert set(databases.NAMES.values()) == set(databases.HOME)
