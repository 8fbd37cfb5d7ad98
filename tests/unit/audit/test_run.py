"""The whole: parts in order, broken parts as failures, one document."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import ValidationError

from audit import verdicts
from audit.context import Context
from audit.document import SCHEMA, Document
from audit.records import NoData, Sbom, Verdict
from audit.run import PARTS, background, run
from audit.verdicts import Part, Row

CONTEXT = cast(Context, type("Some", (), {"stack": "test"})())


def good(_context: Context) -> Part:
    return Part((Row("a", "pass", "fine"),), Sbom(images={"aidc-vault:1": 3}))


def broken(_context: Context) -> Part:
    raise RuntimeError("first line\nsecond line")


def done(lines: list[str] | None = None, **parts: Any) -> Document:
    said: list[str] = [] if lines is None else lines
    return run(CONTEXT, {"engine": "1"}, said.append, parts)


def test_a_document_holds_every_part_with_its_time() -> None:
    document = done(drift=broken, sbom=good)
    assert document.schema_ == SCHEMA
    assert [v.part for v in document.verdicts] == ["drift", "sbom"]
    assert [t.part for t in document.timings] == ["drift", "sbom"]
    assert document.sbom == Sbom(images={"aidc-vault:1": 3})
    assert document.environment.engine == "1"
    assert done(sbom=good).passed is True


def test_a_part_that_breaks_fails_and_the_next_one_runs() -> None:
    document = done(drift=broken, sbom=good)
    assert document.passed is False
    first, second = document.verdicts
    assert (first.verdict, "RuntimeError: first line" in first.detail) == ("fail", True)
    assert second.verdict == "pass"
    assert document.drift == NoData()


def test_the_data_of_another_part_are_refused() -> None:
    with pytest.raises(ValidationError):
        done(drift=good)


@pytest.mark.parametrize("verdict", ["warn", "not checked"])
def test_what_is_open_fails_nothing(verdict: Verdict) -> None:
    assert done(sbom=lambda _: Part((Row("a", verdict, "why"),))).passed is True


def test_an_interrupt_is_not_taken_for_a_failure() -> None:
    def interrupted(_context: Context) -> Part:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done(sbom=interrupted)


def test_each_part_says_when_it_starts_and_how_long_it_took() -> None:
    lines: list[str] = []
    done(lines, sbom=good)
    assert lines[0] == "sbom …"
    assert lines[1].startswith("  1 pass, ")
    assert lines[1].endswith(" s")


def test_background_work_hands_over_its_error() -> None:
    with pytest.raises(ZeroDivisionError):
        background(lambda: 1 / 0).result(timeout=5)


def test_every_part_of_the_audit_is_there() -> None:
    assert list(PARTS) == [
        "reachability", "drift", "policies", "attacks", "certificates", "storage", "restorable", "waivers",
        "packages", "advisories", "sbom", "python",
    ]  # fmt: skip
    assert set(PARTS) == {name for name, field in Document.model_fields.items() if not field.is_required()}


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (1, "probe", "1 probe"),
        (0, "probe", "0 probes"),
        (2, "vulnerability", "2 vulnerabilities"),
        (2, "day", "2 days"),
    ],
)
def test_plurals(number: int, noun: str, expected: str) -> None:
    assert verdicts.plural(number, noun) == expected


def test_long_lists_are_shortened_and_counted() -> None:
    assert verdicts.shortened(["a", "b"], 3) == "a; b"
    assert verdicts.shortened(["a", "b", "c", "d", "e"], 3) == "a; b; c; and 2 more"
