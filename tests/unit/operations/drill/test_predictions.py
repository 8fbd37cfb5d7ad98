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


def test_the_record_s_hash_of_the_answer_goes_with_the_model() -> None:
    row = {"model": "mlp", "version": 3, "card": CHAMPION.card, "sha256": SHA, "answer": "cd" * 32}
    (found,) = wanted([row], {})
    assert str(found) == f"{CHAMPION}@{'cd' * 32}"
    assert wanted([{**row, "answer": None}], {}) == [CHAMPION]


def test_without_a_registry_what_is_served_is_asked() -> None:
    assert [str(w) for w in wanted([], {"mlp": SHA})] == [f"mlp:{SHA}"]


def test_the_live_answer_comes_before_the_recorded_one() -> None:
    answered = {"models": [{**ANSWERED["models"][0], "recorded": other(0)}], "faults": {}}
    (row,) = judge([CHAMPION], answered, {"mlp": ANSWER})
    assert (row.outcome, row.against, row.version) == ("equal", "live", 3)
    (row,) = judge([CHAMPION], answered, {})
    assert (row.outcome, row.against) == ("different", "recorded")


@pytest.mark.parametrize(
    ("named", "words"), [(True, "recorded ones"), (False, "recorded ones of before the serving record had")]
)
def test_the_detail_says_whose_word_it_is(named: bool, words: str) -> None:
    answered = {"models": [{**ANSWERED["models"][0], "recorded": ANSWER, "named": named}], "faults": {}}
    (row,) = judge([CHAMPION], answered, {})
    assert row.detail.startswith(f"1 answers equal the {words}")


REPLACED = {**ANSWERED["models"][0], "named": True, "replaced": "results/answers/x.json: corrupt or replaced"}


def test_a_replaced_answer_fails_where_no_live_one_is_to_be_had() -> None:
    found = judge([CHAMPION], {"models": [REPLACED], "faults": {}}, {})
    assert [row.outcome for row in found] == ["failed"]
    assert faults(found)[0].startswith(
        "model mlp, version 3: its recorded answer cannot be believed: results/"
    )


def test_a_replaced_answer_is_told_and_fails_nothing_where_the_live_one_is_equal() -> None:
    (row,) = judge([CHAMPION], {"models": [REPLACED], "faults": {}}, {"mlp": ANSWER})
    assert (row.outcome, row.against) == ("equal", "live")
    assert "results/answers/x.json" in row.detail


def test_a_named_answer_that_is_not_in_the_backup_is_told() -> None:
    missing = {**ANSWERED["models"][0], "named": True, "missing": "results/answers/x.json"}
    (row,) = judge([CHAMPION], {"models": [missing], "faults": {}}, {})
    assert row.outcome == "not compared"
    assert "results/answers/x.json is not in the backup" in row.detail


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


@pytest.mark.parametrize("kept", [10**400, [[0.25]], None])
def test_an_answer_of_other_numbers_than_there_are_differs(kept: Any) -> None:
    (fault,) = different(ANSWER, other(1, kept, 0.75))
    assert fault == "instance 0: the answers are of another shape"


def test_an_answer_of_endless_lists_differs() -> None:
    nested: Any = 0.25
    for _ in range(5000):
        nested = [nested]
    (fault,) = different([nested], [nested])
    assert "another shape" in fault
