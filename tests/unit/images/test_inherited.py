"""What MLflow's set-up takes over from a stack that served by aliases."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.core.config import known_names
from benchmark.tracking import registry, serving_record
from images.tracking.tracker import inherited
from tests.unit.images import stand_ins

SHA = "a" * 64
CARD = "models/mlp/r/seed-1/model.json"
HISTORY = "7"


class GoneError(Exception):
    pass


@pytest.fixture(autouse=True)
def mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins.mlflow(monkeypatch, GoneError)


class Runs:
    """One run of the benchmark, that of the first seed of `mlp`."""

    def __init__(self, **other: str) -> None:
        tags = {
            "aidc.part": "mlp/seed-1",
            "model_sha256": SHA,
            "model_key": CARD.replace("json", "safetensors"),
        }
        self.tags, self.experiment = {**tags, **other}, HISTORY

    def get_run(self, run_id: str) -> Any:
        if run_id != "run":
            raise GoneError
        info = SimpleNamespace(experiment_id=self.experiment)
        return SimpleNamespace(info=info, data=SimpleNamespace(tags=self.tags, params={}))


def version(number: int, run_id: str = "run", **tags: str) -> Any:
    told = {"card": CARD, "sha256": SHA, **tags}
    return SimpleNamespace(version=str(number), run_id=run_id, tags=told, creation_timestamp=1000 + number)


def model(name: str = "mlp", **aliases: str) -> Any:
    return SimpleNamespace(name=name, aliases=aliases)


def kinds(found: Any) -> list[tuple[str, int]]:
    return [
        (kind, state["version"] if kind == "admitted" else state["champion"]["version"])
        for kind, state in found
    ]


def test_both_sides_speak_of_the_same() -> None:
    assert sorted(inherited.WORKLOADS) == known_names()
    assert (inherited.RECORD, inherited.SCHEMA) == (serving_record.EXPERIMENT, serving_record.SCHEMA)
    assert sorted(inherited.ALIASES) == sorted(registry.RECORDED)


def test_a_champion_that_the_benchmark_trained_is_taken_over() -> None:
    aliases = {"champion": "2", "previous": "1", "canary": "1"}
    found = list(inherited.entries(model(**aliases), [version(1, share="10"), version(2)], Runs(), HISTORY))
    assert kinds(found) == [("admitted", 1), ("admitted", 2), ("served", 2)]
    state = serving_record._state(found[-1][1])
    assert state is not None
    assert state.champion == serving_record.Entry(version=2, card=CARD, sha256=SHA, created="1002")
    assert (state.previous, state.canary) == (serving_record._entry(found[0][1]),) * 2
    assert (state.share, state.revision) == (10, 1)


@pytest.mark.parametrize(
    "forged",
    [
        version(1, sha256="b" * 64),
        version(1, card="models/mlp/mine/model.json"),
        version(1, run_id="of somebody else"),
        version(1, sha256="", card=""),
    ],
    ids=["other weights", "another card", "another run", "no tags"],
)
def test_a_version_that_no_run_proves_is_not_taken_over(forged: Any) -> None:
    assert list(inherited.entries(model(champion="1"), [forged], Runs(), HISTORY)) == []


def test_a_run_of_another_workload_or_experiment_proves_nothing() -> None:
    other = Runs(**{"aidc.part": "digits/seed-1"})
    assert list(inherited.entries(model(champion="1"), [version(1)], other, HISTORY)) == []
    assert list(inherited.entries(model(champion="1"), [version(1)], Runs(), "8")) == []


@pytest.mark.parametrize("share", ["", "0", "100", "ten", "٣"])
def test_a_canary_without_a_share_is_not_taken_over(share: str) -> None:
    aliases = {"champion": "1", "canary": "2"}
    found = list(inherited.entries(model(**aliases), [version(1), version(2, share=share)], Runs(), HISTORY))
    assert (found[-1][1]["canary"], found[-1][1]["share"]) == (None, 0)


class Registry:
    def __init__(self, *models: Any) -> None:
        self.models = models

    def search_registered_models(self, page_token: str | None) -> Any:
        """One a page."""
        number = int(page_token or 0)
        return Page(
            self.models[number : number + 1], str(number + 1) if number + 1 < len(self.models) else None
        )

    def search_model_versions(self, condition: str, page_token: str | None) -> Any:
        return Page([version(1)], None)


class Page(list[Any]):
    def __init__(self, found: Any, token: str | None) -> None:
        super().__init__(found)
        self.token = token


def test_what_jobs_owned_is_not_taken_over_and_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: list[str] = []
    monkeypatch.setattr(
        inherited, "write", lambda runs, record, name, kind, state: written.append(f"{name} {kind}")
    )
    registry = Registry(
        model("slope", champion="3"), model("mlp", champion="1"), model("digits", champion="1")
    )
    inherited.taken_over(Runs(), registry, "6", HISTORY, {"digits"})
    assert written == ["mlp admitted", "mlp served"]
    said = capsys.readouterr().out
    assert "slope: version 3 was champion by an alias that jobs may set" in said
    assert "fix: `make promote MODEL=slope VERSION=3`" in said
    assert "digits: version 1 was champion" in said


@pytest.mark.parametrize("name", ["it's", 'a"b', "a`b", "a\\b"])
def test_a_name_that_would_end_a_condition_is_not_asked_for(name: str) -> None:
    assert list(inherited.versions(Registry(), name)) == []
