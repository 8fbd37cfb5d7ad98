"""What the models of the stack's YAML are made of: their base, and sizes. Pure."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from components.planning.units import MIB, TIB, parse_size


def _whole_mebibytes(value: object) -> int:
    size = parse_size(value)
    # The provider counts in mebibytes: the remainder would be lost, and 1023KiB would mean no limit at all.
    if size % MIB:
        raise ValueError(f"{value!r} is not a whole number of MiB")
    return size


ByteSize = Annotated[int, BeforeValidator(_whole_mebibytes), Field(le=64 * TIB)]


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
