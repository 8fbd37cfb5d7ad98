"""What a champion answers to a fixed request, kept when it is put in service: a drill compares with it later.

The answer lies in the bucket of the results; the serving record, which jobs cannot write, has its hash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmark.checkpoints.loading import config_of, same_card
from benchmark.checkpoints.signature import OwnModel
from benchmark.cluster.connection import Connection, predict
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.stack import Stack
from benchmark.core.config import ModelConfig
from benchmark.core.documents import get_json
from benchmark.core.errors import BenchmarkError, StackError
from benchmark.serving import recorded
from benchmark.tracking import serving_record

# A canary answers some of the requests: at 99 % all of these once in twenty times.
DRAWS = 300
WITHIN_S = 60.0
PAUSE_S = 0.05

Say = Callable[[str], None]


def keep(stack: Stack, client: MlflowClient, models: Iterable[str], fix: str, say: Say) -> list[str]:
    """Record the answers of these champions; those with which that failed, which is told and undoes nothing.

    `fix`: what records it; `{model}` in it stands for the model's name.
    """
    failed = []
    for model in models:
        try:
            _keep(stack, client, model)
        except BenchmarkError as error:
            failed.append(model)
            say(
                f"{model}: is served, but what it answers could not be recorded, and a restore drill without "
                f"the served model has nothing to compare it with: {error}; fix: {fix.format(model=model)}"
            )
    return failed


def _keep(stack: Stack, client: MlflowClient, model: str) -> None:
    record = serving_record.read(client)
    champion = record.state(model).champion
    if champion is None:
        raise StackError("by the serving record no version of it is the champion")
    store = stack.store()
    with Connection(stack.inference(), timeout_s=WITHIN_S) as connection:
        card = get_json(store, champion.card)
        same_card(card, champion.card, champion.card_sha256)
        asked, predictions = answer(connection, model, config_of(card, champion.card), champion.sha256)
    # The object first: a record that names one that is not there yet would be in a backup of that moment.
    digest = recorded.write(store, sha256=champion.sha256, asked=asked, predictions=predictions)
    serving_record.answered(client, record, model, champion, digest)


def again(stack: Stack) -> str:
    """What records the answer of a champion that is served."""
    return f"`make promote MODEL={{model}} VERSION=champion STACK={stack.name}`"


def unanswered(client: MlflowClient, answering: Mapping[str, str]) -> list[str]:
    """The champions that are served and have no answer in the record; `answering`: model to weights' hash."""
    record = serving_record.read(client)
    return [
        model
        for model, state in sorted(record.served.items())
        if state.champion
        and answering.get(model) == state.champion.sha256
        and (model, state.champion.sha256) not in record.answers
    ]


def keep_unnamed(stack: Stack, model: str, card: str, sha256: str, say: Say) -> None:
    """Of a stack without MLflow, where nothing can name the answer."""
    try:
        store = stack.store()
        with Connection(stack.inference(), timeout_s=WITHIN_S) as connection:
            asked, predictions = answer(connection, model, config_of(get_json(store, card), card), sha256)
        recorded.write_unnamed(store, sha256=sha256, asked=asked, predictions=predictions)
    except BenchmarkError as error:
        say(f"{model}: what it answers could not be recorded for restore drills: {error}")


def answer(
    connection: Connection, model: str, config: ModelConfig | OwnModel, sha256: str
) -> tuple[Sequence[Any], Sequence[Any]]:
    """What was asked, and what the model with these weights answered. StackError where none of it does."""
    problem = ""
    for asked in recorded.examples(config):
        try:
            return asked, _drawn(connection, model, asked, sha256)
        except StackError as error:
            problem = problem or str(error)
    raise StackError(problem)


def _finite(predictions: Sequence[Any]) -> bool:
    try:
        return recorded.finite(predictions)
    except RecursionError:
        return False


def _drawn(connection: Connection, model: str, asked: Sequence[Any], sha256: str) -> Sequence[Any]:
    """The answer of these weights, and of no canary's."""
    for _ in range(DRAWS):
        found = predict(connection, model, asked)
        if found.get("model_sha256") == sha256:
            predictions = found.get("predictions")
            if not isinstance(predictions, list) or len(predictions) != len(asked):
                raise StackError("its answer is not one prediction for each instance")
            if not _finite(predictions):
                raise StackError("its answer holds what is no finite number, which equals nothing")
            return predictions
        time.sleep(PAUSE_S)
    # Asking for something else would not help.
    raise BenchmarkError(f"{DRAWS} requests were answered by other weights than {sha256[:16]}…")
