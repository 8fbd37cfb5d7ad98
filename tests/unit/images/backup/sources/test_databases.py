"""Dumps of databases, with programs that are made up in the place of PostgreSQL's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from images.backup.keeper.core import status
from images.backup.keeper.core.settings import Job, Place, Settings
from images.backup.keeper.saving import run
from images.backup.keeper.sources import databases, dumps
from images.backup.keeper.sources.databases import DatabaseError
from images.backup.keeper.sources.staging import Staging

ROOT = Path(__file__).parents[5]
JOB = "everything"
PROGRAMS = {
    # Answers each command at once, and in a transaction one line to each query.
    "psql": """
for a; do
  case $a in
    *create_restore_point*) echo 0/3000090 ;;
    *clock_timestamp*) echo "2026-11-28 11:30:00.5|${SEEN_AFTER:-740:740:}" ;;
    --command=*) echo 4096 ;;
    *) continue ;;
  esac
  answered=yes
done
[[ $answered ]] && exit
read -r begin && echo 00000003-0000001B-1
while read -r line; do
  [[ $line == *current_snapshot* ]] && echo "${SEEN:-740:740:}" && continue
  [[ $line == *';' && $line != SET* ]] && echo '{"tracking.runs": {"rows": 1}}'
done
""",
    "pg_dump": """
for a; do
  case $a in
    --file=*) echo rows >"${a#--file=}" ;;
    broken) echo gone >&2 && exit 1 ;;
  esac
done
""",
    "pg_restore": 'echo "2; 1259 1 TABLE tracking runs owner"; echo "3; 0 1 TABLE DATA tracking runs owner"',
}


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Staging:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr(databases, "FACTS", ROOT / "images" / "shared" / "table-facts.sql")
    found = Staging(tmp_path / "staging", JOB)
    found.root.mkdir()
    found.prepare().close()
    return found


def settings(*names: str) -> Settings:
    job = Job(JOB, "* * * * *", databases=names, log=True)
    return Settings(Place("https://store"), {"staging": 2**40, "vault": 2**40}, (job,))


def test_a_dump_is_in_the_snapshots_folder_and_known_by_its_content(staging: Staging) -> None:
    dumped = databases.dump("tracking", staging)
    assert (staging.snapshot / dumped.file).read_text() == "rows\n"
    assert (dumped.file, dumped.size, dumped.tables) == ("databases/tracking.dump", 5, 1)
    facts = databases.path_of("tracking", staging).with_suffix(".json")
    assert json.loads(facts.read_text()) == {"tracking.runs": {"rows": 1}}


def test_a_database_that_cannot_be_dumped_leaves_no_old_dump(staging: Staging) -> None:
    old = databases.path_of("broken", staging)
    old.parent.mkdir()
    old.write_text("of yesterday")
    with pytest.raises(DatabaseError, match="gone"):
        databases.dump("broken", staging)
    assert not old.exists()
    assert not list(staging.temporary.iterdir())


def test_one_broken_database_does_not_stop_the_others(staging: Staging) -> None:
    done = status.Run(started=status.now())
    made = dumps.make(settings("broken", "tracking"), staging, done, lambda _text: None)
    assert [dump.name for dump in made] == ["tracking"]
    assert [entry["name"] for entry in done.unreadable_databases] == ["broken"]
    assert run._is_partial(done)


def test_a_partial_run_names_the_database(staging: Staging) -> None:
    done = status.Run(started=status.now(), finished=status.now(), result="partial")
    dumps.make(settings("broken"), staging, done, lambda _text: None)
    assert status.describe(status.entry(done), "partial").startswith(
        "partial: could not be read: database broken (pg_dump: gone)"
    )


def test_the_dump_of_a_database_that_is_declared_no_more_goes(staging: Staging) -> None:
    databases.dump("tracking", staging)
    databases.drop_others(["other"], staging)
    assert not list(databases.path_of("tracking", staging).parent.iterdir())


def test_a_run_of_before_there_were_databases_is_still_described() -> None:
    run_before = {"objects": 1, "bytes": 2, "snapshot": "0" * 64, "warnings": [], "unreadable": 0}
    assert status.describe({"run": run_before}, "ok") == "1 objects, 2 bytes in snapshot 00000000"


def test_without_room_for_one_database_the_others_are_dumped(staging: Staging) -> None:
    """And an earlier dump of it does not pass for one of this run."""
    databases.dump("tracking", staging)
    done = status.Run(started=status.now())
    small = replace(settings("tracking"), limits={"staging": 1, "vault": 2**40})
    assert dumps.make(small, staging, done, lambda _text: None) == []
    assert "backup.staging_capacity" in done.unreadable_databases[0]["reason"]
    assert not databases.path_of("tracking", staging).exists()
