"""A user's own model on the live stack: the tutorial as it is written, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import Any

import pytest

from benchmark.__main__ import main as benchmark
from benchmark.cluster import replicas
from benchmark.cluster import stack as stacks
from benchmark.cluster.connection import Connection
from benchmark.commands import promote
from benchmark.core.errors import CheckpointError, ConfigError, StackError
from benchmark.serving import recorded
from benchmark.tracking import registry, serving_record
from tests.acceptance.commands import aidc, blocks_of
from tests.acceptance.conftest import ROOT, STACK

TUTORIAL = ROOT / "docs" / "tutorial-own-model.md"
TIMEOUT_S = 480


@pytest.fixture(scope="module")
def model() -> str:
    """A name that no earlier run of these tests has used: its versions would be numbered otherwise."""
    return f"slope-{int(time.time())}"


@pytest.fixture(scope="module")
def tutorial(model: str) -> list[str]:
    """What each command block of the tutorial prints. The name of the model is the only change."""
    return blocks_of(TUTORIAL, r"""(NAME=|MODEL=|ask |model_name=")slope""", model)


def answers(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_model_that_a_job_registered_answers_with_its_version(tutorial: list[str], model: str) -> None:
    assert re.search(rf"{model} +1 +champion +yes", tutorial[2])
    (answer,) = answers(tutorial[3])
    assert answer["model_version"] == "1"
    assert [len(row) for row in answer["predictions"]] == [1, 1]


def test_input_that_does_not_fit_is_refused_by_field(tutorial: list[str]) -> None:
    first, second = answers(tutorial[4])
    assert (first["field"], first["expected"], first["got"]) == (
        "instances[0].x[2]", "float32", "the text 'zero'"
    )  # fmt: skip
    assert (second["field"], second["got"]) == ("instances[0].x", "a list of 3")


def test_a_canary_answers_its_share(tutorial: list[str]) -> None:
    counts = {v: int(n) for n, v in re.findall(r'(\d+) "model_version": "(\d)"', tutorial[6])}
    assert sum(counts.values()) == 200
    # Of 200 requests 50; five standard deviations are 31.
    assert 19 <= counts["2"] <= 81


def test_promote_and_demote_change_who_answers(tutorial: list[str]) -> None:
    promoted, demoted = answers(tutorial[7])
    assert (promoted["model_version"], demoted["model_version"]) == ("2", "1")
    # 400 steps find what the data were made with.
    assert promoted["predictions"][0][0] == pytest.approx(2, abs=0.1)


def test_what_each_champion_answered_is_recorded_for_drills(tutorial: list[str], model: str) -> None:
    stack = stacks.read(STACK)
    client = stack.tracking()
    assert client is not None
    record = serving_record.read(client)
    state = record.state(model)
    kept = [
        recorded.named(stack.store(), entry.sha256, record.answers[model, entry.sha256])
        for entry in (state.champion, state.previous)
        if entry
    ]
    assert [len(answer["predictions"]) for answer in kept if answer] == [recorded.INSTANCES] * 2


def test_an_unknown_model_is_named_beside_those_that_exist(tutorial: list[str], model: str) -> None:
    with Connection(stacks.read(STACK).inference(), timeout_s=30) as connection:
        status, body = connection.call("POST", "/v1/models/none:predict", b"{}")
    assert status == 404
    assert model in json.loads(body)["error"]


def test_what_cannot_be_promoted_is_refused_and_changes_nothing(tutorial: list[str], model: str) -> None:
    stack = stacks.read(STACK)

    def state() -> tuple[object, object]:
        """What the registry and the record say, and what Ray was told to serve."""
        return registry.catalogue(promote.registry_of(stack))[model], replicas.deployed(stack.ray())

    before = state()
    with pytest.raises(ConfigError, match="has no such version; it has"):
        promote.change(stack, model, "9", "promote")
    with pytest.raises(StackError, match="is the champion, and gets all requests"):
        promote.change(stack, model, "1", "promote", share=10)
    assert state() == before


PICKLED = """
import sys, mlflow, torch
mlflow.log_metric("loss", 0.0)
mlflow.pytorch.log_model(torch.nn.Linear(2, 1), name="model", serialization_format="pickle",
                         pip_requirements=["torch"], registered_model_name=sys.argv[1])
"""


def test_a_pickled_model_is_not_served(tutorial: list[str], model: str, tmp_path: Any) -> None:
    script = tmp_path / "pickled.py"
    script.write_text(PICKLED)
    name = f"{model}-pickled"
    command = ["make", "submit", f"STACK={STACK}", f"SCRIPT={script}", f"ARGS={name}", f"NAME={name}"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=TIMEOUT_S)
    with pytest.raises(CheckpointError, match="pickled models are not served"):
        promote.change(stacks.read(STACK), name, None, "promote")


def test_what_is_served_stays_and_what_is_not_can_be_deleted(tutorial: list[str], model: str) -> None:
    """The tutorial ends with version 1 in service, and with version 2 as the one before."""
    served = aidc("delete", "--model", model, "--yes")
    assert served.returncode == 2
    assert f"VERSION: 1 of {model}: is served, as champion" in served.stderr
    done = aidc("delete", "--model", model, "--version", "2", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"stay in s3://models/{model}/own/" in done.stdout
    known = registry.catalogue(promote.registry_of(stacks.read(STACK)))
    assert [version.number for version in known[model]] == [1]
    again = aidc("delete", "--model", "mlp", "--yes")
    assert "belongs to a workload" in again.stderr


def test_a_model_that_is_retired_answers_no_more_until_it_is_demoted(tutorial: list[str], model: str) -> None:
    stack = stacks.read(STACK)
    named = ["--stack", STACK, "--model", model]
    others = replicas.deployed(stack.ray())[0].keys() - {model}
    assert benchmark(["retire", *named]) == 0
    assert replicas.deployed(stack.ray())[0].keys() == others
    with Connection(stack.inference()) as connection:
        assert connection.call("POST", f"/v1/models/{model}:predict", b'{"instances": [[0]]}')[0] == 404
    assert benchmark(["demote", *named]) == 0
    assert replicas.deployed(stack.ray())[0].keys() == others | {model}
    assert benchmark(["retire", *named]) == 0
    done = aidc("delete", "--model", model, "--yes")
    assert done.returncode == 0, done.stderr
    assert not registry.catalogue(promote.registry_of(stack)).get(model)
