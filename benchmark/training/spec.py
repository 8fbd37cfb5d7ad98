"""What a job is told, as the launcher writes it and every rank reads it. Needs no PyTorch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.core.config import Workload
from benchmark.core.errors import ConfigError


class Spec(BaseModel):
    """A job, as JSON between the launcher and the ranks. `store`: `s3://` or a directory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    workload: Workload
    store: str = "s3://"
    world_size: int = 1
    threads: int = 1
    frozen_data: bool = True
    with_probes: bool = False
    without: tuple[str, ...] = ()  # nodes that get no ranks
    trace: bool = False  # the time of every step, kept as it goes: for recovery from faults

    @property
    def prefix(self) -> str:
        return f"results/{self.run_id}/{self.workload.name}"


def read_spec(content: Any, name: str) -> Spec:
    """A job from its decoded JSON; ConfigError with all problems, one `name: field: message` per line."""
    try:
        return Spec.model_validate(content)
    except ValidationError as error:
        fields = [(".".join(map(str, item["loc"])) or "(file)", item["msg"]) for item in error.errors()]
        raise ConfigError([f"{name}: {field}: {message}" for field, message in fields]) from error
