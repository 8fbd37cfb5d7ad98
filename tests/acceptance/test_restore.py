"""What is deleted comes back from the vault, and what is there is left alone."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
import testinfra
from prometheus_client.parser import text_string_to_metric_families

from components.planning.inventory import Inventory
from images.backup.keeper.proving import trial
from operations.__main__ import main as operations
from tests.acceptance.conftest import STACK, output

BUCKET = "restored"  # of Pulumi.test.yaml: empty but for these tests
OBJECTS: dict[str, bytes] = {
    "folder/": b"",
    "folder/x": b"beside its folder",
    "café": b"accented",
    "line\nbreak": b"odd",
    "large": os.urandom(70 * 2**20),  # put in parts
}
HEADERS: dict[str, Any] = {"ContentType": "application/x-own", "Metadata": {"who": "acceptance"}}


@pytest.fixture(scope="module")
def job(inventory: Inventory) -> Any:
    return testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")


@pytest.fixture(scope="module")
def drill(inventory: Inventory) -> Any:
    return testinfra.get_host(f"docker://{inventory.by_role('drill')[0].container}")


def empty(s3: Any) -> None:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=found["Key"])


@pytest.fixture(scope="module")
def saved(s3: Any) -> Any:
    """The objects, in the newest snapshot."""
    empty(s3)
    for key, content in OBJECTS.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=content, **HEADERS)
    assert operations(["backup", "--stack", STACK]) == 0
    yield
    empty(s3)


def restore(*arguments: str) -> int:
    return operations(["restore", "--stack", STACK, "--yes", "--sources", f"bucket/{BUCKET}", *arguments])


def identities(inventory: Inventory) -> str:
    node = testinfra.get_host(f"docker://{inventory.by_role('object-store')[0].container}")
    return str(node.check_output("identities list https://127.0.0.1:9000"))


@pytest.mark.usefixtures("saved")
def test_a_bucket_that_holds_something_is_left_alone(s3: Any, capsys: pytest.CaptureFixture[str]) -> None:
    s3.put_object(Bucket=BUCKET, Key="café", Body=b"written since")
    assert restore() == 2
    assert f"bucket/{BUCKET} holds {len(OBJECTS)} objects" in capsys.readouterr().err
    assert s3.get_object(Bucket=BUCKET, Key="café")["Body"].read() == b"written since"


@pytest.mark.usefixtures("saved")
def test_an_emptied_bucket_gets_every_object_back_with_its_headers(s3: Any, inventory: Inventory) -> None:
    empty(s3)
    assert restore() == 0
    for key, content in OBJECTS.items():
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert found["Body"].read() == content, key
        assert (found["ContentType"], found["Metadata"]) == ("application/x-own", {"who": "acceptance"})
    assert " restore" not in identities(inventory)


def test_an_unknown_source_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert operations(["restore", "--stack", STACK, "--sources", "bucket/restord", "--yes"]) == 2
    assert f"bucket/{BUCKET}" in capsys.readouterr().err


def test_the_drill_service_cannot_write_to_the_vault_and_has_no_network(drill: Any) -> None:
    assert drill.check_output("ls /data/backup/keys")
    assert "Read-only file system" in drill.run("touch /data/x").stderr
    assert drill.check_output("ls /sys/class/net") == "lo"


@pytest.mark.usefixtures("saved")
def test_the_drill_service_restores_the_newest_snapshot_and_says_so(drill: Any) -> None:
    assert drill.run("backup trial").rc == 0
    found = json.loads(drill.check_output("backup trial-status"))
    assert found["state"] == "passed"
    assert found["run"]["objects"]["objects"] >= len(OBJECTS)
    assert found["run"]["log"]["tables"] > 0
    # Of what it restored nothing is left, but for what became of it.
    assert drill.check_output(f"ls -A {trial.PLACE}").split() == [trial.RECORD.parent.name]


@pytest.mark.usefixtures("saved")
def test_file_and_state_of_the_stack_are_saved_without_any_secret_in_plain(job: Any) -> None:
    file, state = (job.check_output(f"backup configuration {name}") for name in ("stack.yaml", "state.json"))
    assert "encryptionsalt" in file
    assert f"aidc-{STACK}-vault" in state
    for secret in (output("access")["s3"]["secret_key"], output("access")["inference_token"]):
        assert secret not in file + state


@pytest.mark.parametrize(
    ("host", "command", "name"),
    [
        ("job", "backup metrics", "aidc_backup_finished_timestamp_seconds"),
        ("drill", "backup trial-metrics", "aidc_drill_finished_timestamp_seconds"),
    ],
)
@pytest.mark.usefixtures("saved")
def test_monitoring_can_read_when_the_newest_was(
    request: pytest.FixtureRequest, host: str, command: str, name: str
) -> None:
    text = request.getfixturevalue(host).check_output(command)
    assert name in {family.name for family in text_string_to_metric_families(text + "\n")}


def test_without_an_order_nothing_is_restored(job: Any) -> None:
    found = job.run("echo {} | backup recover")
    assert found.rc == 1
    assert "no order" in found.stdout
