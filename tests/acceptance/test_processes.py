"""A container at its limit starts no more processes, and a neighbour of the same user does."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import docker
import pytest

from components.planning.inventory import Inventory, ServiceEntry

# Starts so many processes, says so when all of them are there, and ends with them when its input does.
# `sh` ends where it cannot fork; what it does then needs no other process. The group is its own.
FORK = """
trap 'read told; trap "" TERM; kill 0' EXIT
i=0; while [ $i -lt {count} ]; do sleep 600 & i=$((i+1)); done; echo all
"""


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
        image, ["sleep", "600"], user=user, network_mode="none", read_only=True, cap_drop=["ALL"], detach=True
    )
    yield made
    made.remove(force=True)


@contextmanager
def forking(container: Any, count: int) -> Iterator[str]:
    """What is said when all of the processes are there, or no more can be; they stay for the block."""
    command = ["docker", "exec", "--interactive", container.name, "sh", "-c", FORK.format(count=count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline()
        process.stdin.close()
        process.wait(60)


def test_a_full_container_leaves_room_to_a_neighbour_of_the_same_user(backup: Any, neighbour: Any) -> None:
    count = backup.attrs["HostConfig"]["PidsLimit"] + 50
    with forking(backup, count) as full, forking(neighbour, count) as beside:
        assert "Cannot fork" in full
        assert beside == "all\n"
