"""Grafana's dashboards: the same panels and queries, none over another, and their numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.monitoring import grafana
from components.monitoring.panels import DASHBOARDS, Dashboard


def boxes(board: dict[str, Any]) -> list[tuple[int, int, int, int]]:
    places = [panel["gridPos"] for panel in board["panels"]]
    return [(p["x"], p["y"], p["x"] + p["w"], p["y"] + p["h"]) for p in places]


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_every_panel_and_query_of_the_table_is_there(board: Dashboard) -> None:
    made = grafana.rendered(board)
    wanted = [(panel.title, panel.shows) for row in board.rows.values() for panel in row]
    found = [p for p in made["panels"] if p["type"] != "row"]
    assert [(p["title"], tuple(t["expr"] for t in p["targets"])) for p in found] == wanted
    assert [p["title"] for p in made["panels"] if p["type"] == "row"] == list(board.rows)


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_no_panel_lies_over_another_or_beyond_the_page(board: Dashboard) -> None:
    found = boxes(grafana.rendered(board))
    for index, (left, top, right, bottom) in enumerate(found):
        assert left >= 0
        assert right <= grafana.WIDTH
        for other in found[:index]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.name)
def test_numbers_and_letters_are_used_once(board: Dashboard) -> None:
    panels = grafana.rendered(board)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        letters = [target["refId"] for target in panel.get("targets", [])]
        assert len(set(letters)) == len(letters)


def test_the_files_are_json_with_names_of_their_own() -> None:
    files = grafana.files()
    assert len({json.loads(text)["uid"] for text in files.values()}) == len(DASHBOARDS)
    assert set(files) == {f"aidc-{board.name}.json" for board in DASHBOARDS}
