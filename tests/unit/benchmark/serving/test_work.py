"""No request that is let in takes longer than the load balancer waits, with all that may be before it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.config import GptConfig
from benchmark.serving import app, work
from benchmark.serving.requests import MAX_BODY, RequestError
from benchmark.serving.settings import Arguments
from components import load_balancer

TEMPLATE = Path(load_balancer.__file__).parent / "templates" / "haproxy.cfg.j2"


class Model:
    """As much of a loaded model as its work depends on."""

    def __init__(self, flop: float, context: int = 256) -> None:
        self.flops_per_token = 3 * flop
        self.config = GptConfig(kind="gpt", depth=1, width=2, heads=1, context=context)


def call(flop: float, texts: int, length: int = 256) -> work.Call:
    model: Any = Model(flop)
    return work.call(model, ["x" * length] * texts)


def test_waiting_twice_for_a_full_backlog_fits_into_what_the_load_balancer_waits() -> None:
    found = re.search(r"timeout server (\d+)s", TEMPLATE.read_text())
    assert found
    assert float(found[1]) == work.BALANCER_S
    assert 2 * work.BACKLOG_S < 0.7 * work.BALANCER_S
    assert work.REQUEST_S < work.BACKLOG_S


def test_the_load_balancer_lets_no_larger_body_through() -> None:
    (frontend,) = (f for f in load_balancer.FRONTENDS if f["name"] == "inference")
    assert frontend["max_body"] == MAX_BODY


def test_too_much_work_for_one_request_is_refused_with_what_is_possible() -> None:
    with pytest.raises(RequestError, match=r"instances: 512 .* at most 86 of 256 bytes") as caught:
        call(4.5e6, 512)
    assert caught.value.status == 413
    assert call(4.5e6, 86).work <= work.REQUEST_S * work.SPEED


def test_short_texts_are_less_work() -> None:
    assert call(4.5e6, 512, length=8).work < call(4.5e6, 86).work


def test_one_instance_is_always_answered() -> None:
    assert call(1e12, 1).work > work.REQUEST_S * work.SPEED


def test_a_full_backlog_refuses_with_a_time_to_come_back() -> None:
    backlog = work.Backlog()
    held = [call(4.5e6, 80) for _ in range(100)]

    def flood() -> None:
        for one in held:
            backlog.admit(one)

    with pytest.raises(RequestError, match="busy") as caught:
        flood()
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
    assert 0.75 * work.BACKLOG_S < backlog.seconds() <= work.BACKLOG_S


def test_what_is_being_computed_counts_once_and_until_its_end() -> None:
    backlog, one = work.Backlog(), call(4.5e6, 80)
    backlog.admit(one)
    before = backlog.seconds()
    backlog.begin([one])
    assert backlog.seconds() == before
    backlog.forget(one)  # its client is gone, the thread goes on
    assert backlog.seconds() == before
    backlog.end(1.0)
    assert backlog.seconds() == 0


def test_a_slow_machine_takes_in_less() -> None:
    backlog, one = work.Backlog(), call(4.5e6, 80)
    for _ in range(8):
        backlog.begin([one])
        backlog.end(one.work / 1e9)
    assert backlog.speed == pytest.approx(1e9, rel=0.1)


def test_limits_are_told_with_the_models(arguments: Arguments) -> None:
    told = {m["workload"]: m["limits"] for m in app.Router(arguments).overview()["models"]}
    assert told["mlp"] == {"instances": 512, "full_length_instances": 512, "body_bytes": MAX_BODY}
    assert told["bytelm"]["context_bytes"] == 8
