"""A run that is recorded in MLflow as it goes. What fails there is told, and never ends the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.analysis import result as results
from benchmark.cluster.stack import Stack
from benchmark.console import say
from benchmark.core.errors import MlflowError
from benchmark.tracking.recording import Recorder

Result = dict[str, Any]


class Recording:
    """Of one run on a stack; does nothing but say so where the stack has no tracking server."""

    def __init__(self, stack: Stack, run_id: str) -> None:
        self.client = stack.tracking()
        self.recorder = Recorder(self.client) if self.client else None
        self.fix = f"`make record RUN={run_id} STACK={stack.name}` makes up for it"
        self.broken = False
        if self.recorder is None:
            say("MLflow: this stack has no tracking server; the run is kept on this machine alone")

    def update(self, result: Result) -> None:
        """What was measured so far. After a failure nothing more is sent until the end."""
        if self.recorder and not self.broken:
            self.attempt(result, lambda: None)

    def finish(self, result: Result, path: Path, pages: Callable[[], Any]) -> None:
        """All of the run and its files. `pages` makes the report anew, with the run's page in MLflow."""
        if self.recorder is None:
            return

        def attach() -> None:
            results.save(result, path)
            pages()
            assert self.recorder
            self.recorder.attach(result, path.parent)

        if self.attempt(result, attach):
            say(f"MLflow: {result['tracking']['url']}")
        else:
            results.save(result, path)
            pages()

    def attempt(self, result: Result, then: Callable[[], None]) -> bool:
        """Whether all of it was recorded; the result says the same."""
        assert self.recorder
        place: dict[str, Any] = result.get("tracking") or {"experiment": None, "run": None, "url": None}
        try:
            place = self.recorder.record(result)
            result["tracking"] = {**place, "problem": None}
            then()
        except MlflowError as error:
            self.broken = True
            result["tracking"] = {**place, "problem": str(error)}
            say(f"{error}\nthe run is not lost: {self.fix}")
            return False
        return True
