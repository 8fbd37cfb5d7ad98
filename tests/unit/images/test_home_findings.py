"""What was told, as figures for the alerts: of what the stack declares, and of nothing that nobody told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from images.home.door import findings, told
from images.home.door.settings import TOLD_NAME
from operations.front.told import Told
from operations.images import contexts
from operations.nodes import judge, record
from operations.status_document import LastAudit
from tests.unit.operations.nodes.test_judge import FULL, reading, verdict

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from door import __main__
print(__main__.main(["findings"]))
print([name for name in sys.modules if name in ("pydantic", "jinja2")])
"""
AT = "2026-11-28T12:00:00+00:00"
NODES = ("compute-one", "compute-two")


def lines(folder: Path, **parts: Any) -> list[str]:
    told.take(Told(**parts).model_dump_json(by_alias=True).encode(), folder)
    return list(findings.lines((folder / TOLD_NAME).read_text(), NODES))


@pytest.mark.parametrize(("result", "value"), [("failed", 1), ("passed", 0)])
def test_the_newest_audit_counts(result: Any, value: int, tmp_path: Path) -> None:
    audit = LastAudit(result=result, at=AT, text="", failed=[])
    assert lines(tmp_path, last_audit=audit) == [f"aidc_audit_failed {value}"]


def test_without_an_audit_nothing_is_said_of_one(tmp_path: Path) -> None:
    assert lines(tmp_path) == []


def test_a_node_that_gets_no_ranks_is_refused_and_one_that_is_waived_is_not(tmp_path: Path) -> None:
    bad, good = verdict(reading("compute-two", disk=FULL)), verdict(reading("compute-one"))
    found = [record.verdict_of(node) for node in (bad, good)]
    assert lines(tmp_path, nodes=found) == [
        'aidc_node_refused{node="compute-one"} 0',
        'aidc_node_refused{node="compute-two"} 1',
    ]
    waived = [record.verdict_of(judge.waived(bad, "tonight"))]
    assert lines(tmp_path, nodes=waived)[1] == 'aidc_node_refused{node="compute-two"} 0'


def test_a_node_that_the_stack_does_not_declare_is_left_out(tmp_path: Path) -> None:
    other = record.verdict_of(verdict(reading('compute-three"} 1\nup', disk=FULL)))
    assert lines(tmp_path, nodes=[other]) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "1", '{"last_audit": 1, "nodes": []}', "[" * 100_000])
def test_a_file_that_is_no_document_says_nothing(text: str) -> None:
    assert list(findings.lines(text, NODES)) == []


def test_the_program_prints_them_and_needs_no_library(tmp_path: Path) -> None:
    audit = LastAudit(result="failed", at=AT, text="", failed=[])
    lines(tmp_path, last_audit=audit, nodes=[record.verdict_of(verdict(reading("compute-one")))])
    services = [{"name": "compute-one", "role": "compute"}]
    (tmp_path / "stack.json").write_text(
        json.dumps({"stack": "dev", "services": services, "endpoints": {}, "figures": "", "alerts": ""})
    )
    fresh = contexts.assemble("home")
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", PROGRAM, str(fresh)],
            env={**os.environ, "DOOR_FILES": str(tmp_path), "DOOR_TOLD": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        contexts.discard("home", fresh)
    assert done.stdout.splitlines() == [
        "aidc_audit_failed 1", 'aidc_node_refused{node="compute-one"} 0', "0", "[]",
    ], done.stderr  # fmt: skip
