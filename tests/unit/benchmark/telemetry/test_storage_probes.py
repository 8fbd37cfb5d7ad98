"""Storage probes: what the segments count, what is left behind, and where nothing can be told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.core.errors import StoreError
from benchmark.core.store import DirectoryStore
from benchmark.telemetry import storage_probes
from benchmark.telemetry.storage_probes import CLIENTS, LOAD_BYTES, segments


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ([], []),
        ([0.2, 0.9], []),  # no whole second
        ([0.2, 0.9, 1.5], [4.0]),  # the last second is not whole
        ([0.5, 2.5], [2.0, 0.0]),  # a second without an answer is a slow one, not a missing one
        ([0.0, 0.999, 1.0, 2.0], [4.0, 2.0]),
    ],
)
def test_segments_are_whole_seconds(ends: list[float], expected: list[float]) -> None:
    assert segments(ends, 2_000_000) == expected


def test_every_object_of_the_load_is_read_back_and_removed(store: DirectoryStore) -> None:
    row = storage_probes.load(store, "results/x", seconds=30, most=2 * CLIENTS)
    assert row["put"]["objects"] == row["get"]["objects"] == 2 * CLIENTS
    assert row["put"]["object_bytes"] == LOAD_BYTES
    assert store.list("results/x") == []


def test_a_slow_store_has_a_figure_from_each_client(store: DirectoryStore) -> None:
    row = storage_probes.load(store, "results/x", seconds=0.0, most=100)
    assert row["put"]["objects"] == CLIENTS


def test_a_short_load_tells_no_segments(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_probes, "_drive", lambda *_: [(0.4, 0.01), (0.9, 0.01)])
    row = storage_probes.load(store, "results/x")
    assert "segment_mb_s" not in row["put"]
    assert row["put"]["not_measured"] == {"segment_mb_s": "the load was over within a second"}


def test_fastest_median_and_slowest_segment(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [0.1, 0.2, 0.3, 1.1, 2.1, 2.2, 3.5]
    monkeypatch.setattr(storage_probes, "_drive", lambda *_: [(end, 0.01) for end in ends])
    row = storage_probes.load(store, "results/x")["get"]
    unit = LOAD_BYTES / 1e6
    assert row["segment_mb_s"] == {
        "fastest": pytest.approx(3 * unit, abs=0.01),
        "median": pytest.approx(2 * unit, abs=0.01),
        "slowest": pytest.approx(unit, abs=0.01),
    }
    assert row["ttfb_p50_ms"] == 10.0
    assert row["ttfb_p99_ms"] is None  # seven requests carry no 99th percentile


def test_a_slow_client_leaves_gaps_that_are_not_read(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def uneven(request: Callable[[int], float], seconds: float, most: int) -> list[tuple[float, float]]:
        """The first client made one request, the others two."""
        return [(1.0 + i / 100, request(i)) for i in range(2 * CLIENTS) if i != CLIENTS]

    monkeypatch.setattr(storage_probes, "_drive", uneven)
    storage_probes.load(store, "results/x")
    assert store.list("results/x") == []


def test_a_failing_store_ends_the_load(store: DirectoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(key: str, data: bytes) -> None:
        raise StoreError(f"{key}: refused")

    monkeypatch.setattr(store, "put", refuse)
    with pytest.raises(StoreError, match="refused"):
        storage_probes.load(store, "results/x")


def test_a_checkpoint_is_written_read_and_removed(store: DirectoryStore) -> None:
    row = storage_probes.checkpoints(store, "results/x", size=1 << 20)
    assert row["bytes"] > 1 << 20
    assert row["write_mb_s"] > 0
    assert row["read_mb_s"] > 0
    assert store.list("results/x") == []
