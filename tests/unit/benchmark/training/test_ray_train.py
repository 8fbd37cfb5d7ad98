"""The driver of a Ray job on a cluster that is made up: when it starts the ranks again, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.cluster import injector
from benchmark.core import actors
from benchmark.core.config import load
from benchmark.core.documents import put_json
from benchmark.core.store import DirectoryStore
from benchmark.training import ray_train
from benchmark.training.ray_rank import TrainingRank
from benchmark.training.ray_train import KEPT, MAX_FAILURES, MAX_STARTS, ROOM_S, reason, told, want_of
from benchmark.training.spec import Spec
from tests.unit.benchmark.conftest import TESTDATA
from tests.unit.benchmark.fake_ray import HANGS, ActorDiedError, Cluster, RayError, install

KILLED = (
    "The actor died. 2 worker(s) were killed due to the node running low on memory. Memory on the node "
    "(IP: 10.77.4.100, ID: e8c4694166dd) was 2.85GB used / 3.00GB limit (0.951102)\nTop 10 memory users: …"
)
GONE = ActorDiedError("The actor died unexpectedly before finishing this task.")
WELL: list[object] = [None, None]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(actors, "connect", lambda **_: None)
    return install(monkeypatch)


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    workload = load(TESTDATA / "valid-workload.yaml", "smoke")
    return Spec(run_id="r", workload=workload, world_size=2, store=str(tmp_path))


def outcome(spec: Spec, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], str]:
    """The driver's exit code, the errors that it says, and the rest of its log."""
    put_json(DirectoryStore(Path(spec.store)), "spec.json", spec.model_dump(mode="json"))
    code = ray_train.main(["spec.json", spec.store])
    lines = capsys.readouterr().out.splitlines()
    errors = [json.loads(line.removeprefix("@error ")) for line in lines if line.startswith("@error ")]
    return code, errors, "\n".join(line for line in lines if not line.startswith("@"))


def test_all_ranks_meet_at_the_first_one(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.starts = [WELL]
    assert outcome(spec, capsys) == (0, [], "")
    assert cluster.given == [(0, "10.0.0.1", 4000), (1, "10.0.0.1", 4000)]
    assert cluster.everything_is_gone()


def test_a_lost_rank_starts_all_again_somewhere_new(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.starts = [[HANGS, GONE], WELL]
    code, errors, log = outcome(spec, capsys)
    assert (code, errors) == (0, [])
    assert "rank 1 on node2: its node or its process is gone\naidc: starting all ranks again" in log
    assert [given[2] for given in cluster.given] == [4000, 4000, 4001, 4001]
    assert cluster.everything_is_gone()


def test_ranks_that_go_on_failing_end_the_training(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.starts = [[RayError("one's own mistake"), HANGS]] * 9
    code, errors, _ = outcome(spec, capsys)
    assert len(cluster.groups) == 1 + MAX_FAILURES
    assert (code, len(errors)) == (1, 1)
    assert errors[0]["type"] == "TrainingError"
    assert errors[0]["message"] == "rank 0 on node1: one's own mistake"
    assert cluster.everything_is_gone()


def test_a_node_that_is_gone_before_the_ranks_begin_costs_a_start_alone(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.unplaced = dict.fromkeys(range(MAX_STARTS), GONE)
    cluster.starts = [WELL] * (1 + MAX_STARTS)
    assert outcome(spec, capsys)[:2] == (0, [])
    assert cluster.everything_is_gone()


def test_ranks_that_find_no_room_are_given_up(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.room = False
    code, errors, log = outcome(spec, capsys)
    assert code == 1
    assert "no room for 2 × 0.7 CPU within 60 s: node1 has 0.25 of 1 CPUs free" in errors[0]["message"]
    assert "waiting for 2 × 0.7 CPU" in log
    assert cluster.now == (1 + MAX_STARTS) * ROOM_S


def test_a_job_that_is_stopped_leaves_nothing_behind(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.starts = [[HANGS, SystemExit(143)]]
    with pytest.raises(SystemExit):
        outcome(spec, capsys)
    assert len(cluster.made) == 2
    assert cluster.everything_is_gone()


def test_an_error_that_all_ranks_know_of_is_said_and_not_tried_again(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.starts = [WELL]
    left = {"type": "DataError", "workload": spec.workload.name, "message": "a shard is missing"}
    put_json(DirectoryStore(Path(spec.store)), f"{spec.prefix}/error.json", left)
    assert outcome(spec, capsys)[:2] == (1, [left])
    assert len(cluster.groups) == 1


def test_gpus_that_the_cluster_does_not_have_are_refused_at_once(
    cluster: Cluster, spec: Spec, capsys: pytest.CaptureFixture[str]
) -> None:
    training = spec.workload.training.model_copy(update={"device": "cuda"})
    workload = spec.workload.model_copy(update={"training": training})
    code, errors, _ = outcome(spec.model_copy(update={"workload": workload}), capsys)
    assert (code, errors[0]["type"], cluster.groups) == (1, "DeviceError", [])


def test_whoever_kills_a_rank_on_purpose_finds_it_by_its_title() -> None:
    assert f'b"{TrainingRank.__name__}" in title' in injector.KILL_RANKS


@pytest.mark.parametrize(("nodes", "strategy"), [(3, "STRICT_SPREAD"), (2, "STRICT_SPREAD"), (1, "SPREAD")])
def test_ranks_share_a_node_only_where_nodes_are_few(spec: Spec, nodes: int, strategy: str) -> None:
    assert want_of(spec, [{"CPU": 2.0}] * nodes).strategy == strategy


def test_room_is_left_on_the_smallest_node(spec: Spec) -> None:
    want = want_of(spec.model_copy(update={"without": ("node3",)}), [{"CPU": 4.0}, {"CPU": 2.0}])
    assert (want.ranks, want.cpus, want.gpus, want.without) == (2, 1.4, 0, ("node3",))


def test_a_node_without_memory_is_named_with_the_field_to_change() -> None:
    text = reason(KILLED, {"10.77.4.100": "compute-node1"})
    assert "out of memory on compute-node1: 2.85GB of 3.00GB" in text
    assert "compute.nodes[].memory" in text


def test_an_unknown_node_keeps_its_address() -> None:
    assert "out of memory on 10.77.4.100:" in reason(KILLED, {})


def test_of_a_long_text_both_ends_are_kept() -> None:
    text = "begin" + "." * 3 * KEPT + "end"
    assert reason("short", {}) == "short"
    assert reason(text, {}).startswith("begin")
    assert reason(text, {}).endswith("end")


def test_memory_is_told_before_all_that_follows_from_it() -> None:
    failed = {0: RayError("connection closed by peer"), 1: ActorDiedError(KILLED)}
    assert told(failed, ["n1", "n2"], {}).startswith("out of memory on 10.77.4.100:")


def test_a_rank_that_is_gone_is_told_without_what_the_others_say_of_it() -> None:
    failed = {0: RayError("connection closed by peer"), 1: GONE}
    assert told(failed, ["n1", "n2"], {}) == "rank 1 on n2: its node or its process is gone"
