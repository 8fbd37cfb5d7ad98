"""A version that answers a share of the requests: started, ended, brought back; and which one is promoted."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmark.checkpoints.artefact import card_digest
from benchmark.cluster import inner_job, replicas
from benchmark.cluster import stack as stacks
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.ray_api import RayClient
from benchmark.cluster.stack import Stack
from benchmark.commands import retire
from benchmark.commands.models import rows
from benchmark.commands.promote import share
from benchmark.core.documents import put_json
from benchmark.core.errors import CheckpointError, ConfigError, StackError
from benchmark.core.store import DirectoryStore
from benchmark.tracking import admission, promotion, registry, rollout, serving_record
from benchmark.tracking.registry import Version

MODEL = "slope"


class Deployed:
    """What replicas are told, without replicas."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.models: replicas.Models = {}
        self.failed: dict[str, str] = {}
        self.required: list[str] = []
        monkeypatch.setattr(replicas, "deployed", lambda _: (self.models, {"min_replicas": 2}))
        monkeypatch.setattr(replicas, "roll_out", self.roll_out)
        monkeypatch.setattr(rollout, "check", lambda *_: None)

    def roll_out(
        self, _ray: Any, _endpoint: Any, models: replicas.Models, _limits: Any, *, required: Any = None
    ) -> dict[str, str]:
        self.models, self.required = models, list(required)
        return self.failed


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Deployed:
    monkeypatch.setattr(Stack, "ray", lambda _: None)
    monkeypatch.setattr(Stack, "store", lambda _: None)
    monkeypatch.setattr(Stack, "inference", lambda _: None)
    return Deployed(monkeypatch)


@pytest.fixture
def versions(client: MlflowClient) -> list[Version]:
    """Two of a user's own model, admitted."""
    client.ensure_model(MODEL)
    found = []
    for number in ("1", "2"):
        tags = {"card": f"models/{MODEL}/{number}/model.json", "sha256": number * 64}
        made = client.create_version(MODEL, "s3://models/x", "r", tags)
        version = Version(model=MODEL, number=int(number), tags=tags, created=str(made["creation_timestamp"]))
        serving_record.admit(client, serving_record.read(client), MODEL, version.entry, "by a test")
        found.append(version)
    return found


STACK = Stack("s", {"services": []}, {})


def aliases(client: MlflowClient) -> dict[str, int]:
    return {a: v.number for v in registry.catalogue(client)[MODEL] for a in v.aliases}


def begin(client: MlflowClient, versions: list[Version]) -> None:
    promotion.promote(STACK, client, versions[0], print)
    promotion.try_beside(STACK, client, versions[1], 10, print)


def test_a_canary_is_deployed_beside_the_champion(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    assert aliases(client) == {"champion": 1, "canary": 2}
    assert deployed.models[MODEL]["version"] == "1"
    assert (
        deployed.models[f"{MODEL}@canary"] | {"share": "10", "version": "2"}
        == deployed.models[f"{MODEL}@canary"]
    )


def test_a_canary_ends_and_the_champion_stays(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    assert promotion.end_canary(STACK, client, MODEL, print)
    assert (aliases(client), list(deployed.models)) == ({"champion": 1}, [MODEL])
    assert not promotion.end_canary(STACK, client, MODEL, print)


def test_a_model_that_is_retired_answers_no_more_and_the_others_do(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    deployed.models |= {"mlp": {"card": "models/mlp/a/model.json", "sha256": "a" * 64}}
    assert promotion.retire(STACK, client, MODEL, print)
    assert (aliases(client), list(deployed.models)) == ({"previous": 1}, ["mlp"])
    assert not promotion.retire(STACK, client, MODEL, print)


def test_a_model_that_was_retired_is_one_command_away(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    promotion.retire(STACK, client, MODEL, print)
    promotion.promote(STACK, client, registry.choose(registry.catalogue(client), MODEL, "previous"), print)
    assert (aliases(client), deployed.models[MODEL]["version"]) == ({"champion": 1}, "1")


def test_where_the_record_fails_the_same_command_ends_it(
    client: MlflowClient, versions: list[Version], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(client, versions)

    def fails(*_: Any) -> None:
        raise StackError("MLflow is away")

    with monkeypatch.context() as patched:
        patched.setattr(serving_record, "serve", fails)
        with pytest.raises(StackError, match="the same command again"):
            promotion.retire(STACK, client, MODEL, print)
    assert promotion.retire(STACK, client, MODEL, print)
    assert aliases(client) == {"previous": 1}


@pytest.fixture
def command(
    client: MlflowClient, deployed: Deployed, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], int]:
    """`retire` of a model, on the client of these tests."""
    monkeypatch.setattr(stacks, "read", lambda *_: STACK)
    monkeypatch.setattr(Stack, "store", lambda _: DirectoryStore(tmp_path))
    monkeypatch.setattr(retire, "registry_of", lambda _: client)
    return lambda model: retire.main(argparse.Namespace(model=model, stack="s", inventory="", access=""))


def test_a_model_that_was_deleted_in_mlflow_can_be_retired(
    client: MlflowClient,
    versions: list[Version],
    deployed: Deployed,
    command: Callable[[str], int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    begin(client, versions)
    client.delete_model(MODEL)
    assert (command(MODEL), deployed.models) == (0, {})
    assert "`make demote MODEL=slope` serves it again" in capsys.readouterr().err


def test_a_model_that_never_was_is_refused(versions: list[Version], command: Callable[[str], int]) -> None:
    with pytest.raises(ConfigError, match="MODEL: 'slop': not registered; registered: slope"):
        command("slop")


def test_the_model_of_a_workload_is_not_retired(client: MlflowClient, command: Callable[[str], int]) -> None:
    client.ensure_model("mlp")
    client.create_version("mlp", "s3://models/x", "r", {})
    with pytest.raises(ConfigError, match="belongs to a workload"):
        command("mlp")


def test_a_canary_that_is_promoted_is_the_champion_alone(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    assert registry.default(registry.catalogue(client), MODEL) == "canary"
    assert promotion.promote(STACK, client, versions[1], print)
    assert aliases(client) == {"champion": 2, "previous": 1}
    assert {name: m["version"] for name, m in deployed.models.items()} == {MODEL: "2"}


def test_a_promotion_says_each_step_as_it_begins(
    client: MlflowClient, versions: list[Version], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    real = deployed.roll_out

    def roll_out(*given: Any, **more: Any) -> dict[str, str]:
        steps.append("-- rolled out")
        return real(*given, **more)

    monkeypatch.setattr(rollout, "check", lambda *_: steps.append("-- checked"))
    monkeypatch.setattr(replicas, "roll_out", roll_out)
    promotion.promote(STACK, client, versions[0], steps.append)
    assert [step.split()[:2] for step in steps] == [
        ["comparing", "the"], ["--", "checked"], ["replicas", "take"], ["--", "rolled"], ["writing", "the"]
    ]  # fmt: skip


def test_after_a_restore_champion_and_canary_come_back(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    begin(client, versions)
    assert rollout.champions(registry.catalogue(client)) == deployed.models


def test_a_canary_whose_champion_cannot_be_served_is_left_out_with_it(
    client: MlflowClient, versions: list[Version], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(client, versions)

    def check(_store: Any, name: str, _model: Any) -> None:
        if name == MODEL:
            raise StackError("its weights are gone")

    monkeypatch.setattr(rollout, "check", check)
    other = {"other": {"card": "k", "sha256": "f"}}
    rollout.put_in_service(STACK, other, {}, print)
    assert deployed.models == other


def test_without_a_champion_there_is_nothing_to_share(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    with pytest.raises(StackError, match="promote it without SHARE"):
        promotion.try_beside(STACK, client, versions[1], 10, print)
    assert deployed.models == {}


def test_a_version_that_was_never_checked_may_share(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    """It has no hashes yet: those come with the check, which is later."""
    promotion.promote(STACK, client, versions[0], print)
    promotion.may_share(registry.catalogue(client), replace(versions[1], number=3, tags={}))


def test_the_champion_itself_is_no_canary(
    client: MlflowClient, versions: list[Version], deployed: Deployed
) -> None:
    promotion.promote(STACK, client, versions[0], print)
    with pytest.raises(StackError, match="is the champion, and gets all requests"):
        promotion.try_beside(STACK, client, versions[0], 10, print)


def test_the_list_shows_the_share(client: MlflowClient, versions: list[Version], deployed: Deployed) -> None:
    begin(client, versions)
    answering = {name: m["sha256"] for name, m in deployed.models.items()}
    assert [row["served"] for row in rows(registry.catalogue(client), answering)] == ["10 %", "yes"]


def test_of_a_users_own_model_the_newest_is_the_default() -> None:
    own = {MODEL: [Version(model=MODEL, number=2), Version(model=MODEL, number=1)]}
    assert registry.default(own, MODEL) == "2"
    assert (
        registry.default({"mlp": [Version(model="mlp", number=2, tags={"run": "r"})]}, "mlp") == "candidate"
    )


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.5", "ten", "", "¹"])
def test_a_share_is_a_percentage(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 100"):
        share(text)


class Ray:
    """A job that writes these lines."""

    def __init__(self, *lines: str) -> None:
        self.lines, self.submitted = lines, ""

    def submit(self, entrypoint: str, _identifier: str) -> None:
        self.submitted = entrypoint

    def follow(self, _identifier: str, on_line: Callable[[str], None], _timeout: float) -> str:
        for line in self.lines:
            on_line(line)
        return "FAILED"


def test_what_a_node_found_out_becomes_tags(client: MlflowClient, versions: list[Version]) -> None:
    ray: Any = Ray("noise", '@progress {"card": "models/slope/k/model.json", "sha256": "abc"}')
    found = admission.admit(ray, client, versions[0], print)
    assert ray.submitted == "python3 -m benchmark.serving.admit slope 1"
    assert found.served == {"card": "models/slope/k/model.json", "sha256": "abc", "version": "1"}
    assert registry.catalogue(client)[MODEL][1].served == found.served


def test_a_model_that_cannot_be_served_is_told_and_not_tagged(
    client: MlflowClient, versions: list[Version]
) -> None:
    ray: Any = Ray('@error {"type": "CheckpointError", "message": "slope version 1: why"}')
    with pytest.raises(CheckpointError, match="slope version 1: why; nothing was changed"):
        admission.admit(ray, client, Version(model=MODEL, number=1), print)


def test_a_job_that_says_nothing_is_shown_with_its_last_lines(
    client: MlflowClient, versions: list[Version]
) -> None:
    ray: Any = Ray("Killed")
    with pytest.raises(StackError, match=r"FAILED(.|\n)*Killed"):
        admission.admit(ray, client, versions[0], print)


def test_a_check_that_takes_too_long_is_stopped_and_nothing_is_tagged(
    client: MlflowClient, versions: list[Version], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Hanging(RayClient):
        def _send(self, method: str, path: str, **_: Any) -> Any:
            asked.append(f"{method} {path}")
            body = {"submission_id": "j", "status": "RUNNING", "logs": ""}
            return SimpleNamespace(content=b"{}", json=lambda: body)

    monkeypatch.setattr(inner_job, "TIMEOUT_S", 0.0)
    before = registry.catalogue(client)[MODEL][1].tags
    with pytest.raises(StackError, match=r"admit-slope-1-\d+: has not ended after 0 s; it was stopped"):
        admission.admit(Hanging("http://ray"), client, versions[0], print)
    assert asked[-1].startswith("POST /api/jobs/admit-slope-1-")
    assert asked[-1].endswith("/stop")
    assert registry.catalogue(client)[MODEL][1].tags == before


def named(model: str, *aliases: str, **tags: str) -> Version:
    return Version(model=model, number=1, aliases=aliases, tags=tags)


def test_what_a_job_marked_by_itself_is_not_in_the_way_of_others() -> None:
    good = {"card": "models/mlp/r/seed-1/model.json", "sha256": "a" * 64}
    known = {
        "mlp": [named("mlp", "champion", **good)],
        "bare": [named("bare", "champion")],
        "elsewhere": [named("elsewhere", "champion", card="results/x/model.json", sha256="b" * 64)],
        "another": [named("another", "champion", **good)],
        "mlp@canary": [named("mlp@canary", "champion", card="models/mlp@canary/x.json", sha256="c" * 64)],
    }
    assert list(rollout.champions(known)) == ["mlp"]


@pytest.mark.parametrize("share", ["", "0", "100", "1000", "-5", "ten", "1e1", "nan", "٣"])
def test_a_share_that_is_no_percentage_is_none(share: str) -> None:
    tags = {"card": f"models/{MODEL}/1/model.json", "sha256": "a" * 64}
    known = {MODEL: [named(MODEL, "champion", **tags), named(MODEL, "canary", share=share, **tags)]}
    assert list(rollout.champions(known)) == [MODEL]


def test_weights_outside_the_models_own_place_are_not_served(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    card = {"sha256": "a" * 64, "key": "results/x/model.pt2"}
    put_json(store, "models/slope/x.json", card)
    with pytest.raises(CheckpointError, match="not below models/slope/"):
        rollout.check(store, "slope@canary", {"card": "models/slope/x.json", "sha256": "a" * 64})


def test_a_card_that_was_replaced_is_not_rolled_out(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    weights = b"weights"
    sha256 = hashlib.sha256(weights).hexdigest()
    card = {"sha256": sha256, "key": "models/slope/w", "model": {"kind": "mlp"}}
    store.put("models/slope/w", weights)
    put_json(store, "models/slope/x.json", card)
    told = {"card": "models/slope/x.json", "sha256": sha256, "card_sha256": card_digest(card)}
    rollout.check(store, MODEL, told)
    put_json(store, "models/slope/x.json", {**card, "model": {"kind": "gpt"}})
    with pytest.raises(CheckpointError, match="another hash than when it was admitted"):
        rollout.check(store, MODEL, told)


def test_a_promotion_does_not_fail_for_another_models_fault(
    client: MlflowClient, versions: list[Version], deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployed, "failed", {"other": "corrupt"})
    deployed.models = {"other": {"card": "k", "sha256": "f"}}
    said: list[str] = []
    assert promotion.promote(STACK, client, versions[0], said.append)
    assert deployed.required == [MODEL]
    assert aliases(client) == {"champion": 1}
    assert any(line.startswith("other: replicas cannot load it") and "corrupt" in line for line in said)
