"""A run that is recorded in MLflow as it goes. What fails there is told, and never ends the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.cluster import replicas
from benchmark.cluster.replicas import Models
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.core.errors import BenchmarkError
from benchmark.tracking import answers, promotion, registering, registry, rollout
from benchmark.tracking.recording import Recorder

Result = dict[str, Any]


class Recording:
    """Of one run on a stack; does nothing but say so where the stack has no tracking server.

    After a failure nothing more is sent until the end, when all of it is tried once more.
    """

    def __init__(self, stack: Stack, run_id: str) -> None:
        client = stack.tracking()
        self.recorder = Recorder(client) if client else None
        self.stack = stack
        self.fix = f"`make record RUN={run_id} STACK={stack.name}` makes up for it"
        self.problem: str | None = None
        self.champions: set[str] = set()
        if self.recorder is None:
            say("MLflow: this stack has no tracking server; the run is kept on this machine alone")

    def update(self, result: Result) -> None:
        """What was measured so far."""
        self._attempt(lambda recorder: recorder.record(result))

    def champion_models(self) -> Models:
        """What else is to be served, by the registry; nothing where it cannot be asked."""
        found: Models = {}

        def ask(recorder: Recorder) -> None:
            found.update(rollout.champions(registry.catalogue(recorder.client)))

        self._attempt(ask)
        return found

    def serves(self, result: Result, cards: Mapping[str, Mapping[str, Any]]) -> None:
        """The models of these workloads are served now: their versions are the champions.

        What they answer to a fixed request is recorded, for restore drills.
        """
        self.champions = set(cards)
        self._attempt(lambda recorder: self._register(recorder, result))
        if self.recorder is None:
            for name, model in replicas.models_of(cards).items():
                answers.keep_unnamed(self.stack, name, model["card"], model["sha256"], say)

    def finish(self, result: Result, path: Path, pages: Callable[[], Any]) -> None:
        """All of the run, its verdicts and files. `pages` makes the report anew, with the page in MLflow."""
        if self.recorder is None:
            return
        self.problem = None
        place: dict[str, Any] = {"experiment": None, "run": None, "url": None}

        def everything(recorder: Recorder) -> None:
            place.update(recorder.record(result))
            registering.judge(recorder.client, result, self._register(recorder, result))
            result["tracking"] = {**place, "problem": None}
            results.save(result, path)
            pages()
            recorder.attach(result, path.parent)

        self._attempt(everything)
        if self.problem:
            result["tracking"] = {**place, "problem": self.problem}
            results.save(result, path)
            pages()
        else:
            say(f"MLflow: {place['url']}")

    def _register(self, recorder: Recorder, result: Result) -> dict[str, registry.Version]:
        versions = registering.register(recorder.client, result, recorder.record_ids(result))
        names = sorted(self.champions & versions.keys())
        for name in names:
            change = f"served by run {result['run_id']}"
            promotion.record_champion(recorder.client, versions[name], change, say)
        self.champions.clear()
        answers.keep(self.stack, recorder.client, names, answers.again(self.stack), say)
        return versions

    def _attempt(self, what: Callable[[Recorder], Any]) -> None:
        if self.recorder is None or self.problem:
            return
        try:
            what(self.recorder)
        except BenchmarkError as error:
            self.problem = str(error)
            say(f"{error}\nthe run goes on, and is not lost: {self.fix}")
