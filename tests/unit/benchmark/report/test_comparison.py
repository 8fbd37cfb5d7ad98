"""The comparison of two results: page and Markdown say what the gate found, and nothing leaks in."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark.__main__ import main
from benchmark.analysis import result as results
from benchmark.report import comparison, plots

Result = dict[str, Any]


@pytest.fixture
def worse(complete: Result) -> Result:
    changed = copy.deepcopy(complete)
    changed["run_id"] = "later"
    for run in changed["training"]:
        run["quality"]["value"] -= 0.004 if run["workload"] == "mlp" else 0.0
    return changed


def test_the_page_has_its_sections_and_no_outside_references(complete: Result, worse: Result) -> None:
    page = comparison.render(complete, worse)
    for heading in ("Verdicts", "Speed, this run to the earlier one", "Learning", "The two runs"):
        assert f"<h2>{heading}</h2>" in page
    assert not re.findall(r'(?:src|href)="|url\(http|@import|<script', page)


def test_the_headline_counts_what_got_worse(complete: Result, worse: Result) -> None:
    assert re.search(
        r"<h1>Worse than the earlier run in 1 of \d+ comparisons</h1>", comparison.render(complete, worse)
    )
    assert "Nothing is shown to be worse" in comparison.render(complete, complete)


def test_every_drawing_is_valid_xml(complete: Result, worse: Result) -> None:
    drawings = re.findall(r"<svg.*?</svg>", comparison.render(complete, worse), re.DOTALL)
    assert len(drawings) == 2 * len(complete["configuration"]["workloads"]) + 3
    for drawing in drawings:
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.0), (0.5, 0.4, 0.6), (3.0, 1.0, 9.0)])
def test_intervals_stay_inside_the_drawing(values: tuple[float, float, float]) -> None:
    row = plots.Interval("a <b>", *values)
    svg = plots.intervals("t", [row], plots.Level(0.95, "0.95", "target"))
    ElementTree.fromstring(svg)
    places = [float(x) for x in re.findall(r'(?:cx="|x1="|d="M|H)([\d.]+)', svg)]
    assert places
    assert all(0 <= x <= plots.WIDTH for x in places)


def test_markdown_names_what_failed_first(complete: Result, worse: Result) -> None:
    text = comparison.markdown(complete, worse)
    assert text.startswith("## Benchmark: fail\n")
    assert text.index("| quality of mlp | fail |") < text.index("<details>")


def test_markdown_of_one_result(complete: Result) -> None:
    text = comparison.markdown_of_one(complete)
    assert "## Benchmark: 12 of 16 checks passed, 4 open" in text
    assert "<details><summary>12 passed</summary>" in text


def test_markdown_of_an_incomplete_result_tells_its_errors_on_one_line() -> None:
    result = results.new("dev", "smoke", "r")
    results.add_error(result, "mlp", "bad | <b>\nsecond line")
    text = comparison.markdown_of_one(result)
    assert "- error in mlp: bad \\| &lt;b> second line\n" in text


def test_the_command_writes_the_page_beside_the_candidate(
    complete: Result, worse: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.json", tmp_path / "new" / "result.json"]
    paths[1].parent.mkdir()
    for path, content in zip(paths, (complete, worse), strict=True):
        path.write_text(json.dumps(content))
    arguments = [str(p) for p in paths]
    assert main(["report", *arguments]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "new" / "comparison.html")
    assert main(["report", "--markdown", *arguments]) == 0
    assert capsys.readouterr().out.startswith("## Benchmark: fail")
    assert main(["report", "--markdown", arguments[0]]) == 0
    assert "12 of 16 checks passed, 4 open" in capsys.readouterr().out
