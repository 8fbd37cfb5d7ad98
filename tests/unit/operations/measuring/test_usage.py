"""Memory that the kernel cannot take back, and CPUs between two readings."""

from __future__ import annotations

from operations.measuring.usage import Readings, kept, row

V1 = {"total_active_anon": 5, "total_inactive_anon": 7, "active_anon": 1, "total_cache": 1000}
V2 = {"active_anon": 5, "inactive_anon": 7, "file": 1000}


def test_file_cache_does_not_count_in_either_version() -> None:
    assert kept({"memory_stats": {"stats": V1}}) == kept({"memory_stats": {"stats": V2}}) == 12


def test_a_container_that_has_ended_gives_nothing() -> None:
    assert kept({"memory_stats": {}}) is None


def test_a_row_has_the_mean_and_the_peak() -> None:
    found = row("dev", "aidc-dev-vault", Readings("vault", (10.0, 1.0), (20.0, 6.0), 100, [3, 9, 4]))
    assert (found.name, found.cpus, found.memory_bytes, found.peak_bytes) == ("vault", 0.5, 4, 9)


def test_one_reading_gives_no_cpus() -> None:
    assert row("dev", "aidc-dev-x", Readings("x", (1.0, 1.0), (1.0, 1.0), 1, [1])).cpus is None
