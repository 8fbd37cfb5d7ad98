"""The store and the database are lost, the vault is not: all of it comes back, and is saved again from there.

Last by its name, as what is served does not come back by itself.
"""

from __future__ import annotations

import subprocess
from typing import Any

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.tracking.registry import catalogue
from components.planning.inventory import Inventory
from operations.errors import OK
from tests.acceptance.commands import aidc
from tests.acceptance.conftest import STACK

BUCKETS = ("datasets", "checkpoints", "models")


def test_an_emptied_stack_gets_everything_back(inventory: Inventory, s3: Any, client: MlflowClient) -> None:
    assert run("backup") == OK
    objects, models = stored(s3), catalogue(client)
    assert objects
    assert any(models.values())
    assert run("destroy", "--yes") == OK
    lost = [node.container for role in ("object-store", "database") for node in inventory.by_role(role)]
    subprocess.run(["docker", "volume", "rm", *(f"{name}-data" for name in lost)], check=True)
    assert run("up") == OK
    assert stored(s3) == {}
    assert run("restore", "--yes") == OK
    assert stored(s3) == objects
    assert catalogue(client) == models
    # The next snapshot goes with the restored server, not with the one that was in its place.
    backup = inventory.by_role("backup")[0].container
    subprocess.run(
        ["docker", "exec", backup, "backup", "run", "--scheduled", "--job", "everything"], check=True
    )
    assert run("drill") == OK


def run(*words: str) -> int:
    """The exit code; what was said is in the test's output."""
    done = aidc(*words, "--stack", STACK)
    print(done.stdout, done.stderr)
    return done.returncode


def stored(s3: Any) -> dict[str, int]:
    """Key, behind its bucket → bytes."""
    pages = [(bucket, s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)) for bucket in BUCKETS]
    return {
        f"{bucket}/{entry['Key']}": int(entry["Size"])
        for bucket, found in pages
        for page in found
        for entry in page.get("Contents", ())
    }
