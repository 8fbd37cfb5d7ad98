"""Step times on a device that queues its work: a played GPU and a played clock."""

from __future__ import annotations

import pytest

from benchmark.core.timing import EVERY, PHASES, StepTimer, warmup_of

WORK_S = {"data": 0.0, "forward": 0.03, "backward": 0.06, "optimiser": 0.01}  # of the device
LAUNCH_S = 0.001  # of the program, to queue a phase
QUEUE = 8  # phases that fit into the queue


class Gpu:
    """Time passes by queueing, which waits when the queue is full, and by waiting for the device."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ends: list[float] = []
        self.waits = 0

    def launch(self, seconds: float) -> None:
        self.now += LAUNCH_S
        if len(self.ends) >= QUEUE:
            self.now = max(self.now, self.ends[-QUEUE])
        self.ends.append(max(self.now, *self.ends[-1:]) + seconds if self.ends else self.now + seconds)

    def synchronise(self) -> None:
        self.waits += 1
        self.now = max([self.now, *self.ends[-1:]])


def trained(
    monkeypatch: pytest.MonkeyPatch, steps: int, reads: int = 0, checkpoints: int = 0, settle: bool = True
) -> tuple[Gpu, StepTimer]:
    """As `train` does; each `reads`-th loss is read, which waits, like checkpoints of 0.5 s."""
    gpu = Gpu()
    monkeypatch.setattr("benchmark.core.timing.time.perf_counter", lambda: gpu.now)
    timer = StepTimer(gpu.synchronise, EVERY["cuda"])
    for step in range(steps):
        read, checkpoint = (n > 0 and (step + 1) % n == 0 for n in (reads, checkpoints))
        timer.begin()
        for phase, seconds in WORK_S.items():
            gpu.launch(seconds)
            timer.end(phase)
        if checkpoint:
            timer.settle()
            gpu.now += 0.5
            timer.end("checkpoint")
        timer.finish(settle=read and settle)
        if read:
            gpu.synchronise()
    return gpu, timer


@pytest.mark.parametrize(("settle", "right"), [(True, True), (False, False)])
def test_no_work_of_the_device_falls_out_of_the_clock(
    monkeypatch: pytest.MonkeyPatch, settle: bool, right: bool
) -> None:
    gpu, timer = trained(monkeypatch, 60, reads=1, settle=settle)
    clocked = sum(sum(row.values()) for row in timer.rows)
    assert (clocked == pytest.approx(gpu.now)) is right


def test_steps_between_two_waits_share_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    _, timer = trained(monkeypatch, 100, reads=4)
    found = timer.summary(batch_size=1)
    assert found["median"] == pytest.approx(0.1, rel=0.05)
    assert found["p95"] == pytest.approx(0.1, rel=0.05)
    assert found["samples_per_s"] == pytest.approx(10, rel=0.05)
    assert found["warmup_steps"] == 10
    assert len(found["raw_s"]) == 90


def test_the_breakdown_is_not_of_what_was_queued_before(monkeypatch: pytest.MonkeyPatch) -> None:
    phases = trained(monkeypatch, 100)[1].summary(batch_size=1)["phases_s"]
    for name in ("data", "forward", "backward", "optimiser"):
        assert phases[name] == pytest.approx(WORK_S[name], abs=2 * LAUNCH_S)


def test_checkpoints_count_wherever_they_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    found = trained(monkeypatch, 100, checkpoints=25)[1].summary(batch_size=1)
    assert found["phases_s"]["checkpoint"] == pytest.approx(4 * 0.5 / 90)  # one of them in no sampled step
    assert found["utilisation"] < 0.9


def test_the_device_is_left_to_its_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, _ = trained(monkeypatch, 100)
    assert gpu.waits == 10 * (len(WORK_S) + 1)


@pytest.mark.parametrize(
    ("steps", "every", "warmup"),
    [
        (9, 1, 0),
        (10, 1, 5),
        (250, 1, 5),
        (1000, 1, 20),
        (19, 10, 0),
        (20, 10, 10),
        (1000, 10, 20),
        (1100, 10, 30),
    ],
)
def test_warmup_ends_where_the_device_is_waited_for(steps: int, every: int, warmup: int) -> None:
    assert warmup_of(steps, every) == warmup


def test_a_cpu_needs_no_sharing() -> None:
    timer = StepTimer(lambda: None)
    for _ in range(3):
        timer.begin()
        for phase in PHASES:
            timer.end(phase)
        timer.finish()
    assert timer.settled == [1, 2, 3]
