"""Roles and settings of the database: every role's password rotates, and memory is shared out."""

from __future__ import annotations

import pytest

from components.planning.config import Database
from components.planning.databases import (
    CONNECTIONS,
    DATABASES,
    access_rules,
    declared,
    roles,
    secret_of,
    server_settings,
)
from components.planning.rotation import ROTATABLE
from components.planning.units import MIB


def test_every_roles_password_can_be_rotated() -> None:
    assert {secret_of(role) for role in roles()} == {n for n in ROTATABLE if n.startswith("database/")}


def test_every_role_is_declared_to_the_server() -> None:
    words = set(declared().split())
    assert set(roles()) <= words


def test_only_the_containers_own_user_comes_without_a_password() -> None:
    lines = [line for line in access_rules(["10.0.0.0/24"]).splitlines() if not line.startswith("#")]
    assert lines[0] == "local all postgres peer"
    assert all(line.startswith("hostssl ") and line.endswith(" scram-sha-256") for line in lines[1:])


def test_a_client_gets_into_its_own_database_alone() -> None:
    for database in DATABASES:
        lines = [line for line in access_rules(["10.0.0.0/24"]).splitlines() if database.application in line]
        assert [line.split()[1] for line in lines] == [database.name]


@pytest.mark.parametrize("mebibytes", [512, 1024, 8192])
def test_caches_and_work_memory_leave_room_for_the_rest(mebibytes: int) -> None:
    lines = server_settings(Database.model_construct(memory=mebibytes * MIB)).splitlines()
    values = dict(line.split(" = ", 1) for line in lines)

    def size(name: str) -> int:
        return int(values[name].strip("'").removesuffix("MB"))

    assert size("shared_buffers") * 4 == mebibytes
    assert size("shared_buffers") + size("work_mem") * CONNECTIONS <= mebibytes * 3 / 4
