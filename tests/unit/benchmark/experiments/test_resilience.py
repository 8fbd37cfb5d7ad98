"""Faults under load without a stack: what is recorded, what is judged, what is drawn."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.analysis.verdicts import serving as serving_verdicts
from benchmark.cluster import replicas
from benchmark.cluster.connection import Endpoint
from benchmark.core.config import Workload
from benchmark.core.errors import StackError
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset
from benchmark.experiments import balancer_overhead, resilience, serving_check
from benchmark.load.open_loop import Send, poisson_load
from benchmark.report.sections import stress as stress_section
from tests.unit.benchmark.conftest import changed

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resilience, "QUIET_S", 0.3)


def test_an_update_under_load_is_seen_in_the_answers(server: Any, endpoint: Endpoint) -> None:
    def update(mark: Any) -> None:
        mark("update")
        server.sha256 = NEW

    found = resilience.Load(endpoint, "mlp", [b"{}"], rate=100).during(update)
    assert found["errors"] == 0
    assert [v["sha256"] for v in found["versions"]] == [OLD, NEW]
    assert [m["name"] for m in found["marks"]] == ["update"]
    assert sum(v["answers"] for v in found["versions"]) == found["samples"]
    assert found["timeline"]


def test_a_broken_connection_is_a_failure_and_not_sent_again(server: Any, endpoint: Endpoint) -> None:
    def break_one(mark: Any) -> None:
        mark("break")
        server.breaks = 1

    found = resilience.Load(endpoint, "mlp", [b"{}"], rate=100).during(break_one)
    assert (found["errors"], found["resent"]) == (1, 0)
    (failure,) = found["failures"]
    assert "RemoteDisconnected" in failure["reason"]


def test_the_load_ends_when_the_event_fails(endpoint: Endpoint) -> None:
    def fail(_: Any) -> None:
        raise StackError("no replica")

    load = resilience.Load(endpoint, "mlp", [b"{}"], rate=100)
    with pytest.raises(StackError, match="no replica"):
        load.during(fail)
    assert load.stop.is_set()


def test_what_breaks_in_the_load_is_raised(endpoint: Endpoint) -> None:
    class Broken(resilience.Load):
        def connect(self) -> Send:
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        Broken(endpoint, "mlp", [b"{}"], rate=100).during(lambda _: None)


def test_a_request_that_is_sent_again_is_counted(server: Any, endpoint: Endpoint) -> None:
    server.breaks = 1
    row = poisson_load(endpoint, workload="mlp", bodies=[b"{}"], rate=100, seconds=0.5, seed=1)
    assert (row["resent"], row["errors"]) == (1, 0)
    server.breaks = 1000
    row = poisson_load(endpoint, workload="mlp", bodies=[b"{}"], rate=100, seconds=0.2, seed=1)
    assert row["samples"] == 0
    assert row["resent"] == row["errors"] > 0


def test_a_load_keeps_its_late_answers_and_what_else_the_host_did(
    tiny: Workload, store: DirectoryStore, endpoint: Endpoint
) -> None:
    manifest = dataset.prepare(tiny, store)
    one = changed(tiny, serving={"rates": [200], "requests": 60, "p99_bound_ms": 0.001})
    found = serving_check.load(one, dataset.load(manifest, store, "heldout"), endpoint, lambda text: None)
    (row,) = found["latency"]
    assert row["over_bound"] == row["samples"] > 0  # nothing answers within a microsecond
    for measured in (row, found["offline"]):
        assert 0 <= measured["host_load"]["others_share"] <= 1


def test_versions_keep_the_order_of_their_first_answers() -> None:
    rows = resilience.versions([(3.0, NEW), (1.0, OLD), (2.5, NEW), (2.8, OLD)])
    assert [(v["sha256"], v["first_s"], v["last_s"], v["answers"]) for v in rows] == [
        (OLD, 1.0, 2.8, 2),
        (NEW, 2.5, 3.0, 2),
    ]


def test_the_time_line_keeps_the_worst_of_every_bin() -> None:
    assert resilience.timeline([(0.1, 5.0), (0.2, 50.0), (0.3, 6.0), (1.2, 7.0)]) == [
        [0.25, 6.0, 50.0],
        [1.25, 7.0, 7.0],
    ]


def trained(*runs: tuple[str, str]) -> dict[str, Any]:
    return {"training": [{"workload": w, "model": {"sha256": s, "key": f"m/{s}/x"}} for w, s in runs]}


def test_an_update_takes_the_next_seed_of_one_workload() -> None:
    name, served, updated = resilience.candidates(trained(("digits", "1"), ("mlp", "2"), ("mlp", "3")))
    assert name == "mlp"
    assert {n: c["sha256"] for n, c in served.items()} == {"digits": "1", "mlp": "2"}
    assert {n: c["sha256"] for n, c in updated.items()} == {"digits": "1", "mlp": "3"}


@pytest.mark.parametrize("workload", [None, "mlp", "other"])
def test_one_model_is_none_to_roll_out(workload: str | None) -> None:
    with pytest.raises(StackError, match="two seeds"):
        resilience.candidates(trained(("mlp", "1")), workload)


def load(**changes: Any) -> dict[str, Any]:
    versions = [
        {"sha256": OLD, "answers": 5, "first_s": 0.1, "last_s": 9.0},
        {"sha256": NEW, "answers": 5, "first_s": 8.0, "last_s": 20.0},
    ]
    return {"samples": 400, "errors": 0, "resent": 0, "replaced_s": 3.0,
            "marks": [{"name": "x", "at_s": 5.0}],
            "timeline": [[0.25, 4.0, 9.0], [0.75, 4.0, 80.0]], "failures": [], "versions": versions,
            **changes}  # fmt: skip


def faults(**changes: Any) -> dict[str, Any]:
    return {"workload": "mlp", "rate_rps": 50, "from_sha256": OLD, "to_sha256": NEW, "errors": [],
            "kill": load(), "update": load(), **changes}  # fmt: skip


def words(serving: dict[str, Any]) -> list[str]:
    return [row["verdict"] for row in serving_verdicts.rows(serving)]


def test_faults_pass_without_a_failed_request_only() -> None:
    assert words({"resilience": faults()}) == ["pass", "pass"]
    assert words({"resilience": faults(kill=load(errors=1), update=load(errors=1))}) == ["fail", "fail"]
    assert words({"resilience": faults(kill=load(resent=1))}) == ["fail", "pass"]


@pytest.mark.parametrize("share", [0.02, 0.6])
def test_a_failed_request_on_a_busy_host_proves_no_fault(share: float) -> None:
    kill = load(errors=1, host_load={"seconds": 9.0, "others_share": share})
    assert words({"resilience": faults(kill=kill)})[0] == ("fail" if share < 0.1 else "inconclusive")


def test_a_few_answers_show_nothing() -> None:
    (row, _) = serving_verdicts.rows({"resilience": faults(kill=load(samples=299))})
    assert (row["verdict"], row["actual"].endswith("a verdict needs 300 answers")) == ("inconclusive", True)
    cost = {**balancer_overhead.compare([3.5, 3.6, 3.7], [3.0, 3.1, 3.2]), "pairs": 3}
    assert words({"direct": cost}) == ["inconclusive"]


@pytest.mark.parametrize(("rate", "seconds"), [(50.0, 5.0), (5.0, 62.0), (0.5, 410.0)])
def test_a_load_goes_on_until_it_has_its_answers(
    rate: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resilience, "QUIET_S", 5.0)
    one = resilience.Load(Endpoint("http://localhost"), "mlp", [b"{}"], rate)
    assert one.rest_s(past_s=10.0) == seconds


def test_an_update_that_does_not_take_effect_fails() -> None:
    stays = load()["versions"][:1]
    returns = [{**load()["versions"][0], "last_s": 21.0}, load()["versions"][1]]
    stranger = [*load()["versions"], {"sha256": "c" * 64, "answers": 1, "first_s": 9.0, "last_s": 9.0}]
    for versions in (stays, returns, stranger):
        assert words({"resilience": faults(update=load(versions=versions))}) == ["pass", "fail"]


def test_what_could_not_be_measured_is_open_and_says_why() -> None:
    rows = serving_verdicts.rows({"resilience": faults(kill=None, errors=["kill: no engine"])})
    assert [r["verdict"] for r in rows] == ["inconclusive", "pass"]
    assert "no engine" in rows[0]["actual"]


def test_the_load_balancers_cost_is_judged_by_its_interval() -> None:
    fast = [3.0 + i % 7 / 10 for i in range(400)]
    for added, word in ((0.3, "pass"), (2.5, "fail")):
        row = balancer_overhead.compare([v + added for v in fast], fast)
        assert row["added_p50_ms"] == pytest.approx(added, abs=1e-6)
        assert row["low_ms"] <= row["added_p50_ms"] <= row["high_ms"]
        assert words({"direct": row}) == [word]
    assert words({"direct": {**row, "low_ms": 0.9, "high_ms": 1.1}}) == ["inconclusive"]


def test_stress_is_drawn_and_absent_where_nothing_was_measured(complete: dict[str, Any]) -> None:
    assert stress_section.section(complete) is None
    step = {"rate_rps": 100.0, "p99_ms": 20.0, "held": True}
    rate = {"workload": "mlp", "rate_rps": 100.0, "p99_ms": 20.0, "p99_bound_ms": 100, "resolved": False,
            "next_failed_rps": 200.0, "resolution": 1.15, "client_limited": True, "not_measured": {},
            "steps": [step, {"rate_rps": 200.0, "p99_ms": 400.0, "held": False}]}  # fmt: skip
    cost = {"workload": "mlp", **balancer_overhead.compare([4.0, 5.0, 6.0], [3.0, 4.0, 5.0])}
    complete["serving"].update(max_rate=[rate], direct=cost, resilience=faults())
    found = stress_section.section(complete)
    assert found
    drawn = [*found["rates"], found["direct"], *found["faults"]]
    assert len(drawn) == 4
    for chart in drawn:
        assert ElementTree.fromstring(chart["svg"]).tag.endswith("svg")
    assert "The client itself sent late" in found["rates"][0]["caption"]


@pytest.mark.parametrize(
    ("nodes", "least", "most", "limits"),
    [(1, None, None, (2, 4)), (3, None, None, (3, 6)), (12, None, None, (12, 16)), (4, None, 2, (2, 2))],
)
def test_replicas_follow_the_compute_nodes(
    nodes: int, least: int | None, most: int | None, limits: tuple[int, int]
) -> None:
    assert tuple(replicas.limits_for(nodes, least, most).values()) == limits
