"""The nodes that a benchmark leaves out, from the file that `aidc node` writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.analysis import node_verdicts
from benchmark.core.errors import ConfigError


def file(tmp_path: Path, *verdicts: str) -> Path:
    path = tmp_path / "nodes.json"
    nodes = [{"node": f"compute-{number}", "verdict": verdict} for number, verdict in enumerate(verdicts)]
    path.write_text(json.dumps({"schema": "aidc.nodes/1", "nodes": nodes}))
    return path


def test_a_node_that_failed_is_left_out_and_a_waived_one_is_not(tmp_path: Path) -> None:
    assert node_verdicts.left_out(file(tmp_path, "pass", "fail", "waived"), 3) == ("compute-1",)
    assert node_verdicts.left_out(None, 3) == ()


def test_where_no_node_is_left_nothing_begins(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="make node"):
        node_verdicts.left_out(file(tmp_path, "fail", "fail"), 2)


@pytest.mark.parametrize("text", [None, "", "[]", '{"schema": "other"}', '{"schema": "aidc.nodes/1"}'])
def test_another_file_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "nodes.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match="--nodes"):
        node_verdicts.left_out(path, 2)
