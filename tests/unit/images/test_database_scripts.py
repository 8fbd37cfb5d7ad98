"""The database's shell scripts, with programs that are made up in the place of PostgreSQL's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.planning import databases

SCRIPTS = Path(__file__).parents[3] / "images/database"
PROGRAMS = {
    "pg_isready": "exit 0",
    # Notes every statement, and fails on those that a test names.
    "psql": """
statements="$* $PGOPTIONS $([[ $* = *--command* ]] || cat)"
echo "$statements" >>"$STATE_DIR/statements"
[[ ! -e $STATE_DIR/fails ]] || ! grep --quiet "$(<"$STATE_DIR/fails")" <<<"$statements"
""",
    "initdb": """
for a; do [[ $a != --pgdata=* ]] || folder=${a#*=}; done
mkdir "$folder" && echo 17 >"$folder/PG_VERSION"
[[ ! -e $STATE_DIR/initdb-fails ]]
""",
}

# Like a server that is still loading: signals count after a while only, and INT is the one that stops it.
SERVER = """#!/usr/bin/python3
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
open(os.environ["STATE_DIR"] + "/started", "w")
open(os.environ["STATE_DIR"] + "/serving", "w")
time.sleep(0.7)
signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
while True:
    signal.pause()
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("bin", "files/passwords", "state", "data"):
        (tmp_path / name).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "bin/postgres").write_text(SERVER)
    (tmp_path / "bin/postgres").chmod(0o755)
    for role in databases.roles():
        (tmp_path / "files/passwords" / role).write_text("p" * 40)
    write(tmp_path / "files", databases.declared())
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{SCRIPTS}:/usr/bin:/bin")
    monkeypatch.setenv("FILES_DIR", str(tmp_path / "files"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CAPACITY", str(2**40))
    return tmp_path / "state"


def write(files: Path, roles: str) -> None:
    (files / "roles").write_text(roles)
    (files / "files.sha256").write_text(f"{hashlib.sha256(roles.encode()).hexdigest()}  roles\n")


def declare() -> subprocess.CompletedProcess[str]:
    return subprocess.run([SCRIPTS / "database-roles"], capture_output=True, text=True, check=False)


def healthy() -> bool:
    return subprocess.run([SCRIPTS / "healthcheck"], capture_output=True, check=False).returncode == 0


def eventually(true: Callable[[], bool], within: float = 20) -> bool:
    deadline = time.monotonic() + within
    while not true() and time.monotonic() < deadline:
        time.sleep(0.05)
    return true()


@pytest.fixture
def server(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    # A shell cannot trap what its parent ignores, as everything does that `nohup` starts.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        process = subprocess.Popen([SCRIPTS / "database-server"], start_new_session=True)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        yield process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def test_every_role_gets_its_password_out_of_sight_of_others(state: Path) -> None:
    assert declare().returncode == 0
    statements = (state / "statements").read_text()
    for role in databases.roles():
        assert f'ALTER ROLE "{role}" LOGIN' in statements
    assert "--track-activities=off" in statements
    assert "--default-transaction-read-only=off" in statements


@pytest.mark.parametrize("role", databases.roles())
def test_a_password_that_is_not_set_is_a_failure(state: Path, role: str) -> None:
    (state / "fails").write_text(f'ALTER ROLE "{role}" LOGIN')
    assert declare().returncode != 0


@pytest.mark.parametrize("role", databases.roles())
def test_a_password_of_another_form_is_refused(state: Path, role: str) -> None:
    (state.parent / "files/passwords" / role).write_text("'; DROP DATABASE tracking; --" + "p" * 11)
    done = declare()
    assert done.returncode != 0
    assert f"password of {role}" in done.stderr


@pytest.mark.parametrize("line", ['monitor a"b', "database one two", "owner me", "reader", "monitor A;B"])
def test_a_line_of_another_form_is_refused(state: Path, line: str) -> None:
    write(state.parent / "files", f"{line}\n")
    done = declare()
    assert done.returncode != 0
    assert "not a valid line" in done.stderr
    assert not (state / "statements").exists()


def test_the_server_is_not_healthy_before_its_roles_are_as_declared(
    state: Path, server: subprocess.Popen[bytes]
) -> None:
    (state / "fails").write_text("pg_monitor")
    assert eventually((state / "statements").exists)
    assert not healthy()
    (state / "fails").unlink()
    assert eventually(healthy)


def test_new_passwords_that_come_during_a_run_are_not_lost(
    state: Path, server: subprocess.Popen[bytes]
) -> None:
    assert eventually(healthy)
    # Before that the signal would end it: Python needs a moment until it ignores one.
    assert eventually((state / "serving").exists)
    slow = state.parent / "bin/pg_isready"
    slow.write_text(f"#!/bin/bash\necho run >>{state}/runs\nsleep 1\n")
    server.send_signal(signal.SIGHUP)
    assert eventually((state / "runs").exists)
    server.send_signal(signal.SIGHUP)
    assert eventually(lambda: len((state / "runs").read_text().split()) >= 2)


def test_a_signal_that_a_starting_server_ignores_is_sent_again(
    state: Path, server: subprocess.Popen[bytes]
) -> None:
    assert eventually((state / "started").exists)
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=20) == 0


def test_a_cluster_that_is_not_made_to_its_end_does_not_count(state: Path) -> None:
    (state / "initdb-fails").touch()
    done = subprocess.run([SCRIPTS / "database-server"], capture_output=True, check=False, timeout=20)
    assert done.returncode != 0
    assert not (state.parent / "data/pgdata").exists()
