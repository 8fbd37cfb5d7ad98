"""The restored models' answers against the live ones: what was not shown to be equal never counts as that."""

from __future__ import annotations

import math
from typing import Any

import pytest

from operations.drill.predictions import Wanted, different, faults, judge, summary, wanted

SHA = "ab" * 32
CHAMPION = Wanted("mlp", SHA, "models/mlp/r/model.json", 3)
ANSWER = [{"label": 1, "probabilities": [0.25, 0.75]}]
ANSWERED: dict[str, Any] = {
    "models": [{"model": "mlp", "sha256": SHA, "instances": [[0]], "predictions": ANSWER, "recorded": None}],
    "faults": {},
}


def other(label: int = 1, *probabilities: Any) -> list[dict[str, Any]]:
    return [{"label": label, "probabilities": list(probabilities or (0.25, 0.75))}]


def test_champions_are_asked_and_not_what_else_is_served() -> None:
    row = {"model": "mlp", "version": 3, "card": CHAMPION.card, "sha256": SHA}
    foreign = {"model": "own", "version": 1, "card": None, "sha256": None}
    assert wanted([row, foreign], {"digits": "cd"}) == [CHAMPION]
    assert str(CHAMPION) == f"mlp:{SHA}:models/mlp/r/model.json"


def test_without_a_registry_what_is_served_is_asked() -> None:
    assert [str(w) for w in wanted([], {"mlp": SHA})] == [f"mlp:{SHA}"]


def test_the_live_answer_comes_before_the_recorded_one() -> None:
    answered = {"models": [{**ANSWERED["models"][0], "recorded": other(0)}], "faults": {}}
    (row,) = judge([CHAMPION], answered, {"mlp": ANSWER})
    assert (row.outcome, row.against, row.version) == ("equal", "live", 3)
    (row,) = judge([CHAMPION], answered, {})
    assert (row.outcome, row.against) == ("different", "recorded")


def test_a_model_with_nothing_to_compare_neither_passes_nor_fails() -> None:
    found = judge([CHAMPION], ANSWERED, {})
    assert found[0].outcome == "not compared"
    assert faults(found) == []
    assert summary(found) == "prediction of mlp: not compared"


@pytest.mark.parametrize(
    "there",
    [
        other(0),
        other(1, 0.2502, 0.7498),
        other(1, math.nan, 0.75),
        other(1, 0.25, 0.5, 0.25),
        [*ANSWER, *ANSWER],
        [],
        [{"label": 1}],
        ["text"],
    ],
)
def test_another_answer_fails_and_names_the_model(there: list[Any]) -> None:
    found = judge([CHAMPION], ANSWERED, {"mlp": there})
    assert found[0].outcome == "different"
    assert faults(found)[0].startswith("model mlp, version 3: ")


def test_an_answer_that_is_not_a_number_is_not_equal_to_itself() -> None:
    nothing = other(1, math.nan, math.nan)
    answered = {"models": [{**ANSWERED["models"][0], "predictions": nothing}], "faults": {}}
    assert judge([CHAMPION], answered, {"mlp": nothing})[0].outcome == "different"


@pytest.mark.parametrize(
    "answered",
    [{"models": [], "faults": {"mlp": "no such object"}}, {"fault": "killed"}, {"models": [], "faults": {}}],
)
def test_a_champion_that_did_not_answer_fails(answered: dict[str, Any]) -> None:
    (row,) = judge([CHAMPION], answered, {"mlp": ANSWER})
    assert row.outcome == "failed"


def test_a_served_model_that_is_newer_than_the_snapshot_is_not_compared() -> None:
    (row,) = judge([Wanted("mlp", SHA)], {"models": [], "faults": {"mlp": "no card names it"}}, {})
    assert row.outcome == "not compared"


@pytest.mark.parametrize(
    ("here", "there", "words"),
    [
        ([[1.0, 2.0]], [[1.0, 2.00001]], []),
        ([{"p": [1e9], "n": 3}], [{"p": [1e9 + 1], "n": 3}], []),
        ([[1.0]], [[1.1]], ["instance 0: the answers differ by up to 1.0e-01"]),
        ([[1.0]], [[1.0, 2.0]], ["instance 0: the answers are of another shape"]),
        ([{"p": 1.0}], [{"q": 1.0}], ["instance 0: the answers are of another shape"]),
        ([[float("nan")]], [[1.0]], ["instance 0: the answers differ by up to nan"]),
    ],
)
def test_answers_of_a_users_model_are_compared_number_by_number(
    here: list[Any], there: list[Any], words: list[str]
) -> None:
    assert list(different(here, there)) == words
