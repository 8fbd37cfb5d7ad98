"""A container at its limit starts no more processes, and a neighbour of the same user does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from components.planning.inventory import Inventory, ServiceEntry

# Starts as many sleeping processes as it is told, and says so when all of them are there.
FORK = "i=0; while [ $i -lt {count} ]; do sleep 3 & i=$((i+1)); done; echo all"


def test_the_engine_limits_the_processes_of_each_container(service: ServiceEntry, local: Any) -> None:
    host = local.docker(service.container).inspect()["HostConfig"]
    assert 0 < host["PidsLimit"] <= 2**15
    assert "nproc" not in {limit["Name"] for limit in host["Ulimits"]}


@pytest.fixture
def backup(inventory: Inventory) -> Iterator[Any]:
    (entry,) = inventory.by_role("backup")
    container = docker.from_env().containers.get(entry.container)
    yield container
    container.reload()
    assert container.attrs["State"]["Running"]


@pytest.fixture
def neighbour(backup: Any) -> Iterator[Any]:
    """A container outside the stack, of the same user."""
    image, user = backup.attrs["Config"]["Image"], backup.attrs["Config"]["User"]
    made = docker.from_env().containers.run(
        image, ["sleep", "120"], user=user, network_mode="none", read_only=True, cap_drop=["ALL"], detach=True
    )
    yield made
    made.remove(force=True)


def test_a_full_container_leaves_room_to_a_neighbour_of_the_same_user(backup: Any, neighbour: Any) -> None:
    limit = backup.attrs["HostConfig"]["PidsLimit"]
    # `sh` ends where it cannot fork; the processes that it started go on.
    full = backup.exec_run(["sh", "-c", FORK.format(count=limit + 50)])
    beside = neighbour.exec_run(["sh", "-c", FORK.format(count=limit + 50)])
    assert b"Cannot fork" in full.output
    assert b"all" not in full.output
    assert beside.output.strip() == b"all"
