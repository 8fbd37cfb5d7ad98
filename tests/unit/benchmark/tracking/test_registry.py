"""Versions and aliases: what is registered, what may be a candidate, and which version a user means."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError, StackError
from benchmark.tracking import promotion, registering, registry
from benchmark.tracking.recording import Recorder
from benchmark.tracking.registry import Version


def registered(client: MlflowClient, result: dict[str, Any]) -> dict[str, Version]:
    return registering.register(client, result, Recorder(client).record_ids(result))


def test_the_model_of_the_first_seed_becomes_a_version_once(
    client: MlflowClient, complete: dict[str, Any]
) -> None:
    first = registered(client, complete)
    assert registered(client, complete) == first
    version = registry.catalogue(client)["mlp"][0]
    seed = complete["configuration"]["workloads"]["mlp"]["seeds"][0]
    (card,) = [r["model"] for r in complete["training"] if (r["workload"], r["seed"]) == ("mlp", seed)]
    assert version.tags["sha256"] == card["sha256"]
    assert version.served["card"] == card["key"].rpartition("/")[0] + "/model.json"
    assert len(registry.catalogue(client)["mlp"]) == 1


def test_another_run_is_another_version(client: MlflowClient, complete: dict[str, Any]) -> None:
    registered(client, complete)
    found = registered(client, {**complete, "run_id": "20260102-000000"})
    assert found["mlp"].number == 2


QUALITY, ANSWERS, LATENCY = "quality of mlp", "mlp as served equals as trained", "latency of mlp"


@pytest.mark.parametrize(
    ("verdicts", "passed"),
    [
        ({QUALITY: "pass", ANSWERS: "pass"}, True),
        ({QUALITY: "pass", ANSWERS: "pass", LATENCY: "inconclusive"}, True),
        ({QUALITY: "pass", ANSWERS: "pass", LATENCY: "fail"}, False),
        ({QUALITY: "inconclusive", ANSWERS: "pass"}, False),
        ({QUALITY: "pass"}, False),
    ],
)
def test_only_what_was_judged_and_passed_is_a_candidate(verdicts: dict[str, str], passed: bool) -> None:
    rows = [{"name": name, "verdict": verdict} for name, verdict in verdicts.items()]
    assert registering.passes(rows, "mlp") is passed


def test_an_older_run_does_not_take_the_candidate_from_a_newer_one(
    client: MlflowClient, complete: dict[str, Any]
) -> None:
    complete["verdicts"] = [
        {"name": name, "verdict": "pass", "expected": "", "actual": ""} for name in (QUALITY, ANSWERS)
    ]
    older = registered(client, complete)
    newer = registered(client, {**complete, "run_id": "20260102-000000"})
    registering.judge(client, complete, newer)
    registering.judge(client, complete, older)
    candidate = registry.with_alias(registry.catalogue(client)["mlp"], registry.CANDIDATE)
    assert candidate is not None
    assert candidate.number == newer["mlp"].number


def test_the_champion_of_before_is_the_previous_one_and_the_two_change_places(
    client: MlflowClient, complete: dict[str, Any]
) -> None:
    first = registered(client, complete)["mlp"]
    second = registered(client, {**complete, "run_id": "20260102-000000"})["mlp"]

    def aliases() -> dict[str, int]:
        return {a: v.number for v in registry.catalogue(client)["mlp"] for a in v.aliases}

    promotion.record_champion(client, first, "by a test", print)
    assert aliases() == {"champion": 1}
    promotion.record_champion(client, second, "by a test", print)
    assert aliases() == {"champion": 2, "previous": 1}
    back = registry.choose(registry.catalogue(client), "mlp", "previous")
    promotion.record_champion(client, back, "by a test", print)
    assert aliases() == {"champion": 1, "previous": 2}


def test_mistakes_in_names_are_told_with_what_there_is() -> None:
    known = {"bytelm": [Version(model="bytelm", number=7, aliases=("champion",))]}
    with pytest.raises(ConfigError, match=r"MODEL: 'bytlm': not registered.*did you mean 'bytelm'"):
        registry.choose(known, "bytlm", "7")
    with pytest.raises(ConfigError, match="VERSION: '8': bytelm has no such version; it has 7, champion"):
        registry.choose(known, "bytelm", "8")
    with pytest.raises(ConfigError, match="did you mean 'champion'"):
        registry.choose(known, "bytelm", "champian")
    with pytest.raises(ConfigError, match="MODEL: 'mlp': has no version yet; fix: `make bench`"):
        registry.choose({"mlp": []}, "mlp", "candidate")


def test_a_version_that_somebody_else_registered_is_not_served() -> None:
    with pytest.raises(StackError, match="version 1: tag card, sha256: missing"):
        _ = Version(model="mine", number=1).served
