"""A stack that has just come up, and that nobody has used, counts as empty: no restore would begin else.

First by its name: the tests after it write, and prune.
"""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta

import pytest
import testinfra

from components.planning.inventory import Inventory

AT_ONCE = timedelta(minutes=10)


def test_the_first_snapshot_is_one_of_an_empty_stack(inventory: Inventory) -> None:
    container = inventory.by_role("backup")[0].container
    host = testinfra.get_host(f"docker://{container}")
    first = json.loads(host.check_output("restic snapshots --no-lock --json"))[0]
    inspect = ["docker", "inspect", "--format", "{{.Created}}", container]
    made = subprocess.check_output(inspect, text=True)
    if moment(first["time"]) - moment(made) > AT_ONCE:
        pytest.skip("the first snapshot of this stack is gone")
    assert {"objects=0", "rows=0"} <= set(first["tags"])


def moment(text: str) -> datetime:
    """Docker's and restic's times are UTC, with nanoseconds."""
    return datetime.fromisoformat(text[:19] + "+00:00")
