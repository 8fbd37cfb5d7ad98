"""The schedule against brute force over every minute, and windows at their edges."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from io import StringIO
from typing import Any

import pytest

from benchmark import __main__ as command
from benchmark.core.errors import ConfigError
from benchmark.experiments import run
from benchmark.scheduling import schedule, waiting
from benchmark.scheduling.schedule import Plan, Window, choose, mean, parse_window
from benchmark.scheduling.series import Series, Slot

MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def at(text: str, day: int = 25) -> datetime:
    hour, minute = text.split(":")
    return datetime(2026, 11, day, int(hour), int(minute), tzinfo=UTC)


def series(values: list[Any], start: datetime = MIDNIGHT, step: timedelta = HOUR) -> Series:
    slots = [Slot(start + i * step, start + (i + 1) * step, Fraction(v)) for i, v in enumerate(values)]
    return Series(tuple(slots), "EUR/MWh", "prices.csv", "a" * 64)


def by_minutes(values: Series, start: datetime, duration: timedelta) -> Fraction | None:
    """The mean, minute by minute; None where a minute has no slot."""
    count, total = duration // MINUTE, Fraction(0)
    for i in range(count):
        minute = start + i * MINUTE
        slot = next((s for s in values.slots if s.start <= minute < s.end), None)
        if slot is None:
            return None
        total += slot.value
    return total / count


@dataclass(frozen=True)
class Case:
    now: datetime
    duration: timedelta
    window: Window | None
    values: Series
    costs: dict[datetime, Fraction]  # of every possible start, by the minute


def case(seed: int) -> Case:
    draw = random.Random(seed)
    step = draw.choice([15, 30, 60]) * MINUTE
    begin = MIDNIGHT + draw.randrange(-300, 120) * MINUTE
    # Few different values make ties common.
    drawn = [draw.choice([-5, 0, 10, 10, "0.1", 30]) for _ in range(draw.randrange(4, 30))]
    values = series(drawn, begin, step)
    now = MIDNIGHT + draw.randrange(0, 600) * MINUTE
    duration = draw.randrange(1, 200) * MINUTE
    opens, length = draw.randrange(0, 1440), draw.randrange(200, 900)
    closes = (opens + length) % 1440
    window, start, last = None, now, values.end
    if draw.random() < 0.7:
        window = parse_window(f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}")
        openings = (MIDNIGHT + timedelta(days=d) + opens * MINUTE for d in range(-2, 4))
        spans = ((max(now, opening), opening + length * MINUTE) for opening in openings)
        start, last = next((first, end) for first, end in spans if first + duration <= end)
    costs = {}
    while start + duration <= last:
        cost = by_minutes(values, start, duration)
        if cost is not None:
            costs[start] = cost
        start += MINUTE
    return Case(now, duration, window, values, costs)


SEEDS = range(60)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_cheapest_start_is_that_of_brute_force(seed: int) -> None:
    """Every start by the minute within the first opening that fits; the earliest of the cheapest."""
    c = case(seed)
    if not c.costs:
        with pytest.raises(ConfigError, match=r"prices\.csv: covers"):
            choose(c.now, c.duration, c.window, c.values)
        return
    plan = choose(c.now, c.duration, c.window, c.values)
    least = min(c.costs.values())
    assert (plan.mean, plan.start) == (least, min(s for s, cost in c.costs.items() if cost == least))
    assert plan.mean_now == by_minutes(c.values, c.now, c.duration)


def test_brute_force_met_cases_of_every_kind() -> None:
    cases = [case(seed) for seed in SEEDS]
    kinds = {
        "refused": [c for c in cases if not c.costs],
        "ties": [c for c in cases if c.costs and list(c.costs.values()).count(min(c.costs.values())) > 1],
        "no window": [c for c in cases if c.costs and c.window is None],
        "across midnight": [
            c
            for c in cases
            if c.costs and c.window and c.window.hours and c.window.hours[0] > c.window.hours[1]
        ],
        "several slots": [
            c for c in cases if c.costs and c.duration > c.values.slots[0].end - c.values.slots[0].start
        ],
        "later than now": [
            c for c in cases if c.costs and min(c.costs, key=lambda s: (c.costs[s], s)) > c.now
        ],
    }
    assert {kind: len(found) >= 3 for kind, found in kinds.items()} == dict.fromkeys(kinds, True)


def test_a_run_is_charged_by_its_overlap_with_each_slot() -> None:
    values = series([10, 40])
    assert mean(values.slots, at("0:45"), HOUR) == Fraction(10 * 15 + 40 * 45, 60)
    assert mean(values.slots, at("0:45"), 10 * MINUTE) == 10


def test_a_run_ends_before_a_dear_slot_rather_than_starts_with_a_cheap_one() -> None:
    """The best start is no slot's: 30 minutes before the end of the two cheap ones."""
    plan = choose(at("0:00"), 90 * MINUTE, None, series([50, 20, 10, 90]))
    assert (plan.start, plan.mean) == (at("1:30"), Fraction(20 * 30 + 10 * 60, 90))


def test_ties_take_the_earliest() -> None:
    assert choose(at("0:20"), HOUR, None, series([7, 7, 7, 7])).start == at("0:20")
    assert choose(at("0:20"), HOUR, None, series([9, "0.1", "0.1", 9, "0.1", "0.1"])).start == at("1:00")


@pytest.mark.parametrize(
    ("now", "start"),
    [
        (at("12:00"), at("22:00")),
        (at("23:15"), at("23:15")),
        (at("3:00"), at("3:00")),  # in the window that opened the evening before
        (at("5:30"), at("5:30")),  # ends with the window, to the minute
        (at("5:31"), at("22:00")),  # too late for this one
        (at("6:00"), at("22:00")),
        (at("22:00"), at("22:00")),
    ],
)
def test_a_window_may_cross_midnight(now: datetime, start: datetime) -> None:
    assert choose(now, 30 * MINUTE, parse_window("22:00-06:00")).start == start


@pytest.mark.parametrize(
    ("text", "now", "start"),
    [
        ("08:00-10:00", at("9:31"), at("8:00", 26)),
        ("00:00-24:00", at("9:31"), at("9:31")),
        ("22:00-24:00", at("9:31"), at("22:00")),
        ("00:00-24:00", at("23:45"), at("0:00", 26)),
        ("2026-11-25T20:00+01:00/2026-11-26T06:00Z", at("9:31"), at("19:00")),
        ("2026-11-25T08:00Z/2026-11-26T06:00Z", at("9:31"), at("9:31")),
    ],
)
def test_windows(text: str, now: datetime, start: datetime) -> None:
    assert choose(now, 30 * MINUTE, parse_window(text)).start == start


def test_hours_are_utc_whatever_the_zone_of_now() -> None:
    now = at("21:30").astimezone(timezone(timedelta(hours=9)))
    assert choose(now, HOUR, parse_window("22:00-06:00")).start == at("22:00")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("22-06", "write hours in UTC"),
        ("", "write hours in UTC"),
        ("25:00-06:00", "from 00:00 to 24:00"),
        ("22:60-06:00", "from 00:00 to 24:00"),
        ("22:00-24:01", "from 00:00 to 24:00"),
        ("24:00-06:00", "from 00:00 to 24:00"),
        ("08:00-08:00", "is empty"),
        ("2026-11-25T22:00/2026-11-26T06:00Z", "a time zone is missing"),
        ("2026-11-26T22:00Z/2026-11-25T06:00Z", "ends before it starts"),
        ("0001-01-01T00:00Z/2026-11-25T06:00Z", "write hours in UTC"),
        ("a/b/c", "write hours in UTC"),
    ],
)
def test_windows_that_are_none(text: str, word: str) -> None:
    with pytest.raises(ConfigError, match="--window: ") as caught:
        parse_window(text)
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("text", "hours", "word"),
    [
        ("22:00-06:00", 9, "lasts 8:00:00, --expected-duration 9:00:00"),
        ("2026-11-25T08:00Z/2026-11-25T10:00Z", 3, "less than 3:00:00"),
        ("2026-11-24T08:00Z/2026-11-24T10:00Z", 1, "is left"),
        ("08:00-10:00", 0, "above 0"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(text: str, hours: int, word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        choose(at("7:00"), hours * HOUR, parse_window(text))
    assert word in str(caught.value)


def test_a_series_is_used_as_far_as_it_reaches() -> None:
    plan = choose(at("12:00"), HOUR, parse_window("22:00-06:00"), series([5] * 23 + [4]))
    assert (plan.start, plan.mean, plan.mean_now) == (at("23:00"), Fraction(4), Fraction(5))


def test_now_outside_the_series_is_not_known() -> None:
    plan = choose(at("12:00", 24), HOUR, None, series([5, 4]))
    assert (plan.mean, plan.mean_now) == (Fraction(4), None)
    assert "unknown" in "\n".join(schedule.lines(plan))


def test_the_record_names_file_hash_and_unit() -> None:
    plan = choose(at("0:00"), HOUR, parse_window("00:00-24:00"), series([5, 4]))
    assert schedule.record(plan, at("1:00") + timedelta(seconds=1)) == {
        "window": "00:00-24:00",
        "series": {"file": "prices.csv", "sha256": "a" * 64},
        "expected_duration_s": 3600.0,
        "asked_at": "2026-11-25T00:00:00+00:00",
        "start": "2026-11-25T01:00:00+00:00",
        "started": "2026-11-25T01:00:01+00:00",
        "expected_mean": 4.0,
        "expected_mean_now": 5.0,
        "unit": "EUR/MWh",
    }


def test_the_table_is_short_and_marks_the_choice() -> None:
    values = series([50 + i % 7 for i in range(200)], step=15 * MINUTE)
    text = schedule.lines(choose(at("0:00"), 10 * MINUTE, None, values))
    assert len(text) <= 3 + schedule.TABLE_ROWS
    assert [line for line in text if line.startswith(">")] == [
        "> 2026-11-25 00:00Z     2026-11-25 00:10Z     50.00"
    ]


class Clock:
    def __init__(self, time: datetime) -> None:
        self.time, self.naps = time, 0

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= waiting.POLL_S
        self.time += timedelta(seconds=seconds)
        self.naps += 1


class TestWaiting:
    def wait(self, clock: Clock, seconds: float) -> tuple[datetime, str]:
        plan, out = Plan(clock.time + timedelta(seconds=seconds), clock.time, HOUR), StringIO()
        return waiting.wait(plan, clock.now, clock.sleep, out), out.getvalue()

    def test_it_ends_at_the_start_and_says_so_now_and_then(self) -> None:
        ended, text = self.wait(Clock(at("0:00")), 1500.5)
        assert ended == at("0:25") + timedelta(seconds=0.5)
        assert [line.split(", ")[1] for line in text.splitlines()] == [
            "0:25:00 left", "0:15:00 left", "0:05:00 left",
        ]  # fmt: skip

    def test_a_start_that_is_past_needs_no_nap(self) -> None:
        clock = Clock(at("0:00"))
        assert self.wait(clock, -5) == (at("0:00"), "")
        assert clock.naps == 0


class TestCommand:
    @pytest.fixture(autouse=True)
    def _at_noon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(waiting, "now", lambda: at("12:00"))

    @pytest.fixture
    def prices(self, tmp_path: Any) -> str:
        path = tmp_path / "prices.csv"
        rows = [f"2026-11-25T{h:02}:00Z,{(h - 15) ** 2}" for h in range(24)]
        path.write_text("\n".join(["start,gCO2/kWh", *rows]))
        return str(path)

    def test_schedule_prints_the_choice(self, prices: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["schedule", "--series", prices, "--expected-duration", "3600"]) == 0
        text = capsys.readouterr().out
        assert text.startswith(
            "start 2026-11-25 15:00Z, in 3:00:00\nexpected mean 0.00 gCO2/kWh; starting now 9.00"
        )
        assert "> 2026-11-25 15:00Z" in text

    def test_mistakes_of_window_and_series_come_together(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            command.main(["schedule", "--series", "absent", "--window", "x", "--expected-duration", "nan"])
            == 2
        )
        assert len(capsys.readouterr().err.splitlines()) == 3

    @pytest.fixture
    def started(self, monkeypatch: pytest.MonkeyPatch) -> list[run.Options]:
        options: list[run.Options] = []

        def record(given: run.Options) -> int:
            options.append(given)
            return 0

        monkeypatch.setattr(run, "main", record)
        return options

    def test_run_waits_and_hands_the_record_on(
        self, prices: str, started: list[run.Options], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(waiting, "wait", lambda plan: plan.start)
        assert command.main(["run", "--window", "12:00-20:00", "--series", prices]) == 0
        assert started[0].schedule is not None
        assert started[0].schedule["start"] == "2026-11-25T15:00:00+00:00"

    def test_run_without_either_starts_at_once(self, started: list[run.Options]) -> None:
        assert command.main(["run"]) == 0
        assert started[0].schedule is None

    def test_an_interrupted_wait_starts_nothing(
        self, started: list[run.Options], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def interrupted(plan: Plan) -> datetime:
            raise KeyboardInterrupt

        monkeypatch.setattr(waiting, "wait", interrupted)
        assert command.main(["run", "--window", "22:00-06:00"]) == 130
        assert started == []
        assert "nothing was started" in capsys.readouterr().err

    @pytest.mark.parametrize("more", [["--workloads", "./absent.yaml"], ["--gate", "absent.json"]])
    def test_other_mistakes_are_told_before_the_wait(
        self, more: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waits: list[Plan] = []
        monkeypatch.setattr(waiting, "wait", waits.append)
        assert command.main(["run", "--window", "22:00-06:00", *more]) == 2
        assert waits == []
