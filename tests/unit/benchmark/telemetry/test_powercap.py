"""Power limits: set, read back, undone whatever happens; and why one was not set."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from benchmark.core.config import Workload
from benchmark.core.ranks import Place
from benchmark.core.store import DirectoryStore
from benchmark.telemetry import powercap
from benchmark.telemetry.powercap import Limit, limited
from benchmark.training import job
from tests.unit.benchmark.conftest import changed
from tests.unit.benchmark.fakes import FakeNvml

SetLimit = Callable[[str, float], Limit]


def by(nvml: FakeNvml) -> SetLimit:
    return lambda device, watts: powercap.set_by_nvml(nvml, "handle", watts)


@dataclass(frozen=True)
class OneOfTwo(Place):
    """Rank 0 of two; `other` is what rank 1 says."""

    other: Any = None

    def gather(self, value: Any) -> list[Any]:
        return [value, self.other]


def test_a_limit_holds_while_it_lasts_and_is_undone() -> None:
    nvml = FakeNvml()
    with limited(350, Place(), by(nvml)) as said:
        assert said == {"asked_w": 350, "applied_w": 350.0, "reason": None}
        assert nvml.limit == 350_000
    assert nvml.limits_set == [350_000, 700_000]


def test_an_error_undoes_it_too() -> None:
    nvml = FakeNvml()
    with pytest.raises(RuntimeError), limited(350, Place(), by(nvml)):
        raise RuntimeError
    assert nvml.limit == 700_000


def test_termination_undoes_it_too() -> None:
    nvml, before = FakeNvml(), signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"), limited(350, Place(), by(nvml)):
        os.kill(os.getpid(), signal.SIGTERM)
    assert nvml.limit == 700_000
    assert signal.getsignal(signal.SIGTERM) is before


def test_none_asked_for_is_none() -> None:
    nvml = FakeNvml()
    with limited(None, Place(), by(nvml)) as said:
        assert said is None
    assert nvml.limits_set == []


@pytest.mark.parametrize(
    ("watts", "nvml", "why"),
    [
        (350, FakeNvml(may_limit=False), "Insufficient Permissions (it takes root"),
        (100, FakeNvml(), "100 W is outside this GPU's range, 200 to 700 W"),
        (701, FakeNvml(), "outside"),
    ],
)
def test_what_is_not_allowed_is_said_and_no_error(watts: float, nvml: FakeNvml, why: str) -> None:
    with limited(watts, Place(), by(nvml)) as said:
        assert said is not None
        assert (said["asked_w"], said["applied_w"]) == (watts, None)
        assert why in said["reason"]
    assert nvml.limits_set == []


def test_one_rank_that_may_not_leaves_all_without() -> None:
    nvml = FakeNvml()
    with limited(350, OneOfTwo(world_size=2, other=(0.0, "no")), by(nvml)) as said:
        assert said == {"asked_w": 350, "applied_w": None, "reason": "rank 1: no"}
        assert nvml.limit == 700_000


def test_a_limit_that_cannot_be_undone_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    nvml = FakeNvml()
    with limited(350, Place(), by(nvml)):
        nvml.may_limit = False
    assert "power limit: stays at 350 W" in capsys.readouterr().err


def test_a_job_without_a_gpu_keeps_the_reason(
    tiny: Workload, store: DirectoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = job.Spec(
        run_id="r", workload=changed(tiny, training={"power_limit_w": 300}), store=str(store.root)
    )
    job.run(spec, Place())
    record = json.loads(store.get("results/r/tiny/seed-1.json"))
    assert record["power_limit"] == {
        "asked_w": 300.0, "applied_w": None, "reason": "training.device: cpu: only a GPU's power is limited",
    }  # fmt: skip
