"""The page: whole, from the document alone, without anything from outside."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audit.document import DocumentError, load
from audit.reachability import matrix
from audit.report import page, picture
from components.planning.inventory import Inventory
from tests.unit.audit.conftest import alive, answers_of, make_document, planned_probes

VOID = {"meta", "br", "link", "img"}


class Balanced(HTMLParser):
    """Notes elements that are closed in another order than they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def wrong_document(inventory: Inventory) -> dict[str, Any]:
    """The vault is open to a compute node, and closed to the backup."""
    planned = planned_probes(inventory)
    answers = answers_of(planned)
    for probe in planned:
        if (probe.source, probe.destination) == ("compute-node2", "vault"):
            answers[probe.source][probe.protocol][probe.target] = {"tcp": "open", "udp": "answered"}[
                probe.protocol
            ]
        if (probe.source, probe.destination, probe.expected) == ("backup", "vault", "open"):
            answers[probe.source][probe.protocol][probe.target] = "blocked"
    return make_document(matrix.outcomes(planned, answers, {}, alive(planned)))


def test_the_page_needs_nothing_from_outside_and_no_script(document: dict[str, Any]) -> None:
    html = page.render(document)
    assert not re.findall(r"<script|javascript:|\son\w+=|(?:src|href)=|url\(|@import|https?://", html)


def test_the_page_is_well_formed(document: dict[str, Any], inventory: Inventory) -> None:
    for made in (document, wrong_document(inventory)):
        parser = Balanced()
        parser.feed(page.render(made))
        assert (parser.faults, parser.open) == ([], [])


def test_words_of_the_document_are_escaped(document: dict[str, Any]) -> None:
    html = page.render(document)
    assert "&lt;soon&gt;" in html
    assert "<soon>" not in html


def test_the_page_follows_light_and_dark_and_narrow_screens(document: dict[str, Any]) -> None:
    html = page.render(document)
    assert "prefers-color-scheme: dark" in html
    assert "width=device-width" in html
    assert "max-width: 640px" in html


def test_every_verdict_has_its_row(document: dict[str, Any]) -> None:
    html = page.render(document)
    assert all(f'<th scope="row">{row["name"]}</th>' in html for row in document["verdicts"])


@pytest.mark.parametrize(
    "key", ["reachability", "drift", "policies", "attacks", "certificates", "waivers", "packages"]
)
def test_a_part_that_could_not_be_had_leaves_a_page(document: dict[str, Any], key: str) -> None:
    document[key] = {}
    assert "</html>" in page.render(document)


def test_the_headline_counts_failures_first(document: dict[str, Any], inventory: Inventory) -> None:
    total = len(document["verdicts"])
    assert f"<h1>{total - 2} of {total} checks passed, 2 open</h1>" in page.render(document)
    assert f"<h1>3 of {total} checks failed</h1>" in page.render(wrong_document(inventory))


def test_fixes_are_shown_with_their_failures(inventory: Inventory) -> None:
    made = wrong_document(inventory)
    fixes = {row["fix"] for row in made["verdicts"] if row["verdict"] == "fail"}
    html = page.render(made)
    assert fixes
    assert all(f"Fix: {fix}".replace("'", "&#39;") in html for fix in fixes)


def test_another_schema_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(DocumentError, match=r"aidc\.audit/1"):
        page.render({**document, "schema": "aidc.result/1"})


def test_the_page_lies_beside_the_document(document: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text(json.dumps(document))
    assert page.write(tmp_path / "audit.json") == tmp_path / "audit.html"
    assert (tmp_path / "audit.html").read_text().startswith("<!doctype html>")


def cells(document: dict[str, Any]) -> dict[tuple[str, str], picture.Cell]:
    drawn = picture.draw(load(document).reachability)
    assert drawn is not None
    return {
        (line.name, column): cell
        for line in drawn.lines
        for (column, _), cell in zip(drawn.columns, line.cells, strict=True)
    }


def test_the_picture_has_a_cell_for_every_pair(document: dict[str, Any], inventory: Inventory) -> None:
    found = cells(document)
    names = {s.name for s in inventory.services}
    assert {(a, b) for a in names for b in names} <= set(found)
    assert found["backup", "vault"].look == "open"
    assert found["vault", "backup"].look == "shut"
    assert found["vault", "vault"].look == "self"
    assert found["clients", "load-balancer"].count == 7


def test_a_pair_that_was_not_probed_says_why(document: dict[str, Any]) -> None:
    cell = cells(document)["object-store-setup", "object-store-1"]
    assert (cell.look, "is not running" in cell.title) == ("none", True)


def test_wrong_pairs_stand_out_and_say_what_is_wrong(inventory: Inventory) -> None:
    found = cells(wrong_document(inventory))
    assert {pair for pair, cell in found.items() if cell.look == "wrong"} == {
        ("compute-node2", "vault"),
        ("backup", "vault"),
    }
    assert "expected blocked, seen open" in found["compute-node2", "vault"].title


def test_a_silent_listener_is_drawn_as_unsure(inventory: Inventory) -> None:
    planned = planned_probes(inventory)
    live = alive(planned)
    dead = {p.target for p in planned if p.destination == "backup"}
    found = matrix.outcomes(planned, answers_of(planned), {}, {k: v - dead for k, v in live.items()})
    assert cells(make_document(found))["vault", "backup"].look == "unsure"


def test_every_look_of_a_cell_has_a_colour() -> None:
    css = (page.TEMPLATES / "audit.css").read_text()
    looks = set(picture.SIGNS) | set(page.ATTACK_LOOKS.values())
    assert all(f".cell-{look}" in css for look in looks)
    assert all(re.search(rf"^\.{look} ", css, re.MULTILINE) for look in page.LOOKS.values())
