"""The published JSON schemas of the documents that the benchmark writes, `docs/schemas/<name>.json`.

`python -m operations.commands.reference` writes them, with all other generated pages.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from benchmark.analysis.documents.efficiency import Efficiency
from benchmark.analysis.documents.recovery import Recovery
from benchmark.analysis.documents.result import Result
from benchmark.core.document import Document
from benchmark.core.run_record import TrainingRun

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DOCUMENTS: dict[str, type[Document]] = {
    "efficiency": Efficiency,
    "recovery": Recovery,
    "result": Result,
    "run": TrainingRun,
}


class WithoutFieldTitles(GenerateJsonSchema):
    """A title for every field would repeat its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def schemas() -> dict[str, dict[str, Any]]:
    """File name without its ending -> JSON schema."""
    return {name: schema_of(document) for name, document in DOCUMENTS.items()}


def schema_of(document: type[Document]) -> dict[str, Any]:
    """A document without its `schema` field is not valid, although the model fills it in."""
    schema: JsonSchemaValue = document.model_json_schema(schema_generator=WithoutFieldTitles)
    return {"$schema": DIALECT, **schema, "required": ["schema", *schema["required"]]}


def text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
