"""The database's log is archived, its own key cannot erase it, and any second of it comes back."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import testinfra

from components.planning.inventory import Inventory
from tests.acceptance.conftest import STACK
from tests.acceptance.test_database import Client, client, container, operations
from tests.acceptance.waiting import eventually, heal, settle

__all__ = ["client", "container"]
FAULT = "/tmp/archive-faults/push"
SCRATCH, DATA = f"aidc-{STACK}-acceptance-archive", f"aidc-{STACK}-acceptance-data"
# Run in the backup's container, which has a way to the store and a library; keys come on standard input.
ATTACK = """
import boto3, botocore, json, re, sys, time
said = json.load(sys.stdin)
def store(key, secret):
    session = boto3.session.Session(key, secret, region_name="us-east-1")
    return session.client("s3", endpoint_url="https://object-store:9000", verify="/etc/aidc/ca.crt")
found = dict(re.findall("^repo1-s3-(key|key-secret)=(.*)$", said["conf"], re.M))
own, root = store(found["key"], found["key-secret"]), store(said["user"], said["password"])
def code(work, **arguments):
    try:
        work(Bucket="database", **arguments)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "done"
keys = ["repository/backup/aidc/backup.info", "repository/backup/aidc/backup.info.copy"]
if said["do"] == "attack":
    version = own.head_object(Bucket="database", Key=keys[0])["VersionId"]
    print(json.dumps({
        "erase": code(own.delete_object, Key=keys[0], VersionId=version),
        "root erases": code(root.delete_object, Key=keys[0], VersionId=version),
        "other bucket": code(lambda Bucket, **a: own.list_objects_v2(Bucket="datasets"), Key=""),
        "shorten": code(own.put_object_retention, Key=keys[0], VersionId=version,
                        Retention={"Mode": "GOVERNANCE", "RetainUntilDate": time.time() + 60}),
        "overwrite": [code(own.put_object, Key=key, Body=b"nothing") for key in keys],
        "hide": [code(own.delete_object, Key=key) for key in keys],
    }))
else:
    for key in keys:
        versions = root.list_object_versions(Bucket="database", Prefix=key)["Versions"]
        old = [v for v in versions if v["Key"] == key and v["Size"] > 7][0]["VersionId"]
        body = root.get_object(Bucket="database", Key=key, VersionId=old)["Body"].read()
        root.put_object(Bucket="database", Key=key, Body=body)
"""


@pytest.fixture(scope="module")
def rows(client: Client) -> Iterator[None]:
    """A table that has been backed up with one row, and one that keeps no log."""
    owner = "CREATE TABLE archived (id int PRIMARY KEY); CREATE UNLOGGED TABLE fleeting (id int)"
    assert client.ask("tracking_owner", "tracking", owner).rc == 0
    write(client, 1)
    assert operations("backup") in (0, 3)
    yield
    client.ask("tracking_owner", "tracking", "DROP TABLE archived, fleeting")


def write(client: Client, number: int) -> None:
    wrote = client.ask("tracking_app", "tracking", f"INSERT INTO archived VALUES ({number})")
    assert wrote.rc == 0, wrote.stderr


@pytest.fixture(scope="module")
def job(inventory: Inventory) -> Any:
    return testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")


def mounted(local: Any, service: str, target: str) -> str:
    """The volume that a service has at `target`."""
    form = f'{{{{range .Mounts}}}}{{{{if eq .Destination "{target}"}}}}{{{{.Name}}}}{{{{end}}}}{{{{end}}}}'
    return str(local.check_output("docker inspect --format %s aidc-%s-%s", form, STACK, service)).strip()


def alone(local: Any, service: str, user: int, volumes: list[str], command: str) -> Any:
    """Run a command in a container of the image of `service`, without a network."""
    form = "{{.Config.Image}}"
    image = local.check_output("docker inspect --format %s aidc-%s-%s", form, STACK, service).strip()
    options = " ".join(f"--volume {volume}" for volume in volumes)
    hardened = (
        "--rm --network none --cap-drop ALL --read-only --tmpfs /tmp:size=64m --env HOME=/tmp --env TZ=UTC"
    )
    return local.run(f"docker run {hardened} --user {user} {options} {image} bash -c %s", command)


@pytest.fixture
def repository(local: Any, rows: None) -> Iterator[list[str]]:
    """The newest archive out of the vault, with an empty data volume: what a restore has."""

    def remove() -> None:
        local.run("docker volume rm --force %s %s", SCRATCH, DATA)

    remove()
    vault = [f"{mounted(local, 'vault-pruner', '/etc/aidc')}:/etc/aidc:ro"]
    vault += [f"{mounted(local, 'vault-pruner', '/data')}:/data:ro", f"{SCRATCH}:/drill"]
    laid_out = alone(local, "vault-pruner", 10030, vault, "backup drill && chmod -R a+w /drill/repository")
    assert laid_out.rc == 0, laid_out.stderr
    yield [
        f"{mounted(local, 'database', '/etc/aidc')}:/etc/aidc:ro",
        f"{SCRATCH}:/drill",
        f"{DATA}:/data",
    ]
    remove()


def test_there_is_a_base_backup_and_nothing_waits(client: Client) -> None:
    assert eventually(lambda: "newest base backup" in client.host.run("database-archive status").stdout)
    assert client.host.run("database-archive status").rc == 0
    # A segment may just be on its way.
    nothing = "aidc_archive_waiting_segments 0"
    assert eventually(lambda: nothing in client.host.check_output("database-archive metrics"))


def test_every_run_takes_the_log_up_to_its_beginning(rows: None, client: Client, job: Any) -> None:
    write(client, 2)
    before = datetime.now(UTC)
    saved = job.run("backup run --scheduled")
    assert saved.rc in (0, 3), saved.stdout
    done = json.loads(job.check_output("backup status"))["run"]
    assert datetime.fromisoformat(done["log_until"]).timestamp() >= int(before.timestamp())
    assert done["unreadable_databases"] == []


def test_a_drill_of_a_time_between_two_backups_replays_the_log_until_then(
    rows: None, client: Client, job: Any, tmp_path: Path
) -> None:
    assert operations("backup") in (0, 3)
    write(client, 3)
    time.sleep(1.5)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    time.sleep(1.5)
    write(client, 4)
    assert job.run("backup run --scheduled").rc in (0, 3)
    assert operations("drill", "--at", at, "--out", str(tmp_path)) == 0
    log = json.loads((tmp_path / "drill.json").read_text())["log"]
    assert log["moment"] < log["until"] <= at
    assert (log["tables"] >= 1, log["changed"]) == (True, [])


def test_a_restore_brings_every_row_back_and_overwrites_nothing(
    repository: list[str], client: Client, local: Any
) -> None:
    done = alone(local, "database", 10050, repository, "database-restore /drill/repository")
    assert done.rc == 0, done.stderr
    assert json.loads(done.stdout)["backup"]
    again = alone(local, "database", 10050, repository, "database-restore /drill/repository")
    assert again.rc == 1
    assert "/data is not empty" in again.stderr
    query = "SELECT array_agg(id ORDER BY id) FROM"
    server = (
        "pg_ctl -D /data/pgdata -w -s -l /tmp/log"
        " -o '-c listen_addresses= -c unix_socket_directories=/tmp' start"
        f" && psql -h /tmp -U postgres -d tracking -Atc '{query} tracking.archived'"
        " && pg_ctl -D /data/pgdata -s stop"
    )
    restored = alone(local, "database", 10050, repository, server)
    assert restored.rc == 0, restored.stderr
    live = client.ask("tracking_app", "tracking", f"{query} archived")
    assert live.stdout.startswith("{1"), live.stderr
    assert restored.stdout == live.stdout


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        # The newest segment but one, and all that a restore reads of the base backup.
        ("truncate --size=100 $(ls $R/archive/aidc/17-*/*/*.zst | tail -2 | head -1)", "segment "),
        ("rm $(ls $R/archive/aidc/17-*/*/*.zst | tail -2 | head -1)", "one is missing"),
        ("rm $R/backup/aidc/*F/bundle/1", "the base backup cannot be restored"),
        ("rm -r $R/backup", "holds no archive of a database"),
    ],
)
def test_a_damaged_archive_is_named_and_leaves_the_volume_empty(
    repository: list[str], local: Any, damage: str, reason: str
) -> None:
    command = f"R=/drill/repository; {damage}; database-restore $R; code=$?; ls -A /data; exit $code"
    found = alone(local, "database", 10050, repository, command)
    assert (found.rc, found.stdout.strip()) == (1, "")
    assert reason in found.stderr


def test_another_passphrase_opens_nothing(repository: list[str], local: Any) -> None:
    command = (
        "mkdir /tmp/files && echo wrong >/tmp/files/repository-passphrase && "
        "FILES_DIR=/tmp/files database-restore /drill/repository"
    )
    found = alone(local, "database", 10050, repository, command)
    assert found.rc == 1
    assert "another stack's passphrase" in found.stderr


# A base backup and its helpers, not what archives the log at the same time; no pattern of its own.
BACKUP = "[p]gbackrest .*backup"
# Held still once it has the lock, and seen to have it still: how long it takes is the machine's business.
HOLD = f"""
held() {{ process=$(pgrep -o -f '{BACKUP}') && grep -q "FLOCK .* $process " /proc/locks; }}
until held; do :; done
pkill -STOP -f '{BACKUP}' && held
"""


class BaseBackup:
    """One that is under way, held still."""

    def __init__(self, host: Any) -> None:
        self.host = host
        host.run_test("rm -f /tmp/ended")
        host.run_test("(database-archive run full; echo $? >/tmp/ended) >/dev/null 2>&1 &")
        host.run_test("timeout 120 bash -c %s", HOLD)

    def end(self, signal: str) -> str:
        """Its exit code after the signal, once nothing of it is left."""
        self.host.run_test("pkill -%s -f %s", signal, BACKUP)
        assert eventually(lambda: self.host.run("test -s /tmp/ended").rc == 0)
        assert eventually(lambda: self.host.run("pgrep -f %s", BACKUP).rc == 1)
        return str(self.host.check_output("cat /tmp/ended"))


def test_of_two_base_backups_at_once_the_second_is_refused(client: Client) -> None:
    first = BaseBackup(client.host)
    try:
        second = client.host.run("database-archive run full")
    finally:
        code = first.end("CONT")
    assert second.rc == 1
    assert "lock" in second.stderr
    assert code == "0"


def test_a_base_backup_that_was_killed_is_followed_by_a_whole_one(client: Client) -> None:
    host = client.host
    assert BaseBackup(host).end("KILL") == "1"
    assert host.run("database-archive run incr").rc == 0
    assert host.run("database-archive run full").rc == 0
    assert "no base backup" not in host.run("database-archive status").stdout


def store_nodes(inventory: Inventory) -> list[str]:
    return [service.container for service in inventory.by_role("object-store")]


def test_a_log_that_cannot_be_archived_is_named_and_caught_up(
    rows: None, client: Client, inventory: Inventory, local: Any
) -> None:
    """Rows are written until there is no room; then they are still read, and the reason is the archive."""
    host, nodes = client.host, " ".join(store_nodes(inventory))
    try:
        local.check_output(f"docker stop --time 5 {nodes}")
        for number in range(20):
            write(client, 100 + number)
            host.check_output("psql -h /tmp -U postgres -qAtc 'SELECT pg_switch_wal()'")
        assert eventually(lambda: host.run(f"test -e {FAULT}").rc == 0)
        assert host.run("healthcheck").rc == 0
        # Again where an attempt has just written it anew, with the time that it knew.
        earlier = f'sed -i "1s/.*/$(($(date +%s) - 600))/" {FAULT}; healthcheck'
        assert eventually(lambda: host.run(earlier).rc == 1)
        unwell = host.run("healthcheck")
        assert "the write-ahead log has not been archived since" in unwell.stdout
        assert "object-store" in unwell.stdout
        host.check_output("fallocate --length 700MiB /data/filler")
        assert eventually(lambda: "wait to be archived" in host.run("healthcheck").stdout)
        refused = client.ask("tracking_app", "tracking", "INSERT INTO archived VALUES (999)")
        assert "read-only transaction" in refused.stderr
        assert client.ask("tracking_app", "tracking", "SELECT count(*) FROM archived").rc == 0
    finally:
        host.run("rm -f /data/filler")
        local.run(f"docker start {nodes}")
    caught_up = "aidc_archive_waiting_segments 0"
    assert eventually(lambda: caught_up in host.run("database-archive metrics").stdout)
    assert eventually(lambda: host.run("healthcheck").rc == 0)
    settle(inventory)
    heal(STACK)


def test_the_databases_key_can_hide_the_archive_and_erase_nothing(
    rows: None, client: Client, job: Any, inventory: Inventory
) -> None:
    assert client.host.run("pgbackrest info").rc == 0
    before = datetime.now(UTC)
    time.sleep(1.5)
    node = testinfra.get_host(f"docker://{store_nodes(inventory)[0]}")
    user, password = (
        node.check_output("cat /etc/aidc/root-%s", part).strip() for part in ("user", "password")
    )
    told = {
        "user": user,
        "password": password,
        "conf": client.host.check_output("cat /etc/aidc/pgbackrest.conf"),
    }

    def do(what: str) -> str:
        command = ["docker", "exec", "-i", job.backend.name, "python3", "-c", ATTACK]
        said = json.dumps({**told, "do": what})
        done = subprocess.run(command, input=said, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-300:]
        return done.stdout

    found = json.loads(do("attack"))
    try:
        assert found["erase"] == "AccessDenied"
        assert found["root erases"] != "done"
        assert found["other bucket"] == "AccessDenied"
        assert found["shorten"] != "done"
        # Without a trace: the earlier versions are there, and the archive as it was can be read.
        assert (found["overwrite"], found["hide"]) == (["done"] * 2, ["done"] * 2)
        assert "status: ok" not in client.host.run("pgbackrest info").stdout
        command = ["docker", "exec", "-e", "PGBACKREST_REPO1_S3_KEY", "-e", "PGBACKREST_REPO1_S3_KEY_SECRET"]
        command += [
            client.host.backend.name,
            "pgbackrest",
            "--repo=1",
            f"--repo-target-time={before:%Y-%m-%d %H:%M:%S+00}",
            "info",
        ]
        keys = {
            "PGBACKREST_REPO1_S3_KEY": user,
            "PGBACKREST_REPO1_S3_KEY_SECRET": password,
            "PATH": "/usr/bin:/bin",
        }
        as_it_was = subprocess.run(command, env=keys, capture_output=True, text=True, check=False)
        assert "status: ok" in as_it_was.stdout, as_it_was.stderr[-300:]
    finally:
        do("repair")
    assert "status: ok" in client.host.check_output("pgbackrest info")
