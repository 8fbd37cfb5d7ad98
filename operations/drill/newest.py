"""The newest drill of a stack: its service's, or that of `make drill`. Pure but for one file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from audit.verdicts import plural
from operations.documents import Drill, DrillModel
from operations.status_document import LastDrill


def of_service(told: Mapping[str, Any]) -> LastDrill:
    """What `backup trial-status` says. Raises ValueError, LookupError or TypeError for something else."""
    run = told["run"] or {}
    databases = run.get("databases", {})
    tables = [] if "fault" in databases else [t for found in databases.values() for t in found.values()]
    log = run.get("log") or {}
    return LastDrill(
        result=told["state"],
        at=run.get("finished"),
        text=told["text"],
        rpo_s=log.get("rpo_s", run.get("rpo_s")),
        rto_s=run.get("seconds"),
        objects=run.get("objects", {}).get("objects"),
        rows=sum(int(table["rows"]) for table in tables) if run else None,
        models=run.get("models"),
        different=run.get("different"),
    )


def newest(told: Mapping[str, Any], made: Drill | None) -> LastDrill:
    """`made`, by `make drill`, counts where it is of the newest backup and younger than the service's.

    A service whose drills do not come is stale, whatever was done by hand.
    """
    found = of_service(told)
    since = found.at or told.get("since")
    if made is None or made.at or found.result == "stale" or not since or not _later(made.finished, since):
        return found
    return LastDrill(
        result="passed" if made.passed else "failed",
        at=made.finished,
        text=_text(made),
        by="make drill",
        rpo_s=made.log.rpo_s if made.log else made.rpo_s,
        rto_s=made.rto_s,
        objects=made.objects,
        rows=made.compared - made.objects,
        models=sum(model.outcome in ("equal", "different") for model in made.models),
        different=made.different,
    )


def read(path: Path) -> Drill | None:
    """The record of `make drill`; None where there is none, or one that this version cannot read."""
    try:
        return Drill.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def _text(made: Drill) -> str:
    if not made.passed:
        return f"failed: {next(iter(made.faults), 'a level failed')}"
    compared = f"{plural(made.objects, 'object')} and {plural(made.compared - made.objects, 'row')}"
    said = f"{compared} came back as saved"
    for outcome, words in (("equal", "answer as before"), ("not compared", "answer and are not compared")):
        models = [_model(model) for model in made.models if model.outcome == outcome]
        said += f"; {words}: {', '.join(models)}" if models else ""
    return said


def _model(model: DrillModel) -> str:
    """Without a live one an answer was compared with what was recorded."""
    return model.model + (" (recorded)" if model.against == "recorded" else "")


def _later(one: str, other: str) -> bool:
    return datetime.fromisoformat(one) > datetime.fromisoformat(other)
