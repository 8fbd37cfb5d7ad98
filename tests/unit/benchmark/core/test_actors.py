"""Ranks as actors, on a cluster that is made up: they get their places, and none of them stays behind."""

from __future__ import annotations

import pytest

from benchmark.core import actors
from benchmark.core.actors import NoRoomError, Want
from tests.unit.benchmark.fake_ray import HANGS, ActorDiedError, Call, Cluster, RayError, install

KILLED = (
    "The actor died unexpectedly before finishing this task. 1 worker(s) were killed due to the node running "
    "low on memory. Memory on the node (IP: 10.0.0.2, ID: e8c4) was 2.85GB used / 3.00GB limit (0.951102)"
)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return install(monkeypatch)


@pytest.fixture
def said() -> list[str]:
    return []


def test_each_rank_has_a_bundle_of_its_own(cluster: Cluster, said: list[str]) -> None:
    with actors.started(Want(2, 0.7, gpus=1, memory=5, name="g"), object, said.append):
        (group,) = cluster.groups
        assert group.bundles == [{"CPU": 0.7, "GPU": 1.0, "memory": 5.0}] * 2
        assert group.options == {"strategy": "SPREAD", "name": "g"}
        assert [actor.options["scheduling_strategy"] for actor in cluster.made] == [(group, 0), (group, 1)]
        assert {actor.options["max_restarts"] for actor in cluster.made} == {0}


def test_a_node_that_is_left_out_gets_no_rank(cluster: Cluster, said: list[str]) -> None:
    with actors.started(Want(2, 1, without=("node1",)), object, said.append):
        assert cluster.groups[0].options["bundle_label_selector"] == [{"aidc/node": "!in(node1)"}] * 2


@pytest.mark.parametrize("end", [SystemExit(actors.STOPPED), ValueError("mine"), None])
def test_no_actor_and_no_group_stays_behind(
    cluster: Cluster, said: list[str], end: BaseException | None
) -> None:
    try:
        with actors.started(Want(2, 1), object, said.append):
            assert not cluster.everything_is_gone()
            if end:
                raise end
    except (SystemExit, ValueError):
        pass
    assert len(cluster.killed) == 2
    assert cluster.everything_is_gone()


def test_without_room_it_says_for_what_it_waits_and_gives_up_in_time(
    cluster: Cluster, said: list[str]
) -> None:
    cluster.room = False
    with pytest.raises(NoRoomError, match="no room for 2 × 1 CPU within 100 s"):  # noqa: SIM117
        with actors.started(Want(2, 1), object, said.append, 100):
            pass
    assert said == ["waiting for 2 × 1 CPU: node1 has 0.25 of 1 CPUs free; node2 has 0 of 1 CPUs free"] * 2
    assert cluster.removed == cluster.groups


def test_calls_that_all_end_well_have_no_failures(cluster: Cluster) -> None:
    assert actors.failures({Call(None): 0, Call(None): 1}, 5) == {}


def test_a_rank_that_hangs_after_another_has_failed_is_not_waited_for(cluster: Cluster) -> None:
    lost = ActorDiedError("gone")
    assert actors.failures({Call(HANGS): 0, Call(lost): 1}, 5) == {1: lost}
    assert cluster.now == 5


def test_what_the_others_say_until_then_counts_too(cluster: Cluster) -> None:
    one, other = RayError("connection closed"), ActorDiedError("gone")
    assert actors.failures({Call(one): 0, Call(other): 1}, 5) == {0: one, 1: other}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ActorDiedError(KILLED), "its node ran out of memory (2.85GB used / 3.00GB)"),
        (ActorDiedError("The actor died unexpectedly"), "its node or its process is gone"),
        (RayError("\n a mistake\nmore"), "a mistake"),
        (RayError(""), "RayError"),
    ],
)
def test_a_loss_is_told_in_words(error: Exception, words: str) -> None:
    assert actors.reason(error) == words


def test_the_node_without_memory_is_known_by_its_address() -> None:
    low = actors.low_memory(KILLED)
    assert low
    assert low.group("address", "used", "limit") == ("10.0.0.2", "2.85GB", "3.00GB")
