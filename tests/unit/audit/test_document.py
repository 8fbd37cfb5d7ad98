"""The document: typed, written from its model, and described by a published JSON schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from audit import document as documents
from audit.document import DocumentError
from tests.unit.audit.conftest import make_document

PARTS = [name for name, field in documents.Document.model_fields.items() if not field.is_required()]


def valid(document: dict[str, Any]) -> bool:
    schema = documents.schema()
    return bool(jsonschema.Draft202012Validator(schema).is_valid(document))


def test_the_published_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(documents.schema())


def test_a_document_is_valid_by_the_published_schema(document: dict[str, Any]) -> None:
    assert valid(document)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_could_not_be_checked_is_valid_too(document: dict[str, Any], part: str) -> None:
    assert valid({**document, part: {}})
    documents.load({**document, part: {}})


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "aidc.audit/2"},
        {"passed": "yes"},
        {"seconds": "21"},
        {"verdicts": [{"part": "drift", "name": "a", "verdict": "perhaps", "detail": "", "fix": ""}]},
        {"drift": {"differences": []}},
        {"started": 5},
        {"unknown": 1},
    ],
)
def test_another_shape_is_refused_by_schema_and_model(
    document: dict[str, Any], change: dict[str, Any]
) -> None:
    assert not valid(document | change)
    with pytest.raises(DocumentError):
        documents.load(document | change)


def test_what_is_read_is_what_was_written() -> None:
    document = documents.load(make_document())
    assert documents.load(json.loads(document.text())) == document


def test_a_fault_in_a_document_names_its_place(document: dict[str, Any]) -> None:
    document["verdicts"][2]["verdict"] = "perhaps"
    with pytest.raises(DocumentError, match=r"verdicts\.2\.verdict"):
        documents.load(document)
