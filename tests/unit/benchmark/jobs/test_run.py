"""The driver of a job: how it ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.core.actors import STOPPED
from benchmark.jobs import keeper, ranks, run


def stopped(*_: Any) -> int:
    raise SystemExit(STOPPED)


@pytest.mark.parametrize(("count", "slept"), [("2", keeper.STOP_S), ("1", 0.0)])
def test_a_driver_that_is_stopped_stays_while_its_ranks_end(
    monkeypatch: pytest.MonkeyPatch, count: str, slept: float
) -> None:
    done = list[tuple[str, float]]()
    monkeypatch.setattr(run, "opened", lambda job: None)
    monkeypatch.setattr(run, "close", lambda run, code: done.append(("closed", code)))
    monkeypatch.setattr(run, "alone", stopped)
    monkeypatch.setattr(ranks, "together", stopped)
    monkeypatch.setattr(run, "time", SimpleNamespace(sleep=lambda s: done.append(("slept", s))))
    with pytest.raises(SystemExit):
        run.main(["--name", "demo", "--ranks", count, "--", "t.py"])
    # First the run in MLflow: Ray kills what has not ended after three seconds.
    assert done == [("closed", STOPPED), ("slept", slept)]
