"""What the report says of the probes, of results with and without the later ones."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmark.report.sections.probes import section


@pytest.fixture
def with_storage(complete: dict[str, Any]) -> dict[str, Any]:
    part = {"clients": 4, "object_bytes": 1 << 20, "objects": 30, "seconds": 3.2, "mb_s": 9.8,
            "segments_mb_s": [9.0, 12.0, 3.0],
            "segment_mb_s": {"fastest": 12.0, "median": 9.0, "slowest": 3.0}}  # fmt: skip
    complete["probes"]["object_store_load"] = {
        "put": part,
        "get": {**part, "ttfb_p50_ms": 4.25, "ttfb_p95_ms": 9.5},
    }
    complete["probes"]["checkpoint"] = {
        "bytes": 33_554_432,
        "write_s": 0.5,
        "read_s": 0.25,
        "write_mb_s": 67.1,
        "read_mb_s": 134.2,
    }
    return complete


def test_an_earlier_result_without_the_load_is_drawn(complete: dict[str, Any]) -> None:
    found = section(complete)
    assert found is not None
    assert len(found["charts"]) == 2
    assert len(found["notes"]) == 1


def test_segments_are_drawn_and_told(with_storage: dict[str, Any]) -> None:
    found = section(with_storage)
    assert found is not None
    assert "PUT median" in found["charts"][-1]["svg"]
    put, get, kept, _ = found["notes"]
    assert "fastest, median and slowest second 12, 9, 3 MB/s" in put
    assert "time to first byte p50 4.25 ms, p95 9.50 ms" in get
    assert "written with its pointer in 0.5 s (67.1 MB/s)" in kept


@pytest.mark.parametrize("order", [("put", "get"), ("get", "put")])
def test_a_direction_has_the_same_colour_in_every_drawing(
    with_storage: dict[str, Any], order: tuple[str, str]
) -> None:
    """JSON with sorted keys once gave the colour of PUT to GET in one of two neighbouring drawings."""
    load = with_storage["probes"]["object_store_load"]
    with_storage["probes"]["object_store_load"] = {key: load[key] for key in order}
    found = section(with_storage)
    assert found is not None
    by_size, by_second = found["charts"][-2:]
    assert dict(by_size["legend"]) == dict(by_second["legend"]) == {"PUT": 4, "GET": 1}
    for chart in (by_size, by_second):
        assert re.search(r'class="line s4" d="[^"]*"><title>PUT</title>', chart["svg"])


@pytest.mark.parametrize(
    ("bf16", "device", "said"), [(1.0, "cpu", True), (300.0, "cpu", False), (1.0, "cuda", False)]
)
def test_slow_products_in_bfloat16_are_explained(
    complete: dict[str, Any], bf16: float, device: str, said: bool
) -> None:
    complete["probes"]["device"] = device
    for rank in complete["probes"]["ranks"]:
        rank["bf16_gflops"] = bf16
    found = section(complete)
    assert found is not None
    assert ("without units for it" in found["products"]) is said


def test_a_load_without_a_whole_second_draws_no_chart(with_storage: dict[str, Any]) -> None:
    for part in with_storage["probes"]["object_store_load"].values():
        del part["segment_mb_s"]
        part["segments_mb_s"] = []
    found = section(with_storage)
    assert found is not None
    assert len(found["charts"]) == 2
    assert "second" not in found["notes"][0]
