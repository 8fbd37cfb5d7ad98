"""Runs in folders of their own: which is the newest, what the list says; files that are never half there."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from benchmark import __main__ as command
from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.core import files
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.report import pages


def kept(out: Path, whole: dict[str, Any], run_id: str, **more: Any) -> runs.Run:
    run = runs.begin(out, run_id)
    results.save({**whole, "run_id": run.run_id, **more}, run.path)
    pages.write(run.path)
    return run


def test_the_newest_complete_run_is_the_one_that_is_shown(tmp_path: Path, complete: dict[str, Any]) -> None:
    kept(tmp_path, complete, "a", started="2026-01-01T00:00:00+00:00").publish()
    kept(tmp_path, complete, "b", started="2026-01-02T00:00:00+00:00").publish()
    assert results.load(tmp_path / "result.json")["run_id"] == "b"
    assert "b" in (tmp_path / "report.html").read_text()
    late = kept(tmp_path, complete, "c", started="2026-01-01T12:00:00+00:00")
    assert late.publish() == []  # it began earlier, and ended later
    assert results.load(tmp_path / "result.json")["run_id"] == "b"


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    assert [runs.begin(tmp_path, "x").run_id for _ in range(3)] == ["x", "x-2", "x-3"]


def test_runs_are_listed_with_what_became_of_them_newest_first(
    tmp_path: Path, complete: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    kept(tmp_path, complete, "first", started="2026-01-01T00:00:00+00:00")
    kept(tmp_path, complete, "second", started="2026-01-02T00:00:00+00:00", complete=False)
    (runs.begin(tmp_path, "third").path).write_text("{")
    assert command.main(["runs", "--out", str(tmp_path)]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == list(runs.COLUMNS)
    assert [line.split()[0] for line in lines] == ["second", "first", "third"]
    assert "mlp" in lines[0]
    assert " pass" in lines[0]
    assert "unreadable" in lines[2]
    assert command.main(["runs", "--out", str(tmp_path), "--json"]) == 0
    assert [row["complete"] for row in json.loads(capsys.readouterr().out)] == ["no", "yes", "unreadable"]


def test_a_run_is_reported_by_its_name(
    tmp_path: Path, complete: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run = kept(tmp_path, complete, "20260101-000000")
    (run.folder / "report.html").unlink()
    assert command.main(["report", "--out", str(tmp_path), "--run", run.run_id]) == 0
    assert capsys.readouterr().out.strip() == str(run.folder / "report.html")
    assert (run.folder / "report.html").exists()
    assert command.main(["report", "--out", str(tmp_path), "--run", "20260101-000001"]) == 2
    assert "did you mean '20260101-000000'?" in capsys.readouterr().err


def test_without_a_complete_run_the_report_says_what_there_is(
    tmp_path: Path, complete: dict[str, Any]
) -> None:
    kept(tmp_path, complete, "a", complete=False)
    with pytest.raises(BenchmarkError, match="no complete run yet; 1 that did not end well: `make runs`"):
        runs.newest(tmp_path)


def test_what_a_result_takes_up_is_in_its_run_and_in_its_copy(
    tmp_path: Path, complete: dict[str, Any]
) -> None:
    run = kept(tmp_path, complete, "a")
    other = kept(tmp_path, complete, "b")
    run.publish()
    for rounds, path in enumerate((tmp_path / "result.json", run.path)):
        pages.add_outcome(path, {"rounds": rounds}, "turns")
        assert [results.load(p)["turns"] for p in (tmp_path / "result.json", run.path)] == [
            {"rounds": rounds}
        ] * 2
    assert "turns" not in results.load(other.path)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "file.json"
    files.write(path, "old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_a_file_is_as_readable_as_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "f", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file; give a folder"):
        files.check_folder(tmp_path / "file" / "below")
    files.check_folder(tmp_path / "new" / "below")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"schema": "aidc.result/1"}', "[" * 100_000, '{"a": "\\ud800"}']
)
def test_what_is_no_result_is_refused_as_a_gate(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gate.json"
    path.write_text(text)
    assert command.main(["compare", str(path), str(path)]) == 2
    assert str(path) in capsys.readouterr().err
