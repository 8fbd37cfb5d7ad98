"""Our verdict on schedules is the scheduler's own, and stricter only for stated reasons."""

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.planning import cron

VALUES = st.one_of(
    st.integers(0, 70).map(str),
    st.integers(0, 12).map(lambda n: f"{n:02}"),
    st.sampled_from(["jan", "MAR", "december", "sun", "Sat", "friday", "000002", "x", "３", "-1"]),
)
STEPS = st.one_of(st.integers(0, 100).map(str), st.sampled_from(["01", "007", "1970"]))
ENTRIES = st.one_of(
    st.sampled_from(["*", "?", "l", "L", "lw", "15w", "31W", "5l", "5#2", "7#5", "3#6", "", "foo", "*/"]),
    VALUES,
    st.builds("{}-{}".format, VALUES, VALUES),
    st.builds("*/{}".format, STEPS),
    st.builds("{}/{}".format, VALUES, STEPS),
    st.builds("{}-{}/{}".format, VALUES, VALUES, STEPS),
)
FIELDS = st.lists(ENTRIES, min_size=1, max_size=3).map(",".join)
# Mostly fields that are right, so that a fault in one of them is seen.
GOOD = (
    ("*", "0", "*/5", "5-20/3"),
    ("*", "3", "*/2"),
    ("*", "1", "15,l"),
    ("*", "2", "jan-mar"),
    ("*", "1-5", "mon"),
)
SOUND = st.tuples(*(st.sampled_from(good) for good in GOOD))
SCHEDULES = st.builds(
    lambda sound, place, field: (*sound[:place], field, *sound[place + 1 :]), SOUND, st.integers(0, 4), FIELDS
)


def takes(program: str, schedule: str, folder: Path) -> bool:
    """Whether supercronic's own test mode accepts the line that we write into its file."""
    (folder / "crontab").write_text(f"{schedule} backup run\n", encoding="utf-8")
    command = [program, "-test", str(folder / "crontab")]
    return subprocess.run(command, capture_output=True, text=True, check=False).returncode == 0


def is_taken(schedule: str) -> bool:
    try:
        cron.parse(schedule)
    except ValueError:
        return False
    return True


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # fmt: skip
@given(fields=SCHEDULES)
def test_the_parser_takes_what_the_scheduler_takes(
    supercronic: str, fields: tuple[str, ...], tmp_path: Path
) -> None:
    schedule = " ".join(fields)
    if any(not field for field in fields):
        schedule = " ".join(field or "," for field in fields)
    assert is_taken(schedule) == takes(supercronic, schedule, tmp_path), schedule


@settings(max_examples=400, deadline=None)
@given(fields=SCHEDULES)
def test_what_the_check_accepts_the_parser_takes(fields: tuple[str, ...]) -> None:
    try:
        accepted = cron.check(" ".join(fields))
    except ValueError:
        return
    assert is_taken(accepted)
    assert cron.ever_runs(cron.parse(accepted))


@pytest.mark.parametrize(
    "schedule",
    [
        *(
            "*/30 * * * *",
            "0 0 29 2 *",
            "15 2 * * mon-fri",
            "0 3 l * *",
            "0 3 * * 5#5",
            "0 3 31 2 1",
            "5,20 ? * * 7",
        ),
    ],
)
def test_a_sound_schedule_is_accepted(schedule: str) -> None:
    assert cron.check(schedule) == schedule


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("*/60 * * * *", "step"),
        ("0 */24 * * *", "step"),
        ("0 3 * * 6-7", "7 stands for Sunday"),
        ("0 3 * * 5-7/1", "7 stands for Sunday"),
        ("0 3 * * */7", "step"),
        ("0 0 31 2 *", "never runs"),
        ("0 0 30,31 feb *", "never runs"),
        ("30-10/5 * * * *", "ends before it begins"),
        ("0 3 * * 0-7", "Sunday only"),
        ("0 3 * * 05", "Sunday"),
        ("*,foo * * * *", "is not a minute"),
        ("*/30 * * * *\n", "contains '\\n'"),
        ("*/30\u00a0* * * *", "\\xa0"),
        ("*/3０ * * * *", "０"),
        ("000002 * * * *", "is not a minute"),
        ("*/30 * * *", "five fields"),
        ("@daily", "five fields"),
        ("", "five fields"),
    ],
)
def test_a_schedule_that_would_not_work_is_refused_with_its_reason(schedule: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        cron.check(schedule)
