"""A short benchmark on the live stack: it trains to its targets, serves what it trained, and reports it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmark.analysis.gate import SPEED_CHECKS
from tests.acceptance.conftest import OUT, ROOT

WORKLOADS = ("mlp", "digits", "bytelm")


@pytest.fixture(scope="module")
def report(result: dict[str, Any]) -> Path:
    subprocess.run(
        [sys.executable, "-m", "benchmark", "report", str(OUT / "result.json")], cwd=ROOT, check=True
    )
    return OUT / "report.html"


def test_result_is_complete(result: dict[str, Any]) -> None:
    assert result["schema"] == "aidc.result/1"
    assert result["complete"] is True


@pytest.mark.parametrize("workload", WORKLOADS)
def test_model_reaches_its_target(result: dict[str, Any], workload: str) -> None:
    runs = [run for run in result["training"] if run["workload"] == workload]
    assert runs
    assert all(run["quality"]["passed"] for run in runs), [run["quality"] for run in runs]


def test_training_ran_on_both_nodes(result: dict[str, Any]) -> None:
    assert {run["world_size"] for run in result["training"]} == {2}
    assert {run["launcher"] for run in result["training"]} == {"ray"}


def test_throughput_agrees_with_the_step_time(result: dict[str, Any]) -> None:
    for run in result["training"]:
        per_second = run["throughput"]["value"]
        assert per_second > 0
        steps_per_second = 1 / run["step_time_s"]["median"]
        # Units a step = throughput x step time: at least one a rank.
        assert per_second / steps_per_second >= run["world_size"]


def test_no_verdict_but_speed_failed(result: dict[str, Any]) -> None:
    """How fast it was depends on what else the machine does: the benchmark judges that, not a test."""
    judged = [v for v in result["verdicts"] if not v["name"].startswith(SPEED_CHECKS)]
    assert judged
    assert [v for v in judged if v["verdict"] == "fail"] == []


def test_every_request_under_load_was_answered(result: dict[str, Any]) -> None:
    rows = result["serving"]["latency"]
    assert rows
    assert [row for row in rows if row["errors"] or not row["samples"]] == []


def test_text_comes_as_it_is_written_and_is_the_models_own(result: dict[str, Any]) -> None:
    rows = result["serving"]["generation"]
    assert [(row["workload"], row["clients"], row["errors"]) for row in rows] == [
        ("bytelm", 1, 0),
        ("bytelm", 4, 0),
    ]
    assert all(row["same_text"] for row in rows)


def test_served_model_answers_as_the_trained_one(result: dict[str, Any]) -> None:
    words = " as served equals as trained"
    found = {v["name"]: v["verdict"] for v in result["verdicts"] if v["name"].endswith(words)}
    assert found == {f"{workload}{words}": "pass" for workload in WORKLOADS}


def test_report_is_self_contained(report: Path) -> None:
    """It loads nothing; its only way out is a reader's click on the run in tracking."""
    html = report.read_text()
    assert "<svg" in html
    assert 'src="http' not in html
    assert 'href="http' not in re.sub(r'<a href="https://127\.0\.0\.1:\d+/#/', "", html)


def test_the_load_of_the_host_is_known_for_each_measurement(result: dict[str, Any]) -> None:
    serving = result["serving"]
    for row in [*result["training"], *serving["latency"], *serving["offline"]]:
        assert 0 <= row["host_load"]["others_share"] <= 1, row["host_load"]


def test_a_rank_that_waits_for_the_other_is_not_computing(result: dict[str, Any]) -> None:
    for run in result["training"]:
        assert run["breakdown_s"]["all_reduce"] > 0
        assert 0 < run["compute_share"] < run["accelerator_utilisation"]
