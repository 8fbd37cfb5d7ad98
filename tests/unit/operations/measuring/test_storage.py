"""What is measured, by whom, and how it is judged."""

from __future__ import annotations

from typing import Any

from operations.measuring import backup
from operations.measuring.documents import BackupPair
from operations.measuring.storage import BALANCED, DIRECT, Cell, cells, places, ratios_of
from tests.unit.operations.measuring.inventories import inventory

ACCESS: dict[str, Any] = {"s3": {"access_key": "id", "secret_key": "key"}, "ca_pem": "pem", "ray_token": "x"}


def test_every_size_is_measured_both_ways_and_alone_and_at_once() -> None:
    found = list(cells())
    assert len(found) == len({(c.operation, c.size, c.clients) for c in found}) == 12


def test_both_ways_verify_a_certificate_and_write_apart() -> None:
    found = places(inventory(), ACCESS)
    assert found[DIRECT]["server_name"] == "object-store"
    assert all(place["ca_pem"] == "pem" for place in found.values())
    assert found[BALANCED]["prefix"] != found[DIRECT]["prefix"]


def test_a_client_is_told_no_secret_but_its_keys() -> None:
    assert all("ray_token" not in place for place in places(inventory(), ACCESS).values())


def test_each_ratio_names_its_ways() -> None:
    found = {
        way: {"mb_s": [value] * 3} for way, value in (("balancer", 1.0), ("direct", 2.0), ("plain", 4.0))
    }
    ratios = ratios_of(Cell("get", 1, 1), found)
    assert [(r.way, r.to, round(r.ratio, 3)) for r in ratios] == [
        ("balancer", "direct", 0.5), ("direct", "plain", 0.5), ("balancer", "plain", 0.25),
    ]  # fmt: skip


def test_half_the_time_is_twice_the_throughput() -> None:
    pairs = [BackupPair(ours_s=1.0, by_hand_s=2.0)] * 3
    assert round(backup.ratio(pairs)["ratio"], 6) == 2.0
