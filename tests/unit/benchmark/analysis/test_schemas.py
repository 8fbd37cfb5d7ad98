"""The documents that leave the process: their published schemas, and what is written against them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from benchmark.analysis import recovery
from benchmark.analysis import result as results
from benchmark.analysis.documents.recovery import Case, Recovery
from benchmark.analysis.documents.result import Result
from benchmark.analysis.documents.serving import Direct, MaxRate
from benchmark.analysis.schemas import DOCUMENTS, schemas
from benchmark.core.errors import BenchmarkError, DocumentError
from benchmark.experiments import balancer_overhead
from benchmark.load import rates


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_every_schema_is_a_valid_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


def test_a_saved_result_validates_and_keeps_all_of_its_content(
    complete: dict[str, Any], tmp_path: Path
) -> None:
    results.save(complete, tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    jsonschema.validate(written, schemas()["result"])
    for run in [*written["training"], *written["bare"]]:
        assert run.pop("schema") == "aidc.run/1"
        jsonschema.validate({"schema": "aidc.run/1", **run}, schemas()["run"])
    assert written == complete


def test_a_new_result_validates(tmp_path: Path) -> None:
    results.save(results.new("dev", "smoke", "r"), tmp_path / "result.json")
    jsonschema.validate(json.loads((tmp_path / "result.json").read_text()), schemas()["result"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("complete",), "yes"),
        (("invented",), 1),
        (("training", 0, "total_s"), "0.9"),
        (("training", 0, "seed"), 1.5),
        (("serving", "latency", 0, "invented"), 1),
    ],
)
def test_what_does_not_fit_the_schema_is_refused_by_field_and_kept_beside_it(
    complete: dict[str, Any], tmp_path: Path, path: tuple[str | int, ...], value: Any
) -> None:
    part: Any = complete
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    target = tmp_path / "result.json"
    with pytest.raises(DocumentError) as caught:
        results.save(complete, target)
    assert any(problem.startswith(".".join(map(str, path)) + ": ") for problem in caught.value.problems)
    assert not target.exists()
    assert json.loads((tmp_path / "result.unchecked.json").read_text()) == complete
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(complete, schemas()["result"])


def test_reading_ignores_fields_of_another_version(complete: dict[str, Any], tmp_path: Path) -> None:
    other = copy.deepcopy(complete)
    other["training"][0]["power_limit"] = None
    other["invented"] = 1
    path = tmp_path / "result.json"
    path.write_text(json.dumps(other))
    content = results.load(path)
    assert "invented" not in content
    assert "power_limit" not in content["training"][0]


def test_a_result_that_lacks_a_field_is_refused_by_its_name(complete: dict[str, Any], tmp_path: Path) -> None:
    del complete["training"][0]["quality"]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(complete))
    with pytest.raises(BenchmarkError, match=r"training\.0\.quality: Field required; run the"):
        results.load(path)


def test_figures_that_were_not_set_stay_absent_and_a_version_is_always_written() -> None:
    facts = {"workload": "w", "title": "t", "seed": 1, "world_size": 2, "steps": 100, "checkpoint_every": 25,
             "metric": "accuracy", "tolerance": 0.005, "log_resolution_s": 1, "undisturbed": None,
             "cases": []}  # fmt: skip
    assert Recovery.written(facts) == {"schema": "aidc.recovery/1", **facts}


def test_every_part_of_the_result_is_described() -> None:
    assert set(schemas()["result"]["properties"]) == {
        (field.alias or name) for name, field in Result.model_fields.items()
    }


QUIET = {"seconds": 1.0, "cores": 2, "others_share": 0.0, "load_1m": 0.1, "not_measured": {}}


def test_a_search_for_the_highest_rate_fits_its_schema() -> None:
    def measure(rate: float) -> dict[str, Any]:
        return {"rate_rps": rate, "samples": 900, "errors": 0, "resent": 0, "p50_ms": 1.0, "p99_ms": rate,
                "over_bound": 0 if rate <= 100 else 900, "sent_late": 0, "host_load": QUIET}  # fmt: skip

    found = rates.search(measure, workload="w", bound_ms=100.0, start=50.0)
    assert MaxRate.written(found) == found
    assert {step["verdict"] for step in found["steps"]} == {"pass", "fail"}


def test_what_the_load_balancer_adds_fits_its_schema() -> None:
    found = {"workload": "w", **balancer_overhead.compare([2.0, 2.1], [1.0, 1.1]), "host_load": QUIET}
    assert Direct.written(found) == found


def test_what_a_fault_costs_fits_its_schema() -> None:
    line = [recovery.Attempt(0, 50, ((0, 0), (20, 1), (40, 2)), ((30, 1),)),
            recovery.Attempt(90, 200, ((100, 1), (120, 2), (140, 3)), (), finished=True)]  # fmt: skip
    for faults in ([], [45], [300]):
        case = {
            "case": "worker", "lost": "a worker", "service": None, "outage_s": 0, "submissions": 1,
            "healthy_again_s": None, "problem": None, "quality": 0.9, "difference": None,
            **recovery.summary(line, faults), "fault_s": [0.045], "lines": recovery.drawn(line, 0),
            "host_load": QUIET,
        }  # fmt: skip
        assert Case.written(case) == case
