"""What `make status` prints beyond the table of services."""

from __future__ import annotations

from operations.nodes import record
from operations.overview import page
from operations.overview.engine import of_counters
from operations.status_document import Disk, Job
from tests.unit.operations.nodes.test_judge import FULL, reading, verdict
from tests.unit.operations.overview.test_watching import status


def test_jobs_that_wait_say_for_what_and_ended_ones_share_a_line() -> None:
    jobs = [
        Job(name="b", id="b", state="waiting", ranks=2, each="1 CPU", submitted=None, waits_for="2 × 1 CPU"),
        Job(name="a", id="a", state="failed", ranks=1, each="1 CPU", submitted=None, waits_for=""),
    ]
    assert [line.split(maxsplit=1) for line in page.jobs(jobs)] == [
        ["job", "b waiting: 2 × 1 CPU; waits for 2 × 1 CPU"],
        ["ended", "last   a failed"],
    ]


def test_a_silent_ray_is_not_taken_for_an_idle_one() -> None:
    assert list(page.jobs(None)) == ["jobs         Ray does not say"]
    assert list(page.jobs([])) == ["jobs         none runs or waits"]


def test_a_node_that_gets_no_ranks_is_named_with_its_fault() -> None:
    bad, good = verdict(reading("compute-two", disk=FULL)), verdict(reading("compute-one"))
    (line,) = page.nodes(status(nodes=[record.verdict_of(bad), record.verdict_of(good)]))
    assert "compute-two gets no ranks" in line
    assert "/tmp" in line
    (line,) = page.nodes(status(nodes=[record.verdict_of(good)]))
    assert "1 passed" in line


def test_refusals_are_shown_by_who_tried_most() -> None:
    found = of_counters(
        {"refused": 9, "refused_to_host": 1, "dropped_from_ray_head": 2, "dropped_to_vault": 7,
         "dropped_to_backup": 0, "compute_object_store_storage_9000": 5}
    )  # fmt: skip
    assert found == {"all": 10, "to host": 1, "to vault": 7, "from ray-head": 2}
    lines = list(page.machine(status(refused=found, disk=Disk(total_bytes=2 << 30, free_bytes=1 << 30))))
    assert lines[0].endswith("10 packets: to host 1, to vault 7, from ray-head 2")
    assert lines[1].endswith("1,024 MiB of 2,048 MiB are free")
