"""The attacker runs in every running container, beside a process of another user that it must not trace."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from audit.attacks import attempts
from audit.attacks.check import ATTACKER, check
from audit.context import Context
from audit.records import Attacks
from components.planning.inventory import Inventory

LINES = "".join(
    f"{name}\t{result}\tEPERM\n"
    for attempt in attempts.ATTEMPTS
    for name, result in ((attempt.name, "refused"), (attempt.control, "succeeded"))
)


class Api:
    """Answers every command with the attacker's lines, and remembers what was run as whom."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, list[str], str]] = []

    def exec_create(self, container: str, command: list[str], user: str = "", **_: Any) -> dict[str, str]:
        self.commands.append((container, command, user))
        return {"Id": "1"}

    def exec_start(self, _identifier: str, **_: Any) -> bytes:
        return LINES.encode()

    def exec_inspect(self, _identifier: str) -> dict[str, int]:
        return {"ExitCode": 0}


def test_every_running_container_is_attacked_as_its_own_user(inventory: Inventory) -> None:
    api, services = Api(), inventory.services[:2]
    part = check(cast(Context, SimpleNamespace(client=SimpleNamespace(api=api), services=services)))
    assert {row.verdict for row in part.rows} == {"pass"}
    found = part.holding(Attacks)
    assert {(a.service, a.attempt) for a in found.attempts} == {
        (s.name, a.name) for s in services for a in attempts.ATTEMPTS
    }
    assert set(found.titles) == {a.name for a in attempts.ATTEMPTS}
    attacker = ["perl", "-e", ATTACKER.read_text(encoding="utf-8")]
    assert sorted((c, user) for c, command, user in api.commands if command == attacker) == sorted(
        (s.container, "") for s in services
    )
    assert {user for _, command, user in api.commands if command != attacker} == {attempts.VICTIM}
