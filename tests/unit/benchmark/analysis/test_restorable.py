"""What a result says of the stack's backup: taken from the stack's status, and never more than that shows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.documents.result import Result
from benchmark.analysis.restorable import read
from benchmark.analysis.verdicts import restorable as verdicts
from benchmark.report import pages
from benchmark.tracking.rows import rows
from operations.documents import content
from operations.drill import newest
from operations.status_document import Backup, LastDrill, Status

NOW = "2026-01-31T12:00:00+00:00"
DRILL = LastDrill(
    result="passed",
    at="2026-01-31T04:43:30+00:00",
    text="4 objects and 3 rows came back as saved",
    rpo_s=61.5,
    rto_s=22,
    objects=4,
    rows=3,
    models=1,
    different=0,
)


def status(drill: LastDrill | None = DRILL) -> dict[str, Any]:
    """As `aidc status --json` prints it."""
    return content(
        Status(
            schema="aidc.status/1",
            stack="dev",
            healthy=True,
            services=[],
            endpoints={},
            last_backup=Backup(result="ok", at="2026-01-31T11:57:00+00:00", text="4 objects"),
            last_drill=drill,
            remark=None,
        )
    )


def found(tmp_path: Path, document: Any) -> dict[str, Any]:
    path = tmp_path / "status.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return read(path, NOW)


def test_ages_are_those_at_the_begin_of_the_run(tmp_path: Path) -> None:
    told = found(tmp_path, status())
    assert (told["backup"]["age_s"], told["drill"]["age_s"]) == (180.0, 26190.0)
    assert (told["drill"]["rpo_s"], told["drill"]["rto_s"], told["drill"]["different"]) == (61.5, 22, 0)


@pytest.mark.parametrize(
    ("result", "verdict"),
    [("passed", "pass"), ("failed", "fail"), ("stale", "inconclusive"), ("waiting", "inconclusive")],
)
def test_only_a_drill_that_passed_passes(tmp_path: Path, result: str, verdict: str) -> None:
    drill = DRILL.model_copy(update={"result": result, "text": "why"})
    (row,) = verdicts.rows(found(tmp_path, status(drill)))
    assert (row["name"], row["verdict"], row["actual"]) == ("recovery", verdict, "why")


@pytest.mark.parametrize("document", ["", "no JSON", "[]", {"schema": "aidc.drill/1"}])
def test_what_is_no_status_is_a_reason_and_no_crash(tmp_path: Path, document: Any) -> None:
    told = found(tmp_path, document)
    assert "status.json: " in told["problem"]
    assert verdicts.rows(told)[0]["verdict"] == "inconclusive"


@pytest.mark.parametrize("at", ["yesterday", 7, ""])
def test_a_time_that_is_none_is_a_reason(tmp_path: Path, at: Any) -> None:
    document = status()
    document["last_drill"]["at"] = at
    assert "last_drill" in found(tmp_path, document)["problem"]


def test_a_stack_without_the_service_shows_nothing(tmp_path: Path) -> None:
    assert verdicts.rows(found(tmp_path, status(None)))[0]["actual"] == "no drill service runs"


def test_without_a_status_there_is_no_verdict() -> None:
    assert verdicts.rows(None) == []


def test_the_report_has_backup_ages_counts_and_differences(tmp_path: Path, complete: dict[str, Any]) -> None:
    page = pages.render(Result.written({**complete, "restorable": found(tmp_path, status())}))
    assert "<h2>Storage and recovery</h2>" in page
    for said in ("ok, 3 min before the run", "passed, 7 h before the run (by service)", "62 s", "22 s",
                 "4 objects, 3 rows, 1 model<", "<dt>Differences</dt><dd>0</dd>"):  # fmt: skip
        assert said in page


def test_the_report_has_the_newest_drill_as_make_drill_wrote_it(
    tmp_path: Path, testdata: Path, complete: dict[str, Any]
) -> None:
    """The document is of a drill on a stack whose models were withdrawn."""
    service = {"state": "waiting", "text": "not due", "since": "2026-11-29T00:00:00+00:00", "run": None}
    made = newest.read(testdata / "drill.json")
    assert made is not None
    (tmp_path / "status.json").write_text(json.dumps(status(newest.newest(service, made))))
    told = read(tmp_path / "status.json", "2026-11-29T07:28:41+00:00")
    page = pages.render(Result.written({**complete, "restorable": told}))
    assert "<h2>Storage and recovery</h2>" in page
    for said in (
        "passed, 10 min before the run (by make drill): ",
        "82 objects and 768 rows came back as saved; answer as before: mlp (recorded), slope (recorded)",
        "82 objects, 768 rows, 2 models",
        "<dt>Differences</dt><dd>0</dd>",
    ):
        assert said in page
    assert verdicts.rows(told)[0]["verdict"] == "pass"


def test_a_report_of_a_run_that_was_told_nothing_has_no_such_section(complete: dict[str, Any]) -> None:
    assert "Storage and recovery" not in pages.render(complete)


def test_mlflow_gets_the_drill_as_tags(tmp_path: Path, complete: dict[str, Any]) -> None:
    tags = rows({**complete, "restorable": found(tmp_path, status())})[0].tags
    assert {name: tags[f"drill.{name}"] for name in ("result", "age_s", "rpo_s", "rto_s")} == {
        "result": "passed", "age_s": "26190.0", "rpo_s": "61.5", "rto_s": "22.0"
    }  # fmt: skip


def test_mlflow_gets_no_tag_of_what_is_not_known(tmp_path: Path, complete: dict[str, Any]) -> None:
    waiting = LastDrill(result="waiting", at=None, text="not due")
    tags = rows({**complete, "restorable": found(tmp_path, status(waiting))})[0].tags
    assert [name for name in tags if name.startswith("drill.")] == ["drill.result"]
