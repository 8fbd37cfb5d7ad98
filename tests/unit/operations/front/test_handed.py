"""Pages for the front door: what is one, what is not, and which of two stays."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from operations.front import handed
from operations.front.handed import Header, Judge, header, heard, of_page, replaces, said

AT = "2026-11-28T12:00:00+00:00"
PAGE = "<!doctype html>\n<title>Security audit: dev</title>\n<p>ä</p>\n</html>\n"


def judged(text: str | bytes, name: str = "audit.html", step: int = 7) -> None:
    page = text if isinstance(text, bytes) else text.encode()
    judge = Judge(Header(name, AT, "", len(page), hashlib.sha256(page).hexdigest()), "dev")
    for start in range(0, len(page), step):
        judge.see(page[start : start + step])
    judge.end()


@pytest.mark.parametrize("step", [1, 7, 1 << 16])
def test_a_page_is_known_however_it_is_cut(step: int) -> None:
    judged(PAGE, step=step)


@pytest.mark.parametrize(
    "page",
    [
        "x",
        PAGE.replace("dev<", "dev2<"),
        PAGE.replace("</html>", ""),
        PAGE.replace("<!doctype html>", "GIF89a"),
        PAGE.replace("<title>", " " * handed.HEAD_MOST + "<title>"),
        b"\xff" + PAGE.encode(),
        PAGE.encode("utf-16"),
    ],
)
def test_what_is_no_such_page_of_this_stack_is_refused(page: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        judged(page)


def test_an_audit_is_no_report() -> None:
    with pytest.raises(ValueError, match="no such page"):
        judged(PAGE, "report.html")


@pytest.mark.parametrize("cut", [slice(0, -1), slice(1, None)])
def test_half_a_page_is_refused(cut: slice) -> None:
    about, page = of_page("audit.html", PAGE, AT)
    judge = Judge(about, "dev")
    judge.see(page[cut])
    with pytest.raises(ValueError, match="as a whole"):
        judge.end()


GOOD = dataclasses.asdict(of_page("audit.html", PAGE, AT, "run-1")[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../told.json"}, {"name": "told.json"}, {"name": ["audit.html"]}, {"size": 0}, {"size": -1},
        {"size": handed.MOST + 1}, {"size": True}, {"size": "1"}, {"size": None},
        {"sha256": "x"}, {"sha256": None}, {"more": 1},
        {"of": "a b"}, {"of": "<b>"}, {"of": 1}, {"at": ""}, {"at": None}, {"at": "2026-11-28T12:00:00"},
    ],
    ids=str,
)  # fmt: skip
def test_a_header_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    assert header(json.dumps(GOOD).encode())
    with pytest.raises(ValueError, match=r"."):
        header(json.dumps({**GOOD, **changes}).encode())


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"1", b"[" * 100_000, b"\xff"])
def test_a_line_that_is_no_header_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        header(line)


def test_a_page_that_is_larger_than_it_may_be_is_not_handed_over() -> None:
    with pytest.raises(ValueError, match="8 MiB"):
        of_page("audit.html", "x" * (handed.MOST + 1), AT)


def test_an_older_page_or_the_same_one_replaces_nothing() -> None:
    old, _ = of_page("audit.html", PAGE, AT)
    later, _ = of_page("audit.html", PAGE + "\n", "2026-11-28T14:00:00+01:00")
    anew, _ = of_page("audit.html", PAGE + "\n", AT)
    assert [replaces(one, old) for one in (old, later, anew)] == [False, True, True]
    assert not replaces(old, later)
    assert replaces(old, None)


def test_a_link_to_a_file_that_only_the_clone_has_becomes_its_words() -> None:
    text = (
        '<a href="result.json">result.json</a> <a href="https://127.0.0.1:5443/x">run</a> <a href="#a">a</a>'
    )
    _, page = of_page("report.html", text, AT)
    assert page.decode() == text.replace('<a href="result.json">result.json</a>', "result.json")


def test_what_the_front_door_has_is_heard_as_it_is_said() -> None:
    about, _ = of_page("audit.html", PAGE, AT)
    assert heard(said({"audit.html": about})) == {"audit.html": about}


@pytest.mark.parametrize(
    "line", ["", "[]", "{}", '{"pages": 1}', '{"pages": [{"name": "x"}]}', "[" * 100_000]
)
def test_an_answer_that_is_none_names_no_pages(line: str) -> None:
    assert heard(line) == {}
