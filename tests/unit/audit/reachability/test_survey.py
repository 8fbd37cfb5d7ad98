"""What the live part decides before and after it probes."""

from __future__ import annotations

import pytest

from audit.reachability import matrix, survey
from audit.reachability.probes import CLIENTS, INTERNET_ADDRESS
from audit.verdicts import Row


def test_the_table_is_the_one_that_the_rules_make() -> None:
    rules = "# comment\ntable inet aidc_test\ndelete table inet aidc_test\ntable inet aidc_test {\n}\n"
    assert survey.table_of(rules) == "aidc_test"
    assert survey.table_of("") == ""


def test_clients_are_on_the_host() -> None:
    assert survey.place_of(CLIENTS) == "host"
    assert survey.place_of("vault") == "vault"


@pytest.mark.parametrize(
    ("state", "said"), [("open", "itself reaches it"), ("blocked", "does not reach it either")]
)
def test_the_internet_says_whether_the_host_has_one(state: str, said: str) -> None:
    seen = survey.Observations([], from_host={INTERNET_ADDRESS: state})
    row = survey._with_control(Row("containers do not reach the internet", "pass", "10 probes"), seen)
    assert said in row.detail


@pytest.mark.parametrize(
    ("state", "verdict"), [("open", "pass"), ("refused", "pass"), ("blocked", "not checked")]
)
def test_another_host_that_cannot_reach_us_proves_nothing(state: str, verdict: str) -> None:
    seen = survey.Observations([], from_outside=state)
    assert survey._with_control(Row(matrix.DIRECT, "pass", "10 probes"), seen).verdict == verdict


def test_a_failure_stays_one_without_its_control() -> None:
    seen = survey.Observations([], from_outside="blocked")
    assert survey._with_control(Row(matrix.DIRECT, "fail", "open"), seen).verdict == "fail"
