"""Figures that services leave: what a service that was taken over may do to the metrics with its file."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from components.monitoring import readings
from components.planning.paths import ROOT
from images.backup.keeper.proving import metrics

SCRIPT = ROOT / "images/metrics/take-readings"
GOOD = 'aidc_backup_state{job="nightly",state="ok"} 1'
OWN = 'aidc_service_memory_bytes{service="backup"} 1048576'


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The file of the backup service."""
    (tmp_path / "left/backup").mkdir(parents=True)
    (tmp_path / "allowed").write_text(readings.allowed(["compute-node1", "compute-node2"]))
    return tmp_path / "left/backup/backup.prom"


def take(left: Path) -> tuple[list[str], dict[str, int]]:
    """The lines that are taken over, and how much is refused of that service, by why."""
    root, service = left.parents[2], left.parent.name
    environment = {**os.environ, "LEFT_DIR": str(root / "left"), "READINGS_DIR": str(root / "taken")}
    command = [str(SCRIPT), str(root / "allowed"), "--once"]
    # A pipe that nobody writes to would hold a reader for good.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    taken, told = root / f"taken/{service}/{service}.prom", {}
    for line in (root / "taken/reader/reader.prom").read_text().splitlines():
        if f'source="{service}"' in line:
            told[line.split('why="')[1].split('"')[0]] = int(line.rpartition(" ")[2])
    return taken.read_text().splitlines() if taken.exists() else [], told


NOTHING = {"kind": 0, "size": 0, "lines": 0}


def test_allowed_figures_are_taken_over_without_their_comments(left: Path) -> None:
    left.write_text(f"# HELP aidc_backup_state State.\n# TYPE aidc_backup_state gauge\n{GOOD}\n{OWN}\n")
    assert take(left) == ([GOOD, OWN], NOTHING)


def test_a_small_number_is_taken_over_however_it_is_written(left: Path) -> None:
    lines = [
        f'aidc_backup_objects{{job="{i}"}} {n}' for i, n in enumerate(("-0.5", "+1e-400", "1.7e9", "1e12"))
    ]
    left.write_text("\n".join(lines) + "\n")
    assert take(left) == (lines, NOTHING)


def test_a_file_that_is_not_there_yet_is_no_fault(left: Path) -> None:
    assert take(left) == ([], NOTHING)


@pytest.mark.parametrize(
    "line",
    [
        'aidc_drill_state{state="failed"} 0',  # another service's
        'aidc_service_memory_bytes{service="database"} 1',
        'aidc_backup_state{job="nightly",state="ok",more="x"} 1',
        'aidc_backup_state{state="ok",job="nightly"} 1',
        'aidc_backup_state{job="nightly"} 1',
        'aidc_backup_state{job="night"ly",state="ok"} 1',
        'aidc_backup_state{job="a\\nb",state="ok"} 1',
        'aidc_backup_state{job="nightly",state="ok"} 1 1700000000000',
        'aidc_backup_state{job="nightly",state="ok"} NaN',
        'aidc_backup_state{job="nightly",state="failed"} 1e309',
        'aidc_backup_state{job="nightly",state="failed"} -1e400',
        f'aidc_backup_state{{job="nightly",state="failed"}} {"9" * 400}',
        'aidc_backup_state{job="nightly",state="ok"}',
        "up 1",
        "node_memory_MemAvailable_bytes 1",
        '{__name__="up"} 1',
        " 1",
        "\x00\x01\x02",
    ],
)
def test_a_line_that_is_not_its_own_to_tell_is_left_out_and_counted(left: Path, line: str) -> None:
    left.write_text(f"{OWN}\n{line}\n{GOOD}\n")
    assert take(left) == ([OWN, GOOD], {**NOTHING, "lines": 1})


def test_the_front_door_tells_of_the_nodes_that_the_stack_declares_and_of_no_other(
    left: Path, tmp_path: Path
) -> None:
    door = tmp_path / "left/home/home.prom"
    door.parent.mkdir()
    good = [
        "aidc_audit_failed 1",
        'aidc_node_refused{node="compute-node1"} 0',
        'aidc_node_refused{node="compute-node2"} 1',
    ]
    bad = [
        'aidc_node_refused{node="compute-node3"} 1', 'aidc_node_refused{node="compute-node"} 1',
        'aidc_node_refused{node="compute-node1,compute-node2"} 1', 'aidc_node_refused{node=""} 1',
        "aidc_node_refused 1", 'aidc_node_refused{service="home"} 1',
        'aidc_audit_failed{node="compute-node1"} 1',
    ]  # fmt: skip
    door.write_text("\n".join(good + bad) + "\n")
    assert take(door) == (good, {**NOTHING, "lines": len(bad)})


def test_no_other_service_tells_of_audits_and_nodes(left: Path) -> None:
    left.write_text('aidc_audit_failed 0\naidc_node_refused{node="compute-node1"} 0\n')
    assert take(left) == ([], {**NOTHING, "lines": 2})


def test_a_figure_that_comes_twice_is_taken_once(left: Path) -> None:
    left.write_text(f"{OWN}\n{OWN}\n")
    assert take(left) == ([OWN], {**NOTHING, "lines": 1})


def test_figures_without_number_are_bounded(left: Path) -> None:
    many = [f'aidc_backup_bytes{{job="{number}"}} 1' for number in range(1200)]
    left.write_text("\n".join(many) + "\n")
    assert take(left) == (many[:1000], {**NOTHING, "lines": 200})


def test_a_pipe_does_not_stall_the_reader(left: Path) -> None:
    os.mkfifo(left)
    assert take(left) == ([], {**NOTHING, "kind": 1})


def test_a_link_is_not_followed(left: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(GOOD)
    left.symlink_to(tmp_path / "secret")
    assert take(left) == ([], {**NOTHING, "kind": 1})


def test_a_folder_is_refused(left: Path) -> None:
    left.mkdir()
    assert take(left) == ([], {**NOTHING, "kind": 1})


def test_a_file_of_gigabytes_is_refused_without_being_read(left: Path) -> None:
    with left.open("wb") as file:
        file.truncate(1 << 40)
    assert take(left) == ([], {**NOTHING, "size": 1})


def test_what_is_refused_whole_leaves_the_figures_from_before_to_age(left: Path) -> None:
    left.write_text(f"{OWN}\n")
    take(left)
    left.unlink()
    os.mkfifo(left)
    assert take(left) == ([OWN], {**NOTHING, "kind": 1})


@pytest.mark.parametrize("ahead", [-1000, 1000])
def test_the_age_of_figures_is_that_of_the_file_and_never_in_the_future(left: Path, ahead: int) -> None:
    left.write_text(f"{OWN}\n")
    moment = int(time.time()) + ahead
    os.utime(left, (moment, moment))
    take(left)
    found = (left.parents[2] / "taken/backup/backup.prom").stat().st_mtime
    assert found == moment if ahead < 0 else found <= time.time()


def test_every_figure_that_the_keeper_tells_is_allowed(left: Path) -> None:
    run = {
        "finished": "2026-11-28T10:00:00+00:00", "started": "2026-11-28T09:00:00+00:00", "objects": 3,
        "bytes": 7, "unreadable": 0, "unreadable_databases": [], "usage": {"vault": 1, "staging": 2},
    }  # fmt: skip
    left.write_text("\n".join(metrics.of_backup({"jobs": {"nightly": {"state": "ok", "run": run}}})) + "\n")
    taken, refused = take(left)
    assert refused == NOTHING
    assert len(taken) == len(readings.BACKUP) + 6
