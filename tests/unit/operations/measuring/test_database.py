"""What pgbench prints."""

from __future__ import annotations

import pytest

from operations.errors import OperationError
from operations.measuring.database import parsed, ratio

KEPT = """\
number of transactions actually processed: 100
number of failed transactions: 0 (0.000%)
latency average = 5.380 ms
initial connection time = 40.1 ms
tps = 1488.200000 (without initial connection time)
"""
ANEW = KEPT.replace("initial connection time = 40.1", "average connection time = 10.82")


def test_kept_connections_cost_nothing_to_count() -> None:
    assert parsed(KEPT) == {"tps": 1488.2, "latency_ms": 5.38}


def test_the_cost_of_connecting_anew_is_read() -> None:
    assert parsed(ANEW)["connect_ms"] == 10.82


@pytest.mark.parametrize("text", ["", KEPT.replace("transactions: 0", "transactions: 2"), KEPT[:90]])
def test_a_run_without_figures_or_with_failures_is_refused(text: str) -> None:
    with pytest.raises(OperationError, match="pgbench"):
        parsed(text)


def test_a_ratio_divides_the_way_by_what_it_is_compared_with() -> None:
    taken = {"tls": [{"tps": 1.0}] * 3, "socket": [{"tps": 2.0}] * 3}
    assert ratio("read", "tls", "socket", taken).ratio == pytest.approx(0.5)
