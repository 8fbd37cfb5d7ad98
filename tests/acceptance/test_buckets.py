"""Buckets are declared, changed and taken out in the running stack, and no node is another afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import docker
import pytest
import testinfra
from botocore.exceptions import ClientError

from audit.context import Context
from audit.records import Storage
from audit.storage import buckets, check
from audit.storage.check import INSIDE
from components.planning.inventory import Inventory, ServiceEntry, load
from tests.acceptance.conftest import ROOT, STACK, output, s3_client
from tests.acceptance.waiting import eventually, heal, settle

FILE = ROOT / f"Pulumi.{STACK}.yaml"
# What the file gains below `object_store.buckets`; nothing else changes.
FIRST = """\
        results: {quota: 3GiB}
        raw: {quota: 1GiB, versioning: true, lifecycle: {noncurrent_days: 3},
              read: [client], write: [client], delete: [client]}
        spare: {quota: 1GiB, versioning: true, object_lock: {mode: governance, days: 1}}
        closed: {quota: 1GiB}
"""
SECOND = """\
        raw: {quota: 2GiB, lifecycle: {expire_after_days: 9}, read: [client]}
"""
LOCK_TOO_LATE = """\
        raw: {quota: 2GiB, versioning: true, object_lock: {mode: compliance, days: 1}}
"""
SIZE = 2**20  # a shard of its own: smaller objects live inside their metadata


def operations(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations", *arguments, "--stack", STACK]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def up() -> str:
    done = operations("up")
    assert done.returncode == 0, done.stdout + done.stderr
    output.cache_clear()
    return done.stdout + done.stderr


def declaring(original: str, more: str) -> str:
    """The stack's file with `more` among its buckets."""
    before, found, after = original.partition("      buckets:\n")
    assert found, "the file of the stack under test declares a bucket"
    return f"{before}{found}{more}{after}"


def nodes(inventory: Inventory) -> list[ServiceEntry]:
    return inventory.by_role("object-store")


def as_root(inventory: Inventory, script: str) -> str:
    """What a script prints in a node, with `as_root` at hand."""
    node = testinfra.get_host(f"docker://{nodes(inventory)[0].container}")
    whole = f"source /usr/local/bin/as-root; store={INSIDE}; {script}"
    return str(node.check_output("bash -c %s", whole))


def identifiers(inventory: Inventory) -> dict[str, str]:
    """Container → id, of everything that no change of a bucket may replace."""
    client = docker.from_env()
    free = {"object-store-setup", "backup"}
    kept = [service for service in inventory.services if service.role not in free]
    return {s.name: str(client.containers.get(s.container).id) for s in kept}


def audited(inventory: Inventory) -> tuple[dict[str, str], Storage]:
    """Row → verdict with detail of the audit's part `storage`, and its data."""
    running = [s for s in inventory.services if s.role != "object-store-setup"]
    context = SimpleNamespace(stack=STACK, client=docker.from_env(), services=running, inventory=inventory)
    part = check.check(cast(Context, context))
    return {row.name: f"{row.verdict}: {row.detail}" for row in part.rows}, part.holding(Storage)


def live(inventory: Inventory) -> dict[str, dict[str, str]]:
    node = testinfra.get_host(f"docker://{nodes(inventory)[0].container}")
    return buckets.read(node.check_output(f"buckets show {INSIDE}"))


@pytest.fixture(scope="module")
def original() -> Iterator[str]:
    """The stack's file, which is put back."""
    text = FILE.read_text(encoding="utf-8")
    yield text
    if FILE.read_text(encoding="utf-8") != text:
        inventory = load(output("inventory"))
        force = "--request DELETE --header x-minio-force-delete:true"
        as_root(inventory, f"for b in raw closed; do as_root $store/$b {force}; done")
        FILE.write_text(text, encoding="utf-8")
        up()


@pytest.fixture(scope="module")
def before(original: str) -> dict[str, str]:
    return identifiers(load(output("inventory")))


@pytest.fixture(scope="module")
def first(original: str, before: dict[str, str]) -> Inventory:
    """The stack with three more buckets and another quota."""
    heal(STACK)
    FILE.write_text(declaring(original, FIRST), encoding="utf-8")
    up()
    return load(output("inventory"))


def test_no_container_but_the_jobs_is_another(first: Inventory, before: dict[str, str]) -> None:
    assert identifiers(first) == before


def test_the_live_store_is_as_declared(first: Inventory) -> None:
    found = live(first)
    assert buckets.differences(first.buckets, found) == []
    assert (found["results"]["quota"], found["raw"]["versioning"]) == ("3GiB", "on")
    assert found["raw"]["lifecycle"].startswith("Expiration.ExpiredObjectDeleteMarker=true")
    assert found["spare"]["object_lock"] == "Days=1 Mode=GOVERNANCE"


def test_the_audit_finds_everything_as_declared(first: Inventory) -> None:
    rows, data = audited(first)
    assert {name: text.split(":")[0] for name, text in rows.items()} == dict.fromkeys(rows, "pass")
    assert {"raw", "spare", "closed", "tracking", "database"} <= set(data.buckets)


@pytest.fixture
def client(first: Inventory, access: dict[str, Any], ca_file: str) -> Any:
    return s3_client(first, access["s3"]["access_key"], access["s3"]["secret_key"], ca_file)


def test_whom_a_bucket_names_may_use_it(client: Any) -> None:
    client.put_object(Bucket="raw", Key="kept", Body=b"1")
    first_version = client.list_object_versions(Bucket="raw", Prefix="kept")["Versions"][0]["VersionId"]
    client.put_object(Bucket="raw", Key="kept", Body=b"2")
    client.delete_object(Bucket="raw", Key="kept")
    assert client.get_object(Bucket="raw", Key="kept", VersionId=first_version)["Body"].read() == b"1"


@pytest.mark.parametrize("bucket", ["closed", "spare", "tracking", "database"])
def test_whom_a_bucket_does_not_name_may_not(bucket: str, client: Any) -> None:
    for call, more in (("list_objects_v2", {}), ("put_object", {"Key": "x", "Body": b"x"})):
        with pytest.raises(ClientError) as caught:
            getattr(client, call)(Bucket=bucket, **more)
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_a_setting_that_somebody_changed_is_named_and_put_right(first: Inventory) -> None:
    suspend = (
        "echo '<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>' >/tmp/v; "
        "as_root $store/models?versioning= --request PUT --data-binary @/tmp/v"
    )
    as_root(first, suspend)
    rows, _ = audited(first)
    assert rows["buckets are as declared"].startswith("fail: other than declared: models: versioning is off")
    as_root(first, suspend.replace("Suspended", "Enabled"))
    assert audited(first)[0]["buckets are as declared"].startswith("pass")


# Asks a node until it knows the lock of `database`; prints the statuses that it gave, 200 at the end.
ASK = """
source /usr/local/bin/as-root
at="https://127.0.0.1:9000/database?object-lock="
for try in $(seq 600); do
  code=$(as_root "$at" --output /tmp/lock --write-out '%{http_code}' 2>/dev/null)
  [[ $code == 000 ]] || echo $code
  [[ $code != 200 ]] || break
  sleep 0.1
done
"""
AGAIN = (
    'at="$store/database?object-lock="; as_root "$at" --output /tmp/lock && '
    'as_root "$at" --request PUT --data-binary @/tmp/lock --max-time 60'
)


def test_no_node_takes_a_change_that_another_missed_for_a_bucket_without_a_lock(first: Inventory) -> None:
    engine = docker.from_env()
    every = [engine.containers.get(node.container) for node in nodes(first)]
    # The second to last: the last one starts when it can see this one, and not yet all others.
    every[-2].stop()
    as_root(first, AGAIN)
    for node in every:
        node.stop()
    for node in every:
        node.start()

    def asked(node: Any) -> list[str]:
        return str(node.exec_run(["bash", "-c", ASK]).output, "utf-8").split()

    with ThreadPoolExecutor() as asking:
        said = list(asking.map(asked, every))
    settle(first)
    heal(STACK)  # what was written while a node was away
    assert [codes[-1] for codes in said] == ["200"] * len(every)
    # Unavailable, or not knowing its users yet, but never without a lock.
    assert {code for codes in said for code in codes} <= {"200", "403", "503"}
    assert audited(first)[0]["buckets are as declared"].startswith("pass")


def put(inventory: Inventory, place: str) -> str:
    """Write an object as root; returns its version."""
    said = as_root(
        inventory, f"echo x >/tmp/x; as_root $store/{place} -X PUT --data-binary @/tmp/x --include"
    )
    headers = dict(line.lower().split(": ", 1) for line in said.splitlines() if ": " in line)
    return headers.get("x-amz-version-id", "")


@pytest.mark.parametrize("more", ["", "--header x-amz-bypass-governance-retention:true"])
def test_not_even_root_deletes_a_version_of_the_database(more: str, first: Inventory) -> None:
    place = f"database/acceptance-{uuid.uuid4().hex}"
    version = f'"$store/{place}?versionId={put(first, place)}"'
    assert "WORM protected" in as_root(first, f"as_root {version} --request DELETE {more}")
    assert as_root(first, f"as_root {version}").strip() == "x"
    as_root(first, f"as_root $store/{place} --request DELETE")  # only hides it from the others


@pytest.fixture
def damaged(first: Inventory, client: Any) -> Iterator[str]:
    """The key of an object in `datasets` of which one byte on the second node's drive is another."""
    key = f"acceptance/{uuid.uuid4().hex}"
    client.put_object(Bucket="datasets", Key=key, Body=uuid.uuid4().bytes * (SIZE // 16))
    node = testinfra.get_host(f"docker://{nodes(first)[1].container}")
    flip = (
        "f=$(ls /data/datasets/" + key + "/*/part.1); old=$(od -An -tu1 -j 5000 -N 1 $f); "
        'printf "\\\\x$(printf %02x $((old ^ 1)))" | dd of=$f bs=1 seek=5000 conv=notrunc status=none'
    )
    node.check_output("bash -c %s", flip)
    yield key
    client.delete_object(Bucket="datasets", Key=key)


def test_one_wrong_byte_is_named_by_the_audit_and_mended_by_a_scrub(first: Inventory, damaged: str) -> None:
    named = f"datasets/{damaged} (version "
    row = audited(first)[0]["every shard has its checksum"]
    assert row.startswith(f"fail: 1 damaged object: {named}")
    assert row.endswith("corrupt on object-store-2")
    done = operations("scrub")
    assert done.returncode == 0, done.stderr
    assert any(named in line and line.endswith(": restored") for line in done.stdout.splitlines())
    assert audited(first)[0]["every shard has its checksum"].startswith("pass")


def test_a_lock_on_a_bucket_that_exists_is_refused_before_anything_changes(
    first: Inventory, original: str
) -> None:
    has = live(first)
    FILE.write_text(declaring(original, LOCK_TOO_LATE), encoding="utf-8")
    done = operations("up")
    FILE.write_text(declaring(original, FIRST), encoding="utf-8")
    assert done.returncode == 2
    assert (
        "object_store.buckets.raw.object_lock: the bucket exists without a lock" in done.stdout + done.stderr
    )
    assert live(first) == has


@pytest.fixture(scope="module")
def second(first: Inventory, original: str) -> tuple[Inventory, str]:
    """The stack without `spare`, which is empty, and `closed`, which is not; `raw` has other settings."""
    put(first, "closed/left")
    FILE.write_text(declaring(original, SECOND), encoding="utf-8")
    said = up()
    return load(output("inventory")), said


def test_settings_follow_the_file_and_no_container_is_another(
    second: tuple[Inventory, str], before: dict[str, str]
) -> None:
    inventory, _ = second
    assert identifiers(inventory) == before
    found = live(inventory)
    assert buckets.differences(inventory.buckets, found) == []
    assert (found["raw"]["versioning"], found["raw"]["quota"]) == ("off", "2GiB")
    assert found["raw"]["lifecycle"] == "Expiration.Days=9 Status=Enabled"


def test_what_is_taken_out_is_removed_if_it_is_empty(
    second: tuple[Inventory, str],
) -> None:
    inventory, said = second
    assert {"spare", "closed"} & set(live(inventory)) == {"closed"}
    assert as_root(inventory, "as_root $store/closed/left").strip() == "x"
    assert "the store has a bucket closed that is not declared" in said


def test_status_and_audit_name_what_is_not_declared(second: tuple[Inventory, str]) -> None:
    done = operations("status", "--json")
    assert json.loads(done.stdout)["undeclared_buckets"] == ["closed"]
    rows, data = audited(second[0])
    assert rows["every bucket is declared"].startswith("warn")
    assert data.undeclared == ["closed"]


def test_the_backup_covers_what_is_declared(second: tuple[Inventory, str]) -> None:
    job = testinfra.get_host(f"docker://{second[0].by_role('backup')[0].container}")
    listed = job.check_output("cat /etc/aidc/buckets").split()
    assert listed == [bucket.name for bucket in second[0].buckets]
    job.check_output("backup run")
    status = json.loads(job.check_output("backup status"))
    assert status["run"]["result"] == "ok"


# A run that waits between listing the store and fetching from it. Prints how it ended.
MIDWAY = """
import os, time
from keeper.core import settings
from keeper.saving import jobs, run
from keeper.sources import staging, store
fetch = store.fetch
def later(*given):
    open("/staging/listed", "w").close()
    while not os.path.exists("/staging/go"):
        time.sleep(0.05)
    yield from fetch(*given)
store.fetch = later
found, turn = settings.load(), jobs.lock()
place = staging.Staging(settings.STAGING, "everything")
done = run.run(found, place, store.client(found.store), print)
print(done.result, done.reason, done.unreadable_objects)
"""


def test_a_bucket_that_is_deleted_while_it_is_saved_is_named_and_nothing_older_is_lost(
    second: tuple[Inventory, str],
) -> None:
    inventory, _ = second
    place = inventory.by_role("backup")[0].container
    job = testinfra.get_host(f"docker://{place}")
    put(inventory, "raw/first")
    job.check_output("backup run")
    put(inventory, "raw/second")
    command = ["docker", "exec", "--env", "PYTHONPATH=/usr/local/lib/aidc", place, "python3", "-c", MIDWAY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as midway:
        try:
            assert eventually(lambda: bool(job.run("test -e /staging/listed").rc == 0))
            as_root(inventory, "as_root $store/raw --request DELETE --header x-minio-force-delete:true")
        finally:
            job.check_output("touch /staging/go")
        said, _ = midway.communicate(timeout=120)
    job.check_output("rm /staging/listed /staging/go")
    assert said.splitlines()[-1].startswith("partial")
    assert "'bucket': 'raw', 'key': 'second', 'reason': 'NoSuchBucket" in said.splitlines()[-1]
    assert "raw" in job.run("backup run").stdout
    assert job.check_output("backup cat raw first") == "x"
    # It ends with the word that the backup has failed, which the next run puts right.
    assert "raw: the bucket is missing, declared present; setting it up again" in operations("up").stdout
    job.check_output("backup run")
