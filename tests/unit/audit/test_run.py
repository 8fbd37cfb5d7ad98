"""The whole: parts in order, broken parts as failures, one document."""

from __future__ import annotations

from typing import Any, cast

import pytest

from audit import verdicts
from audit.context import Context
from audit.run import PARTS, background, run
from audit.verdicts import SCHEMA, Part, Row

CONTEXT = cast(Context, type("Some", (), {"stack": "test"})())


def good(_context: Context) -> Part:
    return Part((Row("a", "pass", "fine"),), {"x": 1})


def broken(_context: Context) -> Part:
    raise RuntimeError("first line\nsecond line")


def done(lines: list[str] | None = None, **parts: Any) -> dict[str, Any]:
    said: list[str] = [] if lines is None else lines
    return run(CONTEXT, {"engine": "1"}, said.append, parts)


def test_a_document_holds_every_part_with_its_time() -> None:
    document = done(one=good, two=good)
    assert document["schema"] == SCHEMA
    assert [v["part"] for v in document["verdicts"]] == ["one", "two"]
    assert [t["part"] for t in document["timings"]] == ["one", "two"]
    assert document["one"] == {"x": 1}
    assert document["passed"] is True


def test_a_part_that_breaks_fails_and_the_next_one_runs() -> None:
    document = done(one=broken, two=good)
    assert document["passed"] is False
    first, second = document["verdicts"]
    assert (first["verdict"], "RuntimeError: first line" in first["detail"]) == ("fail", True)
    assert second["verdict"] == "pass"


@pytest.mark.parametrize("verdict", ["warn", "not checked"])
def test_what_is_open_fails_nothing(verdict: verdicts.Verdict) -> None:
    assert done(one=lambda _: Part((Row("a", verdict, "why"),)))["passed"] is True


def test_an_interrupt_is_not_taken_for_a_failure() -> None:
    def interrupted(_context: Context) -> Part:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        done(one=interrupted)


def test_each_part_says_when_it_starts_and_how_long_it_took() -> None:
    lines: list[str] = []
    done(lines, one=good)
    assert lines[0] == "one …"
    assert lines[1].startswith("  1 pass, ")
    assert lines[1].endswith(" s")


def test_background_work_hands_over_its_error() -> None:
    with pytest.raises(ZeroDivisionError):
        background(lambda: 1 / 0).result(timeout=5)


def test_every_part_of_the_audit_is_there() -> None:
    assert list(PARTS) == [
        "reachability", "drift", "policies", "attacks", "certificates", "waivers", "packages",
        "advisories", "sbom", "python",
    ]  # fmt: skip


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
