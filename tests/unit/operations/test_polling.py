"""Waiting: until it holds, at most as long as allowed, and at least one look."""

import pytest

from operations.polling import poll


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept; time passes by sleeping only."""
    seconds: list[float] = []
    monkeypatch.setattr("time.monotonic", lambda: sum(seconds))
    monkeypatch.setattr("time.sleep", seconds.append)
    return seconds


def test_it_ends_with_the_first_result_that_holds(slept: list[float]) -> None:
    results = iter([0, 0, 7, 8])
    assert poll(lambda: next(results), timeout=60, every=0.5) == 7
    assert slept == [0.5, 0.5]


def test_after_the_time_is_over_the_last_result_comes_back(slept: list[float]) -> None:
    assert poll(lambda: len(slept), timeout=3, until=lambda _count: False) == 4


def test_without_any_time_there_is_one_look(slept: list[float]) -> None:
    assert poll(lambda: "no", timeout=-1, until=lambda text: text == "yes") == "no"
    assert slept == []
