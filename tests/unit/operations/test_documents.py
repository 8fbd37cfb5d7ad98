"""What is written for programs is valid by the published schemas, and nothing that is not fits the models."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped,unused-ignore]
import pytest
from pydantic import ValidationError

from components.export import inventory
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.runtime.image import IMAGES
from operations.commands import lifecycle
from operations.commands.reference import DOCS
from operations.documents import content
from operations.measuring.documents import Lifecycle
from operations.nodes import record
from operations.nodes_document import Nodes
from operations.status_document import Backup, Disk, Job, LastAudit, LastBenchmark, Service, Status
from tests.unit.operations.nodes.test_judge import reading, verdict

FIGURES = [
    lifecycle.Figure("up, cold", 31.5, 60.0),
    lifecycle.Figure("up, nothing to do", 5.25, None),
    lifecycle.Figure(lifecycle.RATIO, None, 0.97, "ratio", "no pair of runs"),
    lifecycle.Figure(lifecycle.RATIO, 0.981, 0.97, "ratio", "8 pairs", "inconclusive"),
]


def validate(document: dict[str, Any]) -> None:
    name = document["schema"].removeprefix("aidc.").removesuffix("/1")
    schema = json.loads((DOCS / f"schemas/{name}.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


def status(**changes: Any) -> dict[str, Any]:
    vault = Service(
        name="vault", role="vault", container="aidc-dev-vault", addresses={}, healthy=True, state="healthy"
    )
    fields: dict[str, Any] = {
        "schema": "aidc.status/1",
        "stack": "dev",
        "healthy": True,
        "services": [vault],
        "endpoints": {"s3": "https://127.0.0.1:9443", "ray": None},
        "last_backup": Backup(result="done", at="2026-11-28T09:00:00+00:00", text="12 files"),
        "remark": None,
    }
    return content(Status(**{**fields, **changes}))


FULL: dict[str, Any] = {
    "jobs": [Job(name="a", id="a", state="waiting", ranks=2, each="1 CPU", submitted=None, waits_for="x")],
    "nodes": [record.verdict_of(verdict(reading(disk={"/tmp": {"total": 1, "free": 0}})))],
    "last_audit": LastAudit(result="failed", at="2026-11-28T09:00:00+00:00", text="x", failed=["one"]),
    "last_benchmark": LastBenchmark(
        result="passed",
        at="2026-11-28T09:00:00+00:00",
        text="x",
        run="r",
        tier="ci",
        verdicts={"pass": 1},
        failed=[],
    ),
    "refused": {"all": 3, "to host": 0, "to vault": 3},
    "disk": Disk(total_bytes=2, free_bytes=1),
}


@pytest.mark.parametrize(
    "changes", [{}, {"services": [], "endpoints": {}, "last_backup": None, "remark": "x"}, FULL]
)
def test_a_status_is_valid_by_its_schema(changes: dict[str, Any]) -> None:
    document = status(**changes)
    validate(document)
    assert json.loads(json.dumps(document)) == document


def test_the_record_of_the_nodes_is_valid_by_its_schema() -> None:
    found = verdict(reading())
    validate(content(Nodes(schema="aidc.nodes/1", stack="dev", measured=found.at, nodes=[found])))


def test_the_lifecycles_file_is_valid_by_its_schema(tmp_path: Path) -> None:
    out = tmp_path / "out" / "lifecycle.json"
    lifecycle._write(out, "dev", FIGURES)
    document = json.loads(out.read_text(encoding="utf-8"))
    validate(document)
    verdicts = [figure["verdict"] for figure in document["figures"]]
    assert verdicts == ["passed", "-", "not measured", "inconclusive"]


def test_an_inventory_is_valid_by_its_schema() -> None:
    images = dict.fromkeys(IMAGES, "aidc-image:0123")
    validate(inventory(make_plan("dev", StackConfig()), images))


@pytest.mark.parametrize("key", ["schema", "services", "remark"])
def test_a_document_without_a_field_is_not_valid(key: str) -> None:
    document = status()
    validate(document)
    del document[key]
    schema = json.loads((DOCS / "schemas/status.json").read_text(encoding="utf-8"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(document)


def test_a_field_that_nobody_declared_is_refused() -> None:
    with pytest.raises(ValidationError):
        status(colour="green")
    with pytest.raises(ValidationError):
        Lifecycle.model_validate({"schema": "aidc.lifecycle/2", "stack": "dev"})
