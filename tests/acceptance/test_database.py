"""The database takes encrypted connections of known roles alone, each does what it is for; data come back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import testinfra

from components.planning import pki
from components.planning.databases import DATABASES
from components.planning.inventory import Inventory
from operations.drill.restore import Restore
from operations.engine.client import connect
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.waiting import eventually

VERIFIED = "sslmode=verify-full sslrootcert=/etc/aidc/ca.crt channel_binding=require"
OTHER = "/tmp/other.pem"


class Client:
    """psql from the address of the database's own container, under the rules that hold for clients."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def ask(self, role: str, database: str, query: str, how: str = VERIFIED) -> Any:
        """The result of `query` as `role`, with the role's password."""
        connection = f"host=database user={role} dbname={database} connect_timeout=30 {how}"
        return self.host.run(
            "PGPASSWORD=$(cat /etc/aidc/passwords/%s 2>/dev/null || echo none) "
            "psql --no-psqlrc --no-password -v ON_ERROR_STOP=1 -Atc %s %s",
            role,
            query,
            connection,
        )

    def rows(self) -> list[str]:
        found = self.ask("tracking_app", "tracking", "SELECT text FROM acceptance ORDER BY id")
        assert found.rc == 0, found.stderr
        return str(found.stdout).split()


@pytest.fixture(scope="module")
def container(inventory: Inventory) -> str:
    return inventory.by_role("database")[0].container


@pytest.fixture(scope="module")
def client(container: str) -> Client:
    return Client(testinfra.get_host(f"docker://{container}"))


@pytest.fixture(scope="module")
def table(client: Client) -> Iterator[None]:
    """A table of the owner, in which the application has written two rows."""
    made = client.ask("tracking_owner", "tracking", "CREATE TABLE acceptance (id int PRIMARY KEY, text text)")
    assert made.rc == 0, made.stderr
    wrote = client.ask("tracking_app", "tracking", "INSERT INTO acceptance VALUES (1, 'one'), (2, 'two')")
    assert wrote.rc == 0, wrote.stderr
    yield
    client.ask("tracking_owner", "tracking", "DROP TABLE IF EXISTS acceptance")


def test_a_connection_is_tls_1_3(client: Client) -> None:
    found = client.ask("monitor", "postgres", "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    assert found.stdout.strip() == "TLSv1.3"


@pytest.fixture(scope="module")
def other_authority(client: Client) -> Iterator[None]:
    """An authority that is not the stack's, in a file beside the client."""
    other = pki.authority("0f" * 32, "other", datetime.now(UTC).date())
    client.host.check_output("printf %%s %s >%s", other, OTHER)
    yield
    client.host.run("rm -f %s", OTHER)


@pytest.mark.usefixtures("other_authority")
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("sslmode=disable channel_binding=disable", "no encryption"),
        (f"{VERIFIED} ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.2", "protocol version"),
        (VERIFIED.replace("/etc/aidc/ca.crt", OTHER), "certificate verify failed"),
    ],
)
def test_a_weaker_connection_is_refused(client: Client, how: str, reason: str) -> None:
    assert client.ask("tracking_app", "tracking", "SELECT 1").rc == 0
    found = client.ask("tracking_app", "tracking", "SELECT 1", how)
    assert found.rc != 0
    assert reason in found.stderr


@pytest.mark.parametrize(
    ("role", "database"),
    [("postgres", "postgres"), ("tracking_app", "postgres"), ("monitor", "tracking"), ("nobody", "tracking")],
)
def test_a_role_has_no_way_into_what_is_not_its_own(client: Client, role: str, database: str) -> None:
    found = client.ask(role, database, "SELECT 1")
    assert found.rc != 0
    assert "no pg_hba.conf entry" in found.stderr


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("tracking_app", "CREATE TABLE other (id int)"),
        ("tracking_app", "DROP TABLE acceptance"),
        ("tracking_app", "CREATE TABLE public.other (id int)"),
        ("tracking_owner", "CREATE TABLE public.other (id int)"),
        ("tracking_owner", "CREATE ROLE other"),
        ("tracking_owner", "COPY acceptance TO '/tmp/rows'"),
        ("tracking_owner", "SELECT pg_read_file('/etc/aidc/tls.key')"),
        ("backup", "DELETE FROM tracking.acceptance"),
    ],
)
def test_a_role_may_do_no_more_than_it_is_for(client: Client, table: None, role: str, statement: str) -> None:
    found = client.ask(role, "tracking", statement)
    assert found.rc != 0
    assert "permission denied" in found.stderr or "must be owner" in found.stderr


def test_pages_are_checked_and_the_collation_needs_no_library(client: Client) -> None:
    asked = (
        "SELECT current_setting('data_checksums'), datlocprovider, datlocale "
        "FROM pg_database WHERE datname = 'tracking'"
    )
    assert client.ask("tracking_app", "tracking", asked).stdout.strip() == "on|b|C.UTF-8"


def test_rows_outlive_a_restart_that_ends_in_order(
    client: Client, table: None, container: str, local: Any
) -> None:
    before = local.check_output("date -u +%Y-%m-%dT%H:%M:%S.%NZ").strip()
    local.check_output("docker restart --time 120 %s", container)
    assert eventually(lambda: client.host.run("healthcheck").rc == 0)
    assert client.rows() == ["one", "two"]
    logged = local.check_output("docker logs --since %s %s 2>&1", before, container)
    assert "database system is shut down" in logged
    assert "was interrupted" not in logged


def test_without_room_rows_are_read_and_none_is_written(client: Client, table: None) -> None:
    """The filler takes the data over `database.storage` of Pulumi.test.yaml."""
    insert = "INSERT INTO acceptance VALUES (3, 'three')"
    try:
        client.host.check_output("fallocate --length 1GiB /data/filler")
        assert eventually(lambda: client.host.run("healthcheck").rc != 0)
        assert "raise database.storage" in client.host.run("healthcheck").stdout
        refused = client.ask("tracking_app", "tracking", insert)
        assert "read-only transaction" in refused.stderr
        assert client.rows() == ["one", "two"]
    finally:
        client.host.run("rm -f /data/filler")
    assert eventually(lambda: client.host.run("healthcheck").rc == 0)
    assert client.ask("tracking_app", "tracking", insert).rc == 0
    assert client.ask("tracking_app", "tracking", "DELETE FROM acceptance WHERE id = 3").rc == 0


def test_a_lost_table_comes_back_from_the_vault(
    client: Client, table: None, container: str, inventory: Inventory, local: Any
) -> None:
    job = inventory.by_role("backup")[0].container
    saved = local.run("docker exec %s backup run", job)
    assert saved.rc in (0, 3), saved.stdout + saved.stderr
    assert client.ask("tracking_owner", "tracking", "DROP TABLE acceptance").rc == 0
    back = local.run(
        "docker exec %s backup dump tracking | docker exec --interactive %s "
        "pg_restore --host=/tmp --username=postgres --dbname=tracking --clean --if-exists",
        job,
        container,
    )
    assert back.rc == 0, back.stderr
    assert client.rows() == ["one", "two"]


@pytest.mark.usefixtures("table")
def test_a_drill_restores_from_the_vault_and_compares_everything(
    inventory: Inventory, s3: Any, local: Any, tmp_path: Path
) -> None:
    """Nothing of the drill stays behind."""
    job = testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")
    s3.put_object(Bucket="datasets", Key="acceptance/drill", Body=b"drill")
    assert operations("backup") in (0, 3)
    assert operations("drill", "--out", str(tmp_path)) == 0
    drill = json.loads((tmp_path / "drill.json").read_text())
    assert (drill["passed"], drill["different"], drill["faults"]) == (True, 0, [])
    assert [level["passed"] for level in drill["levels"]] == [True, True, True]
    saved = [
        json.loads(job.check_output(f"cat /staging/snapshot/databases/{database.name}.json"))
        for database in DATABASES
    ]
    assert saved[0]["tracking.acceptance"]["rows"] == 2
    rows = sum(facts["rows"] for tables in saved for facts in tables.values())
    assert f"{rows:,} rows in {sum(map(len, saved))} tables," in drill["levels"][2]["detail"]
    own = f"--filter label=aidc.stack={STACK}"
    assert local.check_output(f"docker ps --all --quiet {own} --filter label=aidc.kind=tool") == ""
    volumes = local.check_output(f"docker volume ls --quiet {own}").split()
    assert f"aidc-{STACK}-drill-scratch" in volumes  # the service's own, which stays
    assert not set(Restore(connect(), STACK).volumes.values()) & set(volumes)


def test_a_drill_finds_a_row_that_changed_on_its_way(
    table: None, inventory: Inventory, tmp_path: Path
) -> None:
    """The backup's own record of the rows is changed, then backed up with a dump that does not fit it."""
    job = testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")
    facts = "/staging/snapshot/databases/tracking.json"
    record = job.check_output("cat %s", facts)
    assert json.loads(record)["tracking.acceptance"]["rows"] == 2
    try:
        job.check_output(r"""sed -i 's/\("tracking.acceptance" *: *{"rows" *: *\)2/\13/' %s""", facts)
        # Under the lock of the runs, which would put the record right.
        saved = "restic backup --quiet --host object-store --tag complete /staging/snapshot"
        job.check_output(f"flock /tmp/lock {saved}")
        assert operations("drill", "--out", str(tmp_path)) == 1
    finally:
        assert operations("backup") in (0, 3)
    drill = json.loads((tmp_path / "drill.json").read_text())
    assert [level["passed"] for level in drill["levels"]] == [True, True, False]
    assert drill["faults"][0].startswith("database tracking, table tracking.acceptance: 2 rows")


def test_a_drill_of_a_time_before_the_first_snapshot_fails_and_says_so(tmp_path: Path) -> None:
    assert operations("drill", "--at", "2025-01-01T00:00Z", "--out", str(tmp_path)) == 1
    drill = json.loads((tmp_path / "drill.json").read_text())
    assert "the vault has no snapshot until 2025-01-01" in drill["faults"][0]


def operations(*arguments: str) -> int:
    """The exit code of a command on the stack under test."""
    command = [sys.executable, "-m", "operations", *arguments, "--stack", STACK]
    return subprocess.run(command, cwd=ROOT, check=False).returncode
