"""What the models of the stack's YAML are made of: their base, and sizes. Pure."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from components.planning.units import MIB, TIB, parse_size

T = TypeVar("T")


def _whole_mebibytes(value: object) -> int:
    size = parse_size(value)
    # The provider counts in mebibytes: the remainder would be lost, and 1023KiB would mean no limit at all.
    if size % MIB:
        raise ValueError(f"{value!r} is not a whole number of MiB")
    return size


def once(value: tuple[T, ...]) -> tuple[T, ...]:
    """Raises ValueError where one of them is there more than once."""
    twice = sorted({str(entry) for entry in value if value.count(entry) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} more than once")
    return value


ByteSize = Annotated[int, BeforeValidator(_whole_mebibytes), Field(le=64 * TIB)]


class Model(BaseModel):
    """Frozen; an unknown key is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
