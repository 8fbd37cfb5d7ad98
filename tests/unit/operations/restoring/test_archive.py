"""The databases out of their archive: nothing is put in place that was not compared, and why not is told."""

from __future__ import annotations

from typing import Any

import pytest

from operations.drill.restore import DATA
from operations.restoring.archive import CLUSTER, ArchiveRestore
from operations.restoring.order import Sources
from operations.restoring.run import without_finished
from operations.restoring.session import Request

FACTS = {"tracking": {"tracking.runs": {"rows": 3, "digest": "17"}}}
MOMENT = {"lsn": "0/2", "time": "2026-01-31T12:00:00+00:00", "facts": FACTS, "changed": {}}
LAID = {"files": 9, "faults": [], "snapshot": "ab", "moment": MOMENT}
TRIAL = {"moment": FACTS, "rows": FACTS, "until": "2026-01-31T12:03:00+00:00", "backup": "F", "seconds": {}}
FOUND = {"backup": "F", "until": "2026-01-31T12:03:00+00:00", "seconds": {}}


class Restored(ArchiveRestore):
    """Without an engine: what each container would print, and which programs ran."""

    def __init__(self, laid: Any = LAID, trial: Any = TRIAL, cluster: Any = FOUND) -> None:
        self.stack, self.volumes = "dev", {DATA: "data", CLUSTER: "cluster"}
        self.laid, self.found = laid, {"database-archive-drill": trial, "database-restore": cluster}
        self.ran: list[str] = []

    def with_vault(self, command: list[str]) -> dict[str, Any]:
        return dict(self.laid)

    def with_database(self, part: str, program: str, options: list[str], data: str) -> dict[str, Any]:
        self.ran.append(program)
        return dict(self.found[program])


def test_a_cluster_that_was_compared_is_ready() -> None:
    ready = Restored().prepare("ab", None)
    assert ready
    assert (ready.until, ready.tables) == ("2026-01-31T12:03:00+00:00", 1)


OTHER = {"tracking": {"tracking.runs": {"rows": 2, "digest": "9"}}}


@pytest.mark.parametrize(
    ("laid", "trial", "cluster", "reason"),
    [
        ({"fault": "the vault has no snapshot ab"}, TRIAL, FOUND, "no snapshot ab"),
        (
            {**LAID, "faults": ["database/x: missing in the snapshot"]},
            TRIAL,
            FOUND,
            "missing in the snapshot",
        ),
        ({**LAID, "files": 0}, TRIAL, FOUND, "no archive"),
        (LAID, {"fault": "a segment is missing"}, FOUND, "a segment is missing"),
        (LAID, {**TRIAL, "moment": OTHER}, FOUND, "tracking.runs"),
        (LAID, TRIAL, {"fault": "no room"}, "no room"),
    ],
)
def test_what_is_not_whole_is_not_taken_and_says_why(
    laid: Any, trial: Any, cluster: Any, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Restored(laid, trial, cluster).prepare("ab", None) is None
    said = capsys.readouterr()
    assert reason in said.out + said.err


def test_a_cluster_is_made_only_after_the_comparison() -> None:
    restored = Restored(trial={**TRIAL, "moment": OTHER})
    restored.prepare("ab", None)
    assert restored.ran == ["database-archive-drill"]


def test_databases_that_an_interrupted_restore_has_put_back_are_left() -> None:
    wanted = Request(Sources(("models",), ("tracking", "tracking_auth")))
    held = {"database/tracking": "3 rows in tracking.runs"}
    assert without_finished({"resumes": True, "held": held}, wanted).sources == Sources(("models",), ())
    assert without_finished({"resumes": False, "held": held}, wanted) == wanted
