"""The driver of several ranks: what it hands on and says, on a cluster that is made up."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.jobs import keeper, leaving, ranks
from benchmark.jobs.environment import Place
from benchmark.jobs.run import Job
from tests.unit.benchmark.fake_ray import HANGS, Call, install


class Stream(Call):
    """What a rank says, by items; HANGS where nothing comes until `now` is that late."""

    def __init__(self, cluster: Any, items: list[Any]) -> None:
        self.cluster, self.items = cluster, items

    @property
    def outcome(self) -> object:  # type: ignore[override]
        first = self.items[0] if self.items else None
        late = isinstance(first, float) and self.cluster.now < first
        return HANGS if late else None

    def __next__(self) -> Call:
        while self.items and isinstance(self.items[0], float):
            self.items.pop(0)
        if not self.items:
            raise StopIteration
        return Call(self.items.pop(0))


def followed(monkeypatch: pytest.MonkeyPatch, *said: list[Any]) -> ranks.Attempt:
    """What becomes of ranks that say this; a number with a point is the second before which nothing comes."""
    cluster = install(monkeypatch)
    monkeypatch.setattr(ranks, "time", SimpleNamespace(monotonic=lambda: cluster.now))

    def actors() -> Iterator[Any]:
        for number, items in enumerate(said):
            stream = Stream(cluster, items)
            run = SimpleNamespace(
                options=lambda stream=stream, **_: SimpleNamespace(remote=lambda *_: stream)
            )
            place = (Place(f"node{number + 1}", f"10.0.0.{number + 1}"), 4000)
            yield SimpleNamespace(run=run, place=SimpleNamespace(remote=lambda place=place: Call(place)))

    return ranks._follow(Job("demo", len(said), 1.0, 0, 0, ("t.py",)), list(actors()), {})


def test_ranks_that_end_apart_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt = followed(monkeypatch, [0], [leaving.FIRST_S + 10, ["done"], 0])
    lines = capsys.readouterr().out.splitlines()
    assert sum("rank 0 1 min ago; rank 1 still runs" in line for line in lines) == 1
    assert lines[-1] == "[1] done"
    assert attempt.codes == {0: 0, 1: 0}
    assert attempt.code == 0


def test_nothing_is_said_of_ranks_that_end_together(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    followed(monkeypatch, [0], [10.0, 0])
    assert "still run" not in capsys.readouterr().out


def test_a_rank_that_prints_without_a_pause_does_not_keep_the_others_waiting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    followed(monkeypatch, [[str(n)] for n in range(9)] + [0], [["here"], 0])
    lines = capsys.readouterr().out.splitlines()
    assert lines.index("[1] here") < lines.index("[0] 2")


def test_after_a_failure_the_others_are_given_time_and_no_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt = followed(monkeypatch, [3], [1000.0, 0])
    assert attempt.codes == {0: 3}
    assert "rank 1 did not end with the others; ended" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("codes", "lost", "slept"),
    [
        ({0: 0, 1: 0}, {}, []),
        ({0: 3, 1: 3}, {}, []),
        ({0: 3}, {}, [keeper.STOP_S]),
        ({}, {1: "gone"}, [keeper.STOP_S]),
    ],
)
def test_no_start_begins_while_a_rank_of_the_last_one_may_still_end(
    monkeypatch: pytest.MonkeyPatch, codes: dict[int, int], lost: dict[int, str], slept: list[float]
) -> None:
    install(monkeypatch)
    found = list[float]()
    monkeypatch.setattr(ranks, "time", SimpleNamespace(sleep=found.append))
    monkeypatch.setattr(ranks, "_follow", lambda *_: ranks.Attempt(codes, lost))
    ranks._start(Job("demo", 2, 1.0, 0, 0, ("t.py",)), {})
    assert found == slept
