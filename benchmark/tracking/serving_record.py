"""The record of what is served: an experiment in MLflow that the set-up makes and only `benchmark` may write.

Aliases and tags of the registry belong to whoever owns a model, jobs among them, so they prove nothing. Here
each run is one change and is never changed again: that a version was admitted, with the hashes of its card
and weights, which versions of a model are champion, previous and canary from then on, or what a champion
answered to a fixed request, by its hash. A run is created with all its tags at once, so a change is there
as a whole or not at all; the highest revision counts, and the newest answer.
`images/tracking/tracker/owned.py` writes the same once, for stacks that existed before.
"""

from __future__ import annotations

import getpass
import json
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmark.cluster.mlflow_api import TAG_CHARACTERS, MlflowClient
from benchmark.core.errors import MlflowError, StackError

EXPERIMENT = "aidc-serving"
SCHEMA = "aidc.serving/1"
ADMITTED, SERVED, ANSWERED = "admitted", "served", "answered"
DIGEST = re.compile(r"[0-9a-f]{64}")
FORM, KIND, MODEL, STATE, CHANGE, BY = (
    f"aidc.{name}" for name in ("schema", "kind", "model", "state", "change", "by")
)
FIX = (
    "fix: `make up STACK=<name>` with this version makes it; on a stack that is up to date "
    "`docker start -a aidc-<name>-tracking-setup` puts it right"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A version as it was admitted. `created`: MLflow's time of the version, in ms, as text.

    A model that is deleted and registered again has a version 1 again: another one, which `created` tells.
    """

    version: int
    card: str
    sha256: str
    card_sha256: str = ""
    created: str = ""


@dataclass(frozen=True, kw_only=True)
class State:
    """Of one model: what answers. `share`: the percentage of the requests that the canary gets."""

    champion: Entry | None = None
    previous: Entry | None = None
    canary: Entry | None = None
    share: int = 0
    revision: int = 0

    def promoted(self, entry: Entry) -> State:
        """This version answers alone; the champion of before becomes the previous one."""
        previous = self.previous if entry == self.champion else self.champion
        return State(champion=entry, previous=previous, revision=self.revision)

    def retired(self) -> State:
        """Nothing answers; the champion of before is one command away."""
        return State(previous=self.champion or self.previous, revision=self.revision)

    def beside(self, entry: Entry, share: int) -> State:
        return replace(self, canary=entry, share=share)

    def alone(self) -> State:
        return replace(self, canary=None, share=0)


@dataclass(frozen=True)
class Record:
    """`admitted`: model and version to what was admitted last; `served`: model to its state.

    `answers`: model and SHA-256 of its weights to that of what it answered (`benchmark.serving.recorded`).
    """

    experiment: str
    admitted: Mapping[tuple[str, int], Entry] = field(default_factory=dict)
    served: Mapping[str, State] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def state(self, model: str) -> State:
        return self.served.get(model, State())


def read(client: MlflowClient) -> Record:
    """All that stands there. StackError where the set-up has not made it, or it cannot be read."""
    experiment = _experiment(client)
    admitted: dict[tuple[str, int], Entry] = {}
    served: dict[str, State] = {}
    answers: dict[tuple[str, str], str] = {}
    for run in client.runs(experiment, f"tags.`{FORM}` = '{SCHEMA}'"):  # newest first
        tags = {str(t["key"]): str(t["value"]) for t in run["data"].get("tags", [])}
        model = tags.get(MODEL, "")
        if tags.get(KIND) == ADMITTED and (entry := _entry(_json(tags))):
            admitted.setdefault((model, entry.version), entry)
        elif tags.get(KIND) == SERVED and (state := _state(_json(tags))):
            served[model] = max(state, served.get(model, state), key=lambda s: s.revision)
        elif tags.get(KIND) == ANSWERED and (pair := _answer(_json(tags))):
            answers.setdefault((model, pair[0]), pair[1])
    return Record(experiment, admitted, served, answers)


def _experiment(client: MlflowClient) -> str:
    try:
        found = client.experiment(EXPERIMENT)
    except MlflowError as error:
        raise StackError(f"the record of what is served cannot be read: {error}; {FIX}") from error
    if found is None:
        raise StackError(f"MLflow has no experiment {EXPERIMENT}, the record of what is served; {FIX}")
    return found


def admit(client: MlflowClient, record: Record, model: str, entry: Entry, change: str) -> None:
    """From now on this version may be served. Writes nothing where that stands there already."""
    if record.admitted.get((model, entry.version)) != entry:
        _write(client, record, {KIND: ADMITTED, MODEL: model, CHANGE: change}, asdict(entry))


def serve(client: MlflowClient, record: Record, model: str, state: State, change: str) -> None:
    """From now on these versions are served. The caller holds the lock, so that no revision comes twice."""
    before = record.state(model)
    if state == before:
        return
    after = replace(state, revision=before.revision + 1)
    _write(client, record, {KIND: SERVED, MODEL: model, CHANGE: change}, asdict(after))


def answered(client: MlflowClient, record: Record, model: str, entry: Entry, answer: str) -> None:
    """What these weights answer has the SHA-256 `answer`. Writes nothing where that stands there already."""
    if record.answers.get((model, entry.sha256)) != answer:
        told = {KIND: ANSWERED, MODEL: model, CHANGE: f"the answer of version {entry.version}"}
        state = {"version": entry.version, "sha256": entry.sha256, "answer": answer}
        _write(client, record, told, state)


def _write(client: MlflowClient, record: Record, told: Mapping[str, str], state: Mapping[str, Any]) -> None:
    text = json.dumps(state, sort_keys=True)
    if len(text) > TAG_CHARACTERS:
        raise StackError(
            f"{told[MODEL]}: the record of what is served takes {TAG_CHARACTERS} characters at most"
        )
    tags = {FORM: SCHEMA, **told, STATE: text, BY: _who()}
    now_ms = int(time.time() * 1000)
    run = client.create_run(record.experiment, f"{told[MODEL]}: {told[CHANGE]}", now_ms, tags)
    client.update_run(str(run["info"]["run_id"]), "FINISHED", now_ms)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        user = "somebody"
    return f"{user} on {socket.gethostname()}"


def _json(tags: Mapping[str, str]) -> Any:
    try:
        return json.loads(tags.get(STATE, ""))
    except (ValueError, RecursionError):
        return None


def _entry(found: Any) -> Entry | None:
    """None for what is not whole: it counts as not written."""
    if not isinstance(found, dict):
        return None
    try:
        return Entry(
            version=int(found["version"]),
            card=str(found["card"]),
            sha256=str(found["sha256"]),
            card_sha256=str(found.get("card_sha256", "")),
            created=str(found.get("created", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _answer(found: Any) -> tuple[str, str] | None:
    """The hash of the weights and that of their answer. The latter becomes part of a key."""
    if not isinstance(found, dict):
        return None
    sha256, answer = found.get("sha256"), found.get("answer")
    whole = isinstance(sha256, str) and isinstance(answer, str) and DIGEST.fullmatch(answer)
    return (str(sha256), str(answer)) if whole else None


def _state(found: Any) -> State | None:
    if not isinstance(found, dict):
        return None
    try:
        share, revision = int(found.get("share", 0)), int(found["revision"])
    except (KeyError, TypeError, ValueError):
        return None
    parts = {name: _entry(found.get(name)) for name in ("champion", "previous", "canary")}
    if any(found.get(name) and part is None for name, part in parts.items()):
        return None
    return State(**parts, share=share, revision=revision)
