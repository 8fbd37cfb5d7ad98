"""What the record of every measurement says, and where it is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.cli import RECORDS
from operations.documents import Acceptance, Entry
from operations.measuring import documents
from operations.measuring.documents import StackUsage
from operations.measuring.record import Record, machine

KINDS = ("StackUsage", "Storage", "BackupFigures", "DatabaseFigures", "SubmitFigures", "RecoveryFigures")


def test_each_is_written_where_its_command_says(tmp_path: Path) -> None:
    kinds: list[type[Entry]] = [Acceptance, *(getattr(documents, name) for name in KINDS)]
    assert [Record(kind, "dev", tmp_path).name for kind in kinds] == list(RECORDS.values())


def test_it_says_of_which_stack_and_machine_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(StackUsage, "dev", tmp_path)
    record.write(record.filled(seconds=2.0, services=[]))
    found = json.loads((tmp_path / "usage.json").read_text())
    assert (found["schema"], found["stack"], found["seconds"]) == ("aidc.usage/1", "dev", 2.0)
    assert found["measured"] == record.begun.isoformat(timespec="seconds")
    assert found["environment"] == machine().model_dump()
    assert str(tmp_path / "usage.json") in capsys.readouterr().out


def test_one_that_is_of_no_stack_names_none(tmp_path: Path) -> None:
    record = Record(Acceptance, "dev", tmp_path)
    assert not hasattr(record.filled(gpus=[], passed=True, checks=[]), "stack")
