"""Which names can be rotated, and what the configuration may say about them."""

from datetime import date

import pytest

from components.planning.issues import ConfigError
from components.planning.rotation import FIXED, ROTATABLE, read

DAY = "2026-01-01"


def faults(counts: object, renewed: object = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(counts, DAY, renewed)  # type: ignore[arg-type]
    return [str(issue) for issue in caught.value.issues]


def test_without_a_rotation_everything_is_in_its_first_generation() -> None:
    generations = read(None, DAY, None)
    assert {generations.of(name) for name in ROTATABLE} == {1}
    assert generations.renewed == generations.issued == date(2026, 1, 1)


def test_the_first_generation_has_none_before_it() -> None:
    generations = read({"s3/root": 3}, DAY, "2026-02-01")
    assert (generations.before("s3/root"), generations.before("ray/token")) == (2, 1)
    assert generations.renewed == date(2026, 2, 1)


def test_all_mistakes_come_at_once() -> None:
    found = faults({"s3/clinet": 2, "s3/root": 0, "ray/token": True, "vault/writer": "2"}, "soon")
    assert len(found) == 5


def test_a_misspelt_name_is_told_with_the_right_ones() -> None:
    (fault,) = faults({"s3/clinet": 2})
    assert "did you mean 's3/client'" in fault
    assert all(name in fault for name in ROTATABLE)


@pytest.mark.parametrize("name", FIXED)
def test_what_has_to_stay_is_refused_with_its_reason(name: str) -> None:
    (fault,) = faults({name: 2})
    assert "cannot be rotated: it encrypts" in fault
    assert "with a new one no" in fault


@pytest.mark.parametrize("renewed", ["2026-13-01", "", date(2026, 1, 1)])
def test_a_date_is_a_text(renewed: object) -> None:
    assert "is not a date in quotes" in faults({}, renewed)[0]


@pytest.mark.parametrize("counts", [[], "certificates", 2])
def test_generations_are_a_mapping(counts: object) -> None:
    assert "is not a mapping" in faults(counts)[0]


@pytest.mark.parametrize(
    "issued",
    ["2026-11-28 00:00:00 +0000 UTC", "30.11.2026", "2026-02-30", "2999-01-01", "0001-01-01", "20260101", ""],
)
def test_a_day_of_issue_that_is_none_is_told_as_it_arrives_from_pulumi(issued: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(None, issued, None)
    assert [issue.path for issue in caught.value.issues] == ["config.aidc:issued"]
