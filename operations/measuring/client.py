"""A load on an object store from inside the network of a container, held open over many segments."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from benchmark.cluster.engine import network_prefix
from components.planning.paths import ROOT
from components.planning.units import MIB
from operations.errors import OperationError

# A segment lasts seconds, an operation at its end a minute at most.
ANSWER_WITHIN = 180.0
# For each MiB that is to be written: 256 KiB/s are a broken store.
FILL_WITHIN_PER_MIB = 4.0
END_WITHIN = 120.0


class LoadClient:
    """As a context: it ends, and removes what it has written, when the context is left."""

    def __init__(
        self, name: str, container: str, place: Mapping[str, Any], *, make_bucket: bool = False
    ) -> None:
        self.name, self.container = name, container
        self.first = {"place": dict(place), "make_bucket": make_bucket, "within_s": 90}

    def __enter__(self) -> Self:
        # Secrets go by standard input, never by the command line.
        self.process = subprocess.Popen(
            [*network_prefix(self.container), sys.executable, "-m", "benchmark.load.object_load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            # Ctrl-C is for the command, which ends it and lets it clean up.
            start_new_session=True,
        )
        try:
            self.ask(self.first)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._end()
        if left and kind is None:
            raise OperationError(f"{self.name}: objects could not be removed: {'; '.join(left[:3])}")

    def fill(self, size: int, count: int, clients: int, *, letters: bool = False) -> float:
        """Write so many different random objects; seconds. They are removed with the client."""
        within = ANSWER_WITHIN + FILL_WITHIN_PER_MIB * size * count / MIB
        order = {"do": "fill", "size": size, "count": count, "clients": clients, "letters": letters}
        return float(self.ask(order, within)["seconds"])

    def ask(self, order: Mapping[str, Any], within: float = ANSWER_WITHIN) -> dict[str, Any]:
        """The answer to one order. Raises OperationError with the client's last words."""
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise OperationError(self._why()) from None
        if not select.select([self.process.stdout], [], [], within)[0]:
            self.process.kill()
            raise OperationError(f"{self.name}: no answer within {within:g} s")
        line = self.process.stdout.readline()
        if not line:
            raise OperationError(self._why())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _why(self) -> str:
        _, errors = self.process.communicate()
        return f"{self.name}: {errors.strip().splitlines()[-1] if errors.strip() else 'the client ended'}"

    def _end(self) -> list[str]:
        """Close its input, upon which it removes its objects; those that are left."""
        try:
            output, _ = self.process.communicate(timeout=END_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return ["the client did not end in time"]
        except ValueError:  # its pipes are closed: `_why` has read them
            return []
        lines = output.strip().splitlines()
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        return list(found.get("left", ()))
