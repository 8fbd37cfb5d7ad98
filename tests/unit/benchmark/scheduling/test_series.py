"""Price and carbon series: both formats, and every mistake with its line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from benchmark.core.errors import ConfigError
from benchmark.scheduling import series

HOURLY = """start,EUR/MWh
2026-11-25T22:00Z,41.2
2026-11-25T23:00Z,-3
2026-11-26T01:00+01:00,1e1
"""


def parse(text: str) -> series.Series:
    return series.parse(text, "prices", "folder/prices", "0" * 64)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


def lines_of(found: list[str]) -> list[int]:
    assert all(problem.startswith("folder/prices:") for problem in found)
    return sorted(int(problem.split(":")[1]) for problem in found)


def test_csv_names_its_unit_in_the_header_and_converts_time_zones() -> None:
    found = parse(HOURLY)
    begin = datetime(2026, 11, 25, 22, tzinfo=UTC)
    assert found.unit == "EUR/MWh"
    assert [slot.value for slot in found.slots] == [Fraction(412, 10), -3, 10]
    assert [slot.start for slot in found.slots] == [begin + timedelta(hours=i) for i in range(3)]
    assert (found.start, found.end) == (begin, begin + timedelta(hours=3))


@pytest.mark.parametrize("indent", [None, 1, "\t"])
def test_json_says_the_same(indent: int | str | None) -> None:
    rows = [line.split(",") for line in HOURLY.splitlines()[1:]]
    content = {"unit": "EUR/MWh", "slots": [{"start": s, "value": float(v)} for s, v in rows]}
    assert parse(json.dumps(content, indent=indent)) == parse(HOURLY)


def test_blank_lines_and_windows_line_ends_do_not_matter() -> None:
    assert parse("\n" + HOURLY.replace("\n", "\r\n\r\n")) == parse(HOURLY)


def test_a_file_is_known_by_name_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HOURLY.encode())
    found = series.load(path)
    assert (found.name, len(found.sha256), found.unit) == ("prices.csv", 64, "EUR/MWh")


def test_all_mistakes_come_at_once_with_their_lines() -> None:
    text = "start,EUR/MWh\n2026-11-25T22:00Z,x\n2026-11-25 23:00,1\nyesterday,nan\n2026-11-26T01:00Z,1,2\n"
    assert lines_of(problems(text)) == [2, 3, 4, 4, 5]


@pytest.mark.parametrize(
    ("starts", "line", "word"),
    [
        (("00", "01", "03", "04"), 4, "gap"),
        (("00", "01", "01", "02"), 4, "the same start as"),
        (("00", "01", "03", "02"), 5, "earlier than"),
    ],
)
def test_starts_that_are_not_evenly_apart_are_refused(starts: tuple[str, ...], line: int, word: str) -> None:
    text = "start,EUR/MWh\n" + "".join(f"2026-11-26T{hour}:00Z,1\n" for hour in starts)
    assert any(p.startswith(f"folder/prices:{line}: ") and word in p for p in problems(text))


def test_a_slot_that_is_too_short_overlaps() -> None:
    starts = ("00:00", "01:00", "02:00", "02:30", "03:30")
    text = "start,EUR/MWh\n" + "".join(f"2026-11-26T{start}Z,1\n" for start in starts)
    assert [p.split(" ")[1] for p in problems(text)] == ["overlap:"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "fewer than two slots"),
        ("start,EUR/MWh\n2026-11-25T22:00Z,1\n", "fewer than two slots"),
        ("2026-11-25T22:00Z,1\n2026-11-25T23:00Z,1\n", "1: no header"),
        ("start,41\n2026-11-25T22:00Z,1\n2026-11-25T23:00Z,1\n", "1: no header"),
        ("start;EUR\n2026-11-25T22:00Z;1\n", "1 columns"),
        (HOURLY.replace("41.2", '"41.2'), "is not valid CSV"),
        (HOURLY.replace("41.2", "1e999999999"), "2: '1e999999999' is not a valid number"),
        (HOURLY.replace("2026-11-25T22", "0001-01-01T00"), "2: '0001-01-01T00:00Z' is not a valid time"),
        ('{"unit": "x",\n"slots": [}', "2: is not valid JSON"),
        ("[1, 2]", "1: must be"),
        ('{"unit": "x",\n"slots": 3}', "2: slots: must be a list"),
        ('{"unit": "x"}', "1: slots: must be a list"),
        ('{"slots": []}', "1: unit: name it"),
        ('{"unit": "x", "slots": [\n{"start": "2026-11-25T22:00Z"}]}', "2: a slot has a start and a value"),
        ('{"unit": "x", "slots": [\n{"start": "2026-11-25T22:00Z", "value": [1]}]}', "2: a slot has"),
        (
            '{"unit": "x", "slots": [7,\n{"start": "2026-11-25T22:00Z", "value": NaN}]}',
            "2: 'NaN' is not a valid number",
        ),
        ('{"unit": "\x7f\x00", "slots": []}', "is not valid JSON"),
        ('{"unit": "x", "slots": [], "more": "\x7f"}', "cannot be read"),
    ],
)
def test_a_mistake_is_explained(text: str, word: str) -> None:
    found = problems(text)
    lines_of(found)
    assert any(word in problem for problem in found)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        series.load(tmp_path / "absent.csv")
    (tmp_path / "latin").write_bytes(b"start,\xa3/MWh\n")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        series.load(tmp_path / "latin")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 200_000, "is nested too deeply"),
        ('{"unit": "x", "slots": ' + "[" * 3000 + "]" * 3000 + "}", "is nested too deeply"),
        ('{"unit": "x", "slots": [{"start": "2026-01-01T00:00Z", "value": 1, "value": 2}]}', "a start and"),
    ],
)  # fmt: skip
def test_json_that_is_too_deep_or_says_a_thing_twice_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "series.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        series.load(path)
