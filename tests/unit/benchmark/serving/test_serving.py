"""The server without Ray: routes, errors, batches and hashes."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError
from safetensors.torch import save as save_tensors

from benchmark.checkpoints import artefact, checkpoint
from benchmark.cluster.ray_api import RayClient, message_of
from benchmark.core.documents import get_json, put_json
from benchmark.core.errors import CheckpointError, StoreError
from benchmark.core.store import DirectoryStore
from benchmark.experiments import serving_check
from benchmark.model import models
from benchmark.serving import app, work
from benchmark.serving import requests as serve_requests
from benchmark.serving.settings import Arguments
from tests.unit.benchmark.served import CONFIGS, ask, computed, prediction


def test_models_are_listed_with_their_hash(arguments: Arguments) -> None:
    router = app.Router(arguments)
    kind, body = router.page("GET", "/v1/models/") or ("", "")
    assert kind == "application/json"
    assert json.loads(body) == router.overview()
    assert [m["workload"] for m in router.overview()["models"]] == ["bytelm", "digits", "mlp"]


@pytest.mark.parametrize(
    ("name", "instance", "classes"),
    [("mlp", [1, 2.5, 3], 2), ("digits", [0, 1, 2, 3], 10), ("bytelm", "def f(", 256)],
)
def test_a_prediction_is_a_distribution_and_its_mode(
    arguments: Arguments, name: str, instance: Any, classes: int
) -> None:
    (answer,) = ask(app.Router(arguments), name, [instance])
    assert len(answer["probabilities"]) == classes
    assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-6)
    assert answer["label"] == max(range(classes), key=answer["probabilities"].__getitem__)


def test_a_batch_answers_like_single_requests(arguments: Arguments) -> None:
    router = app.Router(arguments)
    requests: list[tuple[str, list[Any]]] = [
        ("mlp", [[1, 2, 3], [3, 2, 1]]),
        ("bytelm", ["abc", "a longer text"]),
        ("mlp", [[0, 0, 1]]),
    ]
    calls = [work.call(router.models[name], x) for name, x in requests]
    for (name, instances), answer in zip(requests, computed(router, calls), strict=True):
        alone = ask(router, name, instances)
        assert [p["label"] for p in answer["predictions"]] == [p["label"] for p in alone]
        assert len(answer["predictions"]) == len(instances)


@pytest.mark.parametrize(
    ("request_", "body", "status", "words"),
    [
        ("POST /v1/models/mlp:predict", b"not json", 400, "body: is not JSON"),
        ("POST /v1/models/mlp:predict", b"{}", 400, "instances: must be a non-empty list"),
        (
            "POST /v1/models/mlp:predict",
            b'{"instances": [[1, 2]]}',
            400,
            r"instances\[0\]: must be a list of 3",
        ),
        ("POST /v1/models/mlp:predict", b'{"instances": [[1, 2, "x"]]}', 400, r"instances\[0\]\[2\]: "),
        ("POST /v1/models/mlp:predict", b'{"instances": [[1, 2, NaN]]}', 400, "finite"),
        ("POST /v1/models/bytelm:predict", b'{"instances": [""]}', 400, "text"),
        ("POST /v1/models/other:predict", b"{}", 404, "serving bytelm, digits, mlp"),
        ("GET /v1/models/mlp:predict", b"", 405, "POST"),
        ("DELETE /v1/models", b"", 405, "GET"),
        ("POST /v1/metrics", b"", 405, "GET"),
        ("GET /", b"", 404, "not found"),
        ("POST /v1/models/mlp:predict", b"x" * (serve_requests.MAX_BODY + 1), 413, "at most"),
    ],
)
def test_a_clients_mistake_is_explained(
    arguments: Arguments, request_: str, body: bytes, status: int, words: str
) -> None:
    method, path = request_.split()
    router = app.Router(arguments)
    with pytest.raises(serve_requests.RequestError, match=words) as caught:
        router.page(method, path) or router.route(method, path, body)
    assert caught.value.status == status


def test_health_says_which_replica_and_which_models(arguments: Arguments) -> None:
    router = app.Router(arguments, "models#abc")
    _, body = router.page("GET", "/v1/health") or ("", "")
    answer = json.loads(body)
    assert (answer["status"], answer["replica"]) == ("ok", "models#abc")
    assert answer["models"] == {name: m["sha256"] for name, m in arguments.models.items()}


def test_only_models_that_are_served_become_labels(arguments: Arguments) -> None:
    router = app.Router(arguments)
    assert router.known("/v1/models/mlp:predict") == "mlp"
    assert router.known("/v1/models/invented:predict") is None
    assert router.known("/v1/health") is None


def test_batches_are_counted_by_model(arguments: Arguments) -> None:
    router = app.Router(arguments, "one")
    mlp, bytelm = router.models["mlp"], router.models["bytelm"]
    calls: list[tuple[Any, list[Any]]] = [
        (mlp, [[1.0, 2.0, 3.0]]),
        (mlp, [[3.0, 2.0, 1.0]]),
        (bytelm, ["abc"]),
    ]
    computed(router, [work.call(model, instances) for model, instances in calls])
    kind, text = router.page("GET", "/v1/metrics") or ("", "")
    assert kind.startswith("text/plain")
    assert 'aidc_serve_batch_requests_sum{model="mlp",replica="one"} 2.0' in text
    assert 'aidc_serve_batch_requests_count{model="mlp",replica="one"} 1.0' in text
    assert 'aidc_serve_batch_requests_count{model="bytelm",replica="one"} 1.0' in text


def test_replicas_scale_within_the_declared_limits(arguments: Arguments) -> None:
    scaled = arguments.model_copy(update={"min_replicas": 3, "max_replicas": 5}).autoscaling()
    assert (scaled["min_replicas"], scaled["initial_replicas"], scaled["max_replicas"]) == (3, 3, 5)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min_replicas": 1}, "min_replicas"),
        ({"min_replicas": 4, "max_replicas": 3}, "max_replicas 3 must not be below min_replicas 4"),
        ({"max_replicas": 17}, "max_replicas"),
        ({"target_ongoing_requests": 0}, "target_ongoing_requests"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Arguments(models={}, **limits)


def test_weights_with_another_hash_are_not_served(arguments: Arguments, store: DirectoryStore) -> None:
    key = "models/mlp/r/seed-1/model.safetensors"
    store.put(key, store.get(key)[:-1] + b"\x7f")
    router = app.Router(arguments)
    assert key in refused(router, "mlp")
    assert sorted(router.models) == sorted(arguments.models.keys() - {"mlp"})


def test_a_deployment_that_asks_for_another_hash_is_refused(arguments: Arguments) -> None:
    arguments.models["mlp"]["sha256"] = "0" * 64
    assert "the deployment asks for" in refused(app.Router(arguments), "mlp")


def test_a_card_that_was_replaced_is_refused(arguments: Arguments, store: DirectoryStore) -> None:
    place = arguments.models["mlp"]["card"]
    arguments.models["mlp"]["card_sha256"] = artefact.card_digest(get_json(store, place))
    assert "mlp" in app.Router(arguments).models
    put_json(store, place, {**get_json(store, place), "quality": 2.0})
    assert "another hash than when it was admitted" in refused(app.Router(arguments), "mlp")


def test_a_model_whose_objects_are_gone_is_named_and_the_others_answer(
    arguments: Arguments, store: DirectoryStore
) -> None:
    arguments.models["mlp"]["card"] = "models/mlp/none.json"
    router = app.Router(arguments)
    assert "no such object" in refused(router, "mlp")
    assert len(ask(router, "digits", [[0.0] * 4])) == 1


def test_a_store_that_cannot_be_asked_stops_the_replica(
    arguments: Arguments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(*_: Any) -> bytes:
        raise StoreError("connection refused")

    monkeypatch.setattr(DirectoryStore, "get", get)
    with pytest.raises(StoreError, match="connection refused"):
        app.Router(arguments)


def refused(router: app.Router, name: str) -> str:
    """Why the router has no such model, as its list and its answer with status 503 say."""
    with pytest.raises(serve_requests.RequestError) as caught:
        router.route("POST", f"/v1/models/{name}:predict", b'{"instances": [[1, 2, 3]]}')
    assert caught.value.status == 503
    (row,) = router.overview()["failed"]
    assert row["workload"] == name
    assert row["error"] in str(caught.value)
    return str(row["error"])


def test_served_quality_counts_labels_or_bits() -> None:
    predictions = [{"label": 1, "probabilities": [0.25, 0.75]}, {"label": 0, "probabilities": [0.5, 0.5]}]
    assert serving_check.quality_of(predictions, [1, 1], "accuracy") == 0.5
    assert serving_check.quality_of(predictions, [0, 1], "bits_per_byte") == pytest.approx(1.5)


def test_messages_are_found_behind_rays_prefix() -> None:
    line = '\x1b[36m(RayTrainWorker pid=7, ip=10.0.0.2)\x1b[0m @progress {"step": 3}'
    assert message_of(line) == ("progress", {"step": 3})
    assert message_of("nothing") is None


def test_check_names_the_object() -> None:
    with pytest.raises(CheckpointError, match="some/key: sha256"):
        checkpoint.check(b"data", "0" * 64, "some/key")


def test_another_model_is_loaded_beside_the_old_one(arguments: Arguments, store: DirectoryStore) -> None:
    router = app.Router(arguments)
    before = dict(router.models)
    config = CONFIGS["mlp"]
    data = save_tensors(models.build(config).state_dict())
    sha = hashlib.sha256(data).hexdigest()
    card = {"workload": "mlp", "key": "models/mlp/r/seed-2/model.safetensors", "sha256": sha,
            "model": config.model_dump()}  # fmt: skip
    store.put(str(card["key"]), data)
    put_json(store, "models/mlp/r/seed-2/model.json", card)
    chosen = {**arguments.models, "mlp": {"card": "models/mlp/r/seed-2/model.json", "sha256": sha}}
    loaded = router.load(chosen)
    assert router.models == before  # which go on answering until the caller changes over
    assert loaded.models["mlp"].card["sha256"] == sha
    assert loaded.models["digits"] is before["digits"]


def test_where_another_model_cannot_be_loaded_the_old_one_answers_on(arguments: Arguments) -> None:
    router = app.Router(arguments)
    before = dict(router.models)
    chosen = {**arguments.models, "mlp": {**arguments.models["mlp"], "sha256": "0" * 64}}
    router.serve(chosen, router.load(chosen))
    assert router.models == before
    assert router.row("mlp")["sha256"] == before["mlp"].card["sha256"]
    assert "the deployment asks for" in router.failed["mlp"]


def test_a_model_that_is_removed_meanwhile_still_answers(arguments: Arguments) -> None:
    router = app.Router(arguments)
    called = prediction(router, "mlp", b'{"instances": [[1, 2, 3]]}')
    served = router.models.pop("mlp")
    (answer,) = computed(router, [called])
    assert answer["model_sha256"] == served.card["sha256"]


def test_only_models_and_limits_change_when_others_are_deployed(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, Any]] = []

    def call(_: Any, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        if method == "PUT":
            sent.append(arguments["json"]["applications"][0])
        return {"applications": {"models": {"status": "RUNNING"}}}

    monkeypatch.setattr(RayClient, "_call", call)
    monkeypatch.setattr("benchmark.cluster.ray_api.POLL_S", 0.0)
    for sha, least in (("1", 2), ("2", 3)):
        models = {"mlp": {"card": "c", "sha256": sha}}
        RayClient("https://ray").deploy({"models": models, "min_replicas": least, "max_replicas": 5})
    deployments = [d.pop("deployments")[0] for d in sent]
    assert [d["user_config"]["mlp"]["sha256"] for d in deployments] == ["1", "2"]
    limits = [d["autoscaling_config"] for d in deployments]
    assert [(c["min_replicas"], c["max_replicas"]) for c in limits] == [(2, 5), (3, 5)]
    assert sent[0] == sent[1]  # else Ray would build the application anew
