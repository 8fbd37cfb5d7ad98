"""Records that leave the process: written from a model, and read through the same model.

Writing is strict: an unknown field, or one of another type, is a mistake in this program. Reading ignores
fields that a later or earlier version has written, and refuses a document that lacks one that is needed.
A field that was never set is not written: null says that something was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from benchmark.core.errors import DocumentError

SHOWN = 5  # mistakes that a message names


class Part(BaseModel):
    """A typed part of a document."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, populate_by_name=True, protected_namespaces=()
    )

    def content(self) -> dict[str, Any]:
        """As it is written: fields that were never set are left out."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    @classmethod
    def written(cls, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content as it is written; DocumentError names the fields that do not fit."""
        return cls._checked(content, "forbid")

    @classmethod
    def read(cls, content: Any) -> dict[str, Any]:
        """The content without the fields of other versions; DocumentError names those that do not fit."""
        return cls._checked(content, "ignore")

    @classmethod
    def _checked(cls, content: Any, extra: Any) -> dict[str, Any]:
        try:
            return cls.model_validate(content, extra=extra).content()
        except ValidationError as error:
            raise DocumentError(_problems(error)) from error


class Document(Part):
    """A part that stands by itself. Its `schema` field has a default, and is always written."""

    @model_validator(mode="after")
    def _always_says_its_version(self) -> Self:
        self.model_fields_set.add("schema_")
        return self


def _problems(error: ValidationError) -> list[str]:
    found = [f"{'.'.join(map(str, item['loc'])) or '(document)'}: {item['msg']}" for item in error.errors()]
    more = len(found) - SHOWN
    return [*found[:SHOWN], *([f"and {more} more"] if more > 0 else [])]
