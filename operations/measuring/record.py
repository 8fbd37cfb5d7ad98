"""The record of a measurement: what each says of the machine, how it is filled and where it is written."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from benchmark.cluster.hostload import HostLoad
from operations.documents import Entry, Machine, write
from operations.engine.client import Engine
from operations.measuring.documents import Load
from operations.process import say

Document = TypeVar("Document", bound=Entry)


@dataclass(frozen=True)
class Record(Generic[Document]):
    """Of a measurement that begins when this is made; `kind` is the document that it ends in."""

    kind: type[Document]
    stack: str
    out: Path | None
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def schema(self) -> str:
        return str(get_args(self.kind.model_fields["schema_"].annotation)[0])

    @property
    def name(self) -> str:
        """Of the file: `aidc.storage/1` is written to `storage.json`."""
        return self.schema.removeprefix("aidc.").partition("/")[0] + ".json"

    def filled(self, **found: Any) -> Document:
        """The document with what was found, and what all of them say."""
        common = {
            "stack": self.stack,
            "measured": self.begun.isoformat(timespec="seconds"),
            "environment": machine(),
        }
        known = {name: value for name, value in common.items() if name in self.kind.model_fields}
        return self.kind.model_validate({"schema": self.schema, **known, **found})

    def write(self, document: Document) -> None:
        say(f"wrote {write(document, self.stack, self.out, self.name)}")


def machine() -> Machine:
    return Machine(cpus=os.cpu_count(), machine=platform.machine(), kernel=platform.release())


def host_load(engine: Engine, stack: str) -> HostLoad:
    """To be entered when all throw-away containers run: what they use is not that of other programs."""
    return HostLoad([container.name for container in engine.containers(stack) if container.running])


def load_of(host: HostLoad) -> Load:
    """After the end of its block."""
    return Load.model_validate({name: host.record.get(name) for name in Load.model_fields})


def interval(low: float | None, high: float | None) -> str:
    """A 95 % interval for a table; a dash where there is none."""
    return f"{low:.3f} to {high:.3f}" if low is not None else "-"
