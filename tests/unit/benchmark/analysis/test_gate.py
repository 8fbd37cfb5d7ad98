"""The gate: equal results never fail, planted losses are found, unlike results are refused."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from benchmark.__main__ import main
from benchmark.analysis import comparable, gate
from benchmark.analysis import result as results
from benchmark.core.errors import ComparisonError
from benchmark.experiments.run import judge

Result = dict[str, Any]


@pytest.fixture
def three(complete: Result) -> Result:
    """Three seeds a workload, but one of bytelm: seven pairs, too few for a verdict on speed."""
    return complete


@pytest.fixture
def ten(three: Result) -> Result:
    """Ten seeds a workload, with spread of 2 % in speed and a little in quality."""
    noise = random.Random(1)
    firsts = {r["workload"]: r for r in reversed(three["training"])}
    three["training"] = []
    for name, workload in three["configuration"]["workloads"].items():
        workload["seeds"] = list(range(1, 11))
        for seed in workload["seeds"]:
            run = copy.deepcopy(firsts[name])
            run["seed"] = seed
            run["throughput"]["value"] *= noise.gauss(1, 0.02)
            run["time_to_train_s"] = (run["time_to_train_s"] or 10.0) * noise.gauss(1, 0.02)
            run["quality"]["value"] += noise.gauss(0, 1e-5)
            three["training"].append(run)
    return three


def slower(result: Result, factor: float) -> Result:
    changed = copy.deepcopy(result)
    for run in changed["training"]:
        run["throughput"]["value"] *= factor
        run["time_to_train_s"] = run["time_to_train_s"] and run["time_to_train_s"] / factor
    return changed


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["verdict"] for row in found["rows"]}


@pytest.mark.parametrize("which", ["three", "ten"])
def test_a_result_against_itself_never_fails(which: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(which)
    found = gate.compare(result, result)
    assert found["verdict"] in {"pass", "inconclusive"}
    assert not [row for row in found["rows"] if row["verdict"] == "fail"]


def test_a_result_of_ten_seeds_passes_against_itself(ten: Result) -> None:
    found = verdicts(gate.compare(ten, ten))
    assert all(found[f"throughput of {w}"] == "pass" for w in ("mlp", "digits", "bytelm", "all workloads"))


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_repetition_never_fails(ten: Result, seed: int) -> None:
    noise, again = random.Random(seed), copy.deepcopy(ten)
    for run in again["training"]:
        run["throughput"]["value"] *= noise.gauss(1, 0.03)
        run["time_to_train_s"] *= noise.gauss(1, 0.03)
    assert gate.compare(ten, again)["verdict"] != "fail"


def test_a_slowdown_of_ten_percent_in_every_run_is_found(ten: Result) -> None:
    found = verdicts(gate.compare(ten, slower(ten, 0.9)))
    for metric in ("throughput", "time to train"):
        assert {found[f"{metric} of {w}"] for w in ("mlp", "digits", "bytelm", "all workloads")} == {"fail"}


def test_all_workloads_together_find_what_few_seeds_each_cannot(three: Result) -> None:
    more = next(r for r in three["training"] if r["workload"] == "bytelm")
    three["training"] += [{**copy.deepcopy(more), "seed": seed} for seed in (2, 3)]
    found = verdicts(gate.compare(three, slower(three, 0.9)))
    assert found["throughput of mlp"] == "inconclusive"
    assert found["throughput of all workloads"] == "fail"


def test_few_pairs_are_inconclusive_on_speed(three: Result) -> None:
    found = gate.compare(three, slower(three, 0.5))
    assert found["verdict"] == "inconclusive"


def test_a_faster_candidate_passes(ten: Result) -> None:
    assert verdicts(gate.compare(ten, slower(ten, 1.3)))["throughput of all workloads"] == "pass"


@pytest.mark.parametrize(
    ("workload", "loss", "verdict"),
    [
        ("mlp", -0.004, "fail"),
        ("mlp", -0.0001, "pass"),
        ("digits", -0.003, "pass"),
        ("bytelm", 0.1, "fail"),
        ("bytelm", -0.1, "pass"),
    ],
)
def test_a_planted_loss_of_quality_is_found(ten: Result, workload: str, loss: float, verdict: str) -> None:
    """`loss` is added to the metric: down for an accuracy, up for bits per byte."""
    worse = copy.deepcopy(ten)
    for run in worse["training"]:
        if run["workload"] == workload:
            run["quality"]["value"] += loss
    assert verdicts(gate.compare(ten, worse))[f"quality of {workload}"] == verdict


def test_a_loss_of_quality_is_found_in_three_seeds(three: Result) -> None:
    worse = copy.deepcopy(three)
    for run in worse["training"]:
        run["quality"]["value"] -= 0.004 if run["workload"] == "mlp" else 0.0
    assert gate.compare(three, worse)["verdict"] == "fail"


def test_a_single_seed_a_little_below_the_target_is_open(three: Result) -> None:
    now = [copy.deepcopy(three) for _ in range(2)]
    for result, value in zip(now, (2.999, 3.001), strict=True):  # the target is 3, the margin 0.03
        next(r for r in result["training"] if r["workload"] == "bytelm")["quality"]["value"] = value
    assert verdicts(gate.compare(*now))["quality of bytelm"] == "inconclusive"


def test_a_single_seed_that_misses_the_target_fails(three: Result) -> None:
    worse = copy.deepcopy(three)
    next(r for r in worse["training"] if r["workload"] == "bytelm")["quality"]["value"] = 9.0
    assert verdicts(gate.compare(three, worse))["quality of bytelm"] == "fail"


def test_a_quality_that_is_no_number_fails(three: Result) -> None:
    worse = copy.deepcopy(three)
    worse["training"][0]["quality"]["value"] = float("nan")
    assert verdicts(gate.compare(three, worse))["quality of mlp"] == "fail"


def latencies(result: Result, factor: float) -> Result:
    changed = copy.deepcopy(result)
    row = changed["serving"]["latency"][0]
    changed["serving"]["latency"] = [
        {**row, "rate_rps": r, "p99_ms": (9 + r / 10) * factor} for r in range(8)
    ]
    return changed


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "pass"), (1.2, "fail"), (0.8, "pass")])
def test_latency_is_compared_rate_by_rate(three: Result, factor: float, verdict: str) -> None:
    found = verdicts(gate.compare(latencies(three, 1.0), latencies(three, factor)))
    assert found["latency of mlp"] == verdict


def test_what_the_candidate_did_not_measure_leaves_a_row_open(ten: Result) -> None:
    partly = copy.deepcopy(ten)
    partly["training"][0]["time_to_train_s"] = None
    row = next(r for r in gate.compare(ten, partly)["rows"] if r["name"] == "time to train of mlp")
    assert row["verdict"] == "inconclusive"
    assert "1 measured only in the baseline" in row["actual"]


def failing(result: Result, start: str) -> Result:
    changed = copy.deepcopy(result)
    next(v for v in changed["verdicts"] if v["name"].startswith(start))["verdict"] = "fail"
    return changed


@pytest.mark.parametrize(("check", "verdict"), [("mlp as served equals", "fail"), ("event log", "fail"),
                                                ("latency of", "inconclusive"),
                                                ("cost of the stack", "inconclusive")])  # fmt: skip
def test_a_check_that_fails_only_now_counts_unless_it_is_one_of_speed(
    three: Result, check: str, verdict: str
) -> None:
    worse = failing(three, check)
    assert verdicts(gate.compare(three, worse))["new failed checks"] == verdict
    assert verdicts(gate.compare(worse, worse))["new failed checks"] == "pass"


def other(result: Result, field: str) -> Result:
    changed = copy.deepcopy(result)
    if field == "tier":
        changed["tier"] = "release"
    elif field == "complete":
        changed["complete"] = False
    elif field == "configuration.workloads.mlp.training.steps":
        changed["configuration"]["workloads"]["mlp"]["training"]["steps"] = 7
    elif field == "configuration.workloads.digits":
        del changed["configuration"]["workloads"]["digits"]
    elif field == "data.mlp.sha256":
        changed["data"]["mlp"]["sha256"] = "f" * 64
    elif field == "environment.nodes.cpu_model":
        changed["environment"]["nodes"][0]["cpu_model"] = "another"
    else:
        for run in changed["training"]:
            run[field.rsplit(".", 1)[1]] = {"device": "cuda", "world_size": 4}[field.rsplit(".", 1)[1]]
    return changed


FIELDS = ["tier", "complete", "configuration.workloads.mlp.training.steps", "configuration.workloads.digits",
          "data.mlp.sha256", "training.mlp.device", "training.mlp.world_size",
          "environment.nodes.cpu_model"]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_results_of_different_things_are_refused_by_field(three: Result, field: str) -> None:
    assert any(line.startswith(f"{field}: ") for line in comparable.differences(three, other(three, field)))


def test_all_reasons_come_at_once(three: Result) -> None:
    changed = three
    for field in FIELDS:
        changed = other(changed, field)
    with pytest.raises(ComparisonError) as caught:
        gate.compare(three, changed)
    named = {line.split(": ")[0] for line in caught.value.problems}
    assert set(FIELDS) <= named


def test_words_of_a_workload_may_differ(three: Result) -> None:
    changed = copy.deepcopy(three)
    changed["configuration"]["workloads"]["mlp"]["title"] = "Another title"
    assert comparable.differences(three, changed) == []


def test_a_result_with_parts_missing_is_refused_by_field(three: Result) -> None:
    cut = {k: v for k, v in three.items() if k not in {"training", "data"}}
    assert {line.split(": ")[0] for line in comparable.differences(three, cut)} == {"training", "data"}


def saved(folder: Path, name: str, result: Result) -> str:
    path = folder / name
    path.write_text(json.dumps(result))
    return str(path)


def test_the_command_exits_with_one_only_on_fail(
    ten: Result, three: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, few = saved(tmp_path, "a.json", ten), saved(tmp_path, "few.json", three)
    slow, unlike = saved(tmp_path, "b.json", slower(ten, 0.9)), saved(tmp_path, "c.json", other(ten, "tier"))
    assert main(["compare", good, good]) == 0
    assert main(["compare", few, few]) == 0
    assert main(["compare", good, slow]) == 1
    assert "fail" in capsys.readouterr().out
    assert main(["compare", good, unlike]) == 2
    assert "tier: smoke in the baseline, release in the candidate" in capsys.readouterr().err
    assert main(["compare", good, str(tmp_path / "absent.json")]) == 2
    assert "absent.json: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("side", [0, 1])
def test_a_slowdown_on_a_busy_host_is_open(ten: Result, side: int) -> None:
    pair = [ten, slower(ten, 0.8)]
    assert verdicts(gate.compare(*pair))["throughput of mlp"] == "fail"
    for run in pair[side]["training"]:
        run["host_load"] = {"seconds": 40.0, "others_share": 0.4}
    (row,) = (r for r in gate.compare(*pair)["rows"] if r["name"] == "throughput of mlp")
    assert row["verdict"] == "inconclusive"
    assert "other programs took 40 % of the processors" in row["actual"]


def test_a_seed_that_was_restarted_is_no_slowdown_of_the_code(ten: Result) -> None:
    restarted = copy.deepcopy(ten)
    for run in restarted["training"][:2]:
        run.update(time_to_train_s=1000.0, earlier_attempts_s=950.0)
    rows = {row["name"]: row for row in gate.compare(ten, restarted)["rows"]}
    row = rows["time to train of mlp"]
    assert (row["pairs"], row["verdict"]) == (8, "inconclusive")
    assert row["ratio"] == pytest.approx(1.0)
    assert "2 measured only in the baseline, or disturbed" in row["actual"]


@pytest.mark.parametrize(("factor", "code", "verdict"), [(1.0, 0, "inconclusive"), (0.9, 1, "fail")])
def test_a_run_keeps_the_comparison_in_its_result(
    ten: Result, tmp_path: Path, factor: float, code: int, verdict: str
) -> None:
    path = tmp_path / "result.json"
    assert judge(slower(ten, factor), ten, path) == code
    assert results.load(path)["gate"]["verdict"] == verdict
    assert (tmp_path / "comparison.html").exists()


def test_a_run_that_cannot_be_compared_keeps_the_reasons(ten: Result, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    assert judge(other(ten, "data.mlp.sha256"), ten, path) == 2
    assert results.load(path)["gate"]["problems"][0].startswith("data.mlp.sha256: ")
    assert not (tmp_path / "comparison.html").exists()
