"""Energy: integration, the meter on counters that are made up, what is null and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmark.core.config import Workload
from benchmark.core.events import EventLog
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset
from benchmark.telemetry import energy
from benchmark.telemetry.counters import Domain, NotMeasured
from benchmark.telemetry.energy import Meter, Part, Reading, counted, summarise, trapezoid
from benchmark.training.train import train


def part(name: str = "package-0", key: str = "m/0", **changes: Any) -> Part:
    return Part(**{"source": "RAPL", "name": name, "key": key, "gross_j": 100.0, "seconds": 10.0,
                   "idle_w": 4.0, **changes})  # fmt: skip


class Machine:
    """A counter of a machine at constant power, and the clock that it is read by."""

    def __init__(self, watts: float = 50.0, **changes: Any) -> None:
        self.seconds, self.joules, self.watts = 0.0, 0.0, watts
        self.domain = Domain("RAPL", "package-0", "m/0", self.read, **changes)

    def clock(self) -> float:
        return self.seconds

    def read(self) -> float:
        return self.joules

    def run(self, seconds: float) -> None:
        self.seconds += seconds
        self.joules += seconds * self.watts

    def meter(self) -> Meter:
        # The thread would sample at moments that a test does not choose: both ends are enough here.
        return Meter([self.domain], every_s=3600, clock=self.clock, sleep=self.run)


class TestIntegration:
    def test_a_counter_is_the_sum_of_its_steps(self) -> None:
        assert counted([(0, 5.0), (1, 7.0), (2, 12.0)]) == 7.0

    @pytest.mark.parametrize("start", [0.0, 1.0, 99.0])
    @pytest.mark.parametrize("step", [0.5, 30.0, 99.0])
    def test_a_counter_may_wrap_any_number_of_times(self, start: float, step: float) -> None:
        samples = [(float(i), (start + i * step) % 100) for i in range(50)]
        assert counted(samples, wraps_at_j=100) == pytest.approx(49 * step)

    def test_a_counter_that_cannot_wrap_must_not_run_backwards(self) -> None:
        with pytest.raises(NotMeasured, match="backwards"):
            counted([(0, 5.0), (1, 3.0)])

    @pytest.mark.parametrize("samples", [[], [(0.0, 5.0)], [(0.0, 5.0), (0.01, 5.0)]])
    def test_a_counter_that_stands_still_is_not_zero_joules(self, samples: list[energy.Sample]) -> None:
        with pytest.raises(NotMeasured, match=r"did not move in 0\.0"):
            counted(samples)

    def test_power_is_integrated_over_uneven_samples(self) -> None:
        """Exact for power that changes evenly: 100 W + 10 W/s over 3 s."""
        times = (0.0, 0.5, 0.7, 1.6, 2.5, 3.0)
        assert trapezoid([(t, 100 + 10 * t) for t in times]) == pytest.approx(300 + 45)

    def test_power_samples_too_far_apart_say_nothing(self) -> None:
        with pytest.raises(NotMeasured, match=r"1\.5 s apart"):
            trapezoid([(0, 100.0), (1, 100.0), (2.5, 100.0)])

    def test_a_power_meter_that_reads_nothing_is_not_zero_joules(self) -> None:
        with pytest.raises(NotMeasured, match="0 W"):
            trapezoid([(0, 0.0), (0.5, 0.0)])


class TestMeter:
    def test_gross_and_idle(self) -> None:
        machine = Machine(watts=20)
        meter = machine.meter()
        meter.measure_idle(3)
        machine.watts = 50
        meter.start()
        machine.run(10)
        (found,) = meter.stop().parts
        assert (found.gross_j, found.seconds, found.idle_w) == (500.0, 10.0, 20.0)

    def test_each_start_measures_anew(self) -> None:
        machine = Machine()
        meter = machine.meter()
        for seconds in (1.0, 2.0):
            meter.start()
            machine.run(seconds)
            assert [p.gross_j for p in meter.stop().parts] == [50 * seconds]

    def test_the_thread_samples_meanwhile_and_ends(self) -> None:
        """A counter that wraps between start and end is right only if it was read in between."""
        seen = threading.Event()
        values = iter([90.0, 95.0, 60.0, 20.0])
        last = 20.0

        def read() -> float:
            value = next(values, None)
            if value is None:
                seen.set()
            return last if value is None else value

        meter = Meter([Domain("RAPL", "package-0", "m/0", read, wraps_at_j=100)], every_s=0.001)
        meter.start()
        thread = meter.thread
        assert seen.wait(30)
        assert meter.stop().parts[0].gross_j == pytest.approx(5 + 65 + 60)
        assert thread is not None
        assert not thread.is_alive()

    def test_power_is_integrated_where_there_is_no_counter(self) -> None:
        machine = Machine(counts=False)
        machine.read = lambda: 80.0  # type: ignore[method-assign]
        machine.domain = Domain("NVML", "GPU", "g", machine.read, counts=False)
        meter = machine.meter()
        meter.start()
        machine.run(0.5)
        assert meter.stop().parts[0].gross_j == 40.0

    def test_a_counter_that_fails_on_the_way_leaves_no_number(self) -> None:
        answers: Iterator[Any] = iter([1.0, NotMeasured("RAPL: gone")])

        def read() -> float:
            answer = next(answers)
            if isinstance(answer, NotMeasured):
                raise answer
            return float(answer)

        meter = Meter([Domain("RAPL", "package-0", "m/0", read)], every_s=3600)
        meter.start()
        assert meter.stop() == Reading(reason="RAPL: gone")

    def test_a_window_that_reads_zero_is_null_with_a_reason(self) -> None:
        meter = Machine(watts=0).meter()
        meter.start()
        reading = meter.stop()
        assert reading.parts == ()
        assert "RAPL, package-0: the energy counter did not move" in reading.reason

    def test_idle_that_reads_zero_leaves_gross_without_net(self) -> None:
        machine = Machine(watts=0)
        meter = machine.meter()
        meter.measure_idle(3)
        machine.watts = 50
        meter.start()
        machine.run(2)
        found = summarise([meter.stop()], 10, "sample")
        assert found.energy is not None
        assert (found.energy["gross_j"], found.energy["net_j"], found.net_j_per_sample) == (100.0, None, None)
        assert "idle power was not measured: RAPL, package-0" in found.reason

    def test_without_a_counter_nothing_is_started_and_the_reason_is_kept(self) -> None:
        def absent(device: str) -> list[Domain]:
            raise NotMeasured(f"no counter for {device}")

        meter = energy.meter_for("cpu", absent)
        meter.measure_idle()
        meter.start()
        assert meter.thread is None
        assert meter.stop() == Reading(reason="no counter for cpu")

    def test_stopped_without_a_start_it_says_so(self) -> None:
        assert "not started" in Machine().meter().stop().reason

    def test_closing_ends_the_thread_of_a_run_that_failed(self) -> None:
        meter = Machine().meter()
        meter.start()
        thread = meter.thread
        meter.close()
        assert thread is not None
        assert not thread.is_alive()


class TestSummary:
    def test_idle_is_subtracted_and_shared_among_the_samples(self) -> None:
        found = summarise([Reading((part(),))], 30, "token")
        assert found.energy == {"source": "RAPL", "covers": ["package-0"], "gross_j": 100.0, "idle_w": 4.0,
                                "net_j": 60.0, "seconds": 10.0, "samples": 30, "per": "token"}  # fmt: skip
        assert found.net_j_per_sample == 2.0

    def test_a_counter_that_several_ranks_see_counts_once(self) -> None:
        same = Reading((part(),))
        assert summarise([same, same], 30, "sample") == summarise([same], 30, "sample")

    def test_counters_of_several_machines_add_up(self) -> None:
        found = summarise([Reading((part(),)), Reading((part(key="n/0"),))], 60, "sample")
        assert found.energy is not None
        assert (found.energy["gross_j"], found.energy["idle_w"], found.energy["net_j"]) == (200.0, 8.0, 120.0)
        assert found.energy["covers"] == ["package-0", "package-0"]

    def test_sources_are_named(self) -> None:
        gpu = part("GPU H100", "GPU-1", source="NVML")
        found = summarise([Reading((gpu, part()))], 1, "sample").energy
        assert found is not None
        assert (found["source"], found["covers"]) == ("NVML, RAPL", ["GPU H100", "package-0"])

    def test_a_rank_without_a_reading_makes_the_whole_null(self) -> None:
        found = summarise([Reading((part(),)), Reading(reason="no counter")], 1, "sample")
        assert (found.energy, found.net_j_per_sample, found.reason) == (None, None, "rank 1: no counter")

    def test_less_than_idle_is_null(self) -> None:
        found = summarise([Reading((part(idle_w=10.0),))], 1, "sample")
        assert found.energy is not None
        assert (found.energy["net_j"], found.net_j_per_sample) == (None, None)
        assert "idle" in found.reason

    def test_no_samples_are_not_divided_by(self) -> None:
        found = summarise([Reading((part(),))], 0, "sample")
        assert (found.net_j_per_sample, found.reason) == (
            None,
            "all steps were done before this process started",
        )


Train = Callable[[Meter | None], dict[str, Any]]


class TestRecord:
    @pytest.fixture
    def trained(self, tiny: Workload, store: DirectoryStore) -> Train:
        manifest = dataset.prepare(tiny, store)
        return lambda meter: train(
            workload=tiny, seed=1, manifest=manifest, store=store, ranks=RankContext(), run_id="r",
            events=EventLog(), progress=lambda value: None, meter=meter,
        )  # fmt: skip

    def test_no_counter_is_null_with_its_reason(self, trained: Train) -> None:
        record = trained(Meter(reason="no RAPL here"))
        assert (record["energy"], record["energy_j_per_sample"]) == (None, None)
        assert record["not_measured"]["energy_j_per_sample"] == "no RAPL here"

    def test_a_counter_gives_joules_per_sample(self, trained: Train, tiny: Workload) -> None:
        machine = Machine(watts=20)
        meter = machine.meter()
        meter.measure_idle(3)
        machine.watts = 50

        def read() -> float:
            machine.run(1.0)
            return machine.joules

        meter.domains = [Domain("RAPL", "package-0", "m/0", read)]
        record = trained(meter)
        samples = tiny.training.steps * tiny.training.batch_size
        # Two readings a second apart: 50 W, of which 20 W idle.
        assert record["energy"]["gross_j"] == 50.0
        assert record["energy"]["samples"] == samples
        assert record["energy_j_per_sample"] == pytest.approx(30.0 / samples)
        assert "energy_j_per_sample" not in record["not_measured"]
