"""What `benchmark.telemetry.node_check` may print on a node, which is not believed to be well-behaved."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from benchmark.core.words import masked

Words = Annotated[str, AfterValidator(lambda text: masked(text)[:300])]
# No node has more of anything; beyond it, whole numbers would not fit a float, nor a verdict a screen.
MOST = 1 << 63
Number = Annotated[float, Field(allow_inf_nan=False, ge=-MOST, le=MOST)]
Whole = Annotated[int, Field(ge=-MOST, le=MOST)]
Bytes = Annotated[int, Field(ge=0, le=MOST)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=False, extra="ignore")


class _Room(_Part):
    total: Bytes
    free: Bytes


class _Memory(_Part):
    limit: Whole | None
    used: Whole | None
    host_available: Whole | None


class _Heat(_Part):
    now: Number
    critical: Number | None


class _Processor(_Part):
    model: Words
    gflops: Annotated[Number, Field(ge=0)]
    others: Number | None


class _Gpu(_Part):
    uuid: Words
    name: Words
    temperature: Whole | None
    slowed: bool
    ecc_errors: Whole | None
    gflops: Number | None


class _Answer(_Part):
    time: Number
    answer: Words
    disk: dict[Words, _Room | None]
    memory: _Memory
    thermal: dict[Words, _Heat]
    cpu: _Processor
    gpus: list[_Gpu] = []
    gpu_fault: Words = ""


def read(said: object) -> dict[str, Any] | None:
    """The answer with what a check has; None for anything else."""
    try:
        return _Answer.model_validate(said).model_dump()
    except ValidationError:
        return None
