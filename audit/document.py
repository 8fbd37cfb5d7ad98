"""The document of an audit, `aidc.audit/1`: what `audit.json` holds, and its JSON schema. Pure.

python -m audit.document > docs/schemas/audit.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, field_serializer

from audit.records import (
    Advisories,
    Attacks,
    Certificates,
    Drift,
    NoData,
    Packages,
    Policies,
    Python,
    Reachability,
    Record,
    Restorable,
    Sbom,
    Storage,
    Verdict,
    Waivers,
)

SCHEMA: Literal["aidc.audit/1"] = "aidc.audit/1"


class DocumentError(ValueError):
    """The file does not hold an audit; the text says what is wrong."""


class Environment(Record):
    """The machine and the clone that the audit ran on; what is not known is empty."""

    kernel: str
    machine: str
    engine: str = ""
    system: str = ""
    commit: str = ""


class VerdictRecord(Record):
    """One row of the verdict table. `fix` says what to do unless the verdict is `pass`."""

    part: str
    name: str
    verdict: Verdict
    detail: str
    fix: str


class Timing(Record):
    part: str
    seconds: float


class Document(Record):
    """One audit. A part that could not be checked is an empty object; its verdicts say why."""

    schema_: Literal["aidc.audit/1"] = Field(alias="schema")
    stack: str
    started: AwareDatetime
    seconds: float
    passed: bool = Field(description="no verdict is `fail`")
    environment: Environment
    verdicts: list[VerdictRecord]
    timings: list[Timing]
    reachability: Reachability | NoData = NoData()
    drift: Drift | NoData = NoData()
    policies: Policies | NoData = NoData()
    attacks: Attacks | NoData = NoData()
    certificates: Certificates | NoData = NoData()
    storage: Storage | NoData = NoData()
    restorable: Restorable | NoData = NoData()
    waivers: Waivers | NoData = NoData()
    packages: Packages | NoData = NoData()
    advisories: Advisories | NoData = NoData()
    sbom: Sbom | NoData = NoData()
    python: Python | NoData = NoData()

    @field_serializer("started")
    def _in_seconds(self, started: datetime) -> str:
        return started.isoformat(timespec="seconds")

    def text(self) -> str:
        """The content of `audit.json`."""
        return self.model_dump_json(indent=1, by_alias=True) + "\n"


def load(raw: Mapping[str, Any]) -> Document:
    """The document that `raw` holds. Raises DocumentError."""
    if raw.get("schema") != SCHEMA:
        raise DocumentError(f"expected the schema {SCHEMA}, found {raw.get('schema')!r}")
    try:
        # As JSON, since strict Python knows no dates in text; the schema is strict too.
        return Document.model_validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DocumentError(f"not a valid {SCHEMA}: {place}: {first['msg']}") from None


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `audit.json`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Document.model_json_schema(by_alias=True),
        "title": SCHEMA,
    }


def schema_text() -> str:
    """The content of docs/schemas/audit.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
