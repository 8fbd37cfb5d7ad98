"""When it is said that some ranks have ended and others have not."""

from __future__ import annotations

from benchmark.jobs.leaving import FIRST_S, Leaving


def test_who_has_ended_and_who_runs_is_said_after_a_while() -> None:
    ranks = Leaving(3, 0)
    ranks.end(1, 600)
    assert ranks.told(600 + FIRST_S - 1) == ""
    told = ranks.told(600 + FIRST_S)
    assert "exit code 0: rank 1 1 min ago; rank 0, rank 2 still run, 11 min after the start." in told
    assert "collective" in told


def test_it_is_said_ever_more_rarely() -> None:
    ranks = Leaving(2, 0)
    ranks.end(0, 0)
    assert [second for second in range(0, 1000, 10) if ranks.told(second)] == [60, 120, 240, 480, 960]


def test_nothing_is_said_while_all_run_or_once_all_have_ended() -> None:
    ranks = Leaving(2, 0)
    assert ranks.told(1000) == ""
    for rank in (0, 1):
        ranks.end(rank, 1000)
    assert ranks.told(2000) == ""


def test_the_first_end_of_a_rank_counts() -> None:
    ranks = Leaving(2, 0)
    ranks.end(0, 0)
    ranks.end(0, 59)
    assert ranks.told(60)
