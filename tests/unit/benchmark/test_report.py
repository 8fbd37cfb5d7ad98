"""The report: valid drawings, complete and incomplete results, verdicts that rest on measurements."""

from __future__ import annotations

import copy
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmark import diagram, figures, plots, report, run, runs, summary, verdicts
from benchmark import result as results
from benchmark.errors import BenchmarkError


def chart(**changes: Any) -> plots.Chart:
    series = [plots.Series([(1, 2), (10, 3), (100, 2.5)], "a & b", marks=True)]
    return plots.Chart(**{"title": "t", "x_label": "x", "y_label": "y", "series": series, **changes})


def test_labels_of_close_vertical_lines_do_not_cover_each_other() -> None:
    marks = [plots.Level(40, "updated"), plots.Level(41, "first new"), plots.Level(2, "begun")]
    drawn = plots.line_chart(chart(verticals=marks))
    height = {label: y for y, label in re.findall(r'y="([0-9.]+)"[^>]*>(updated|first new|begun)<', drawn)}
    assert float(height["updated"]) - float(height["first new"]) == plots.LABEL_GAP
    assert height["begun"] == height["updated"]


@pytest.mark.parametrize("changes", [{}, {"log_x": True}, {"log_y": True}, {"y_percent": True},
                                     {"levels": [plots.Level(2.4, "target <1>"), plots.Level(2.41, "near")],
                                      "verticals": [plots.Level(50, "bound")]},
                                     {"series": [plots.Series([(1, 1)], "one point")]}])  # fmt: skip
def test_charts_are_valid_xml(changes: dict[str, Any]) -> None:
    root = ElementTree.fromstring(plots.line_chart(chart(**changes)))
    assert root.tag.endswith("svg")


def test_a_chart_without_points_says_so() -> None:
    assert "No points" in plots.line_chart(chart(series=[plots.Series([], "empty")]))


def test_every_point_lies_inside_the_drawing() -> None:
    svg = plots.line_chart(chart(log_x=True))
    for x, y in re.findall(r'<circle[^>]*cx="([\d.]+)" cy="([\d.]+)"', svg):
        assert plots.LEFT <= float(x) <= plots.WIDTH
        assert 0 <= float(y) <= plots.HEIGHT


def test_labels_of_close_levels_do_not_overlap() -> None:
    levels = [plots.Level(2.4 + i / 1000, f"level {i}") for i in range(3)]
    svg = plots.line_chart(chart(levels=levels))
    found = re.findall(r'class="note[^>]* x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"', svg)
    assert len(found) == 3
    for side in ("start", "end"):
        heights = sorted(float(y) for _, y, anchor in found if anchor == side)
        assert all(b - a >= plots.LABEL_GAP - 0.1 for a, b in pairwise(heights))


def test_a_label_lies_neither_on_another_line_nor_on_a_curve() -> None:
    around = [plots.Series([(0, 2.1), (50, v), (100, v)], "to the right") for v in (2.47, 2.53)]
    levels = [plots.Level(2.9, "upper"), plots.Level(2.5, "lower"), plots.Level(2.87, "close to upper")]
    svg = plots.line_chart(chart(series=around, levels=levels, y_range=(2.0, 3.0)))
    lines = [float(y) for y in re.findall(r'class="reference"[^>]* y1="([\d.]+)"', svg)]
    labels = re.findall(r'class="note[^>]* y="([\d.]+)" text-anchor="(\w+)"', svg)
    assert [anchor for _, anchor in labels] == ["end", "end", "start"]  # at the right run the curves
    for text, _ in labels:
        assert not [y for y in lines if float(text) - plots.LABEL_RISE < y < float(text) + 2]


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.95, 0.9556), (0, 1e6), (-3, 3), (2.1, 3.6)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = plots.ticks(low, high)
    assert 3 <= len(found) <= 9
    assert all(low - 1e-9 <= t <= high + 1e-9 for t in found)


def test_bars_are_valid_xml_and_fill_the_width() -> None:
    svg = plots.stacked_bars("t", {"mlp": {"a": 1.0, "b": 3.0}}, {"a": 1, "b": 2})
    widths = [float(r.attrib["width"]) for r in ElementTree.fromstring(svg).iter() if r.tag.endswith("rect")]
    assert sum(widths) == pytest.approx(plots.WIDTH - 2)


def test_the_diagram_orders_roles_from_the_outside_inwards(complete: dict[str, Any]) -> None:
    rows = diagram.layers(complete["topology"]["flows"])
    depth = {role: i for i, row in enumerate(rows) for role in row}
    assert depth["clients"] < depth["load-balancer"] < depth["compute"] < depth["object-store"]
    assert depth["object-store"] < depth["backup"] < depth["vault"]
    assert depth["ray-head"] == depth["compute"]
    ElementTree.fromstring(diagram.draw(complete["topology"]["flows"], {"compute": 2}))


def test_every_pair_of_the_flows_is_drawn(complete: dict[str, Any]) -> None:
    flows = complete["topology"]["flows"]
    pairs = {(f["source"], f["destination"]) for f in flows if f["source"] != f["destination"]}
    assert diagram.draw(flows, {}).count('class="flow"') == len(pairs)


def test_flows_in_a_circle_are_drawn_too() -> None:
    flows = [{"source": a, "destination": b, "port": 1} for a, b in (("a", "b"), ("b", "a"))]
    assert diagram.draw(flows, {}).count('class="flow"') == 2


def test_a_complete_result_makes_a_page_without_outside_references(complete: dict[str, Any]) -> None:
    page = report.render(complete)
    assert "All 16 checks passed" in page
    assert not re.findall(r'(?:src|href)="|url\(http|@import|<script', page)


def test_a_page_has_its_sections(complete: dict[str, Any]) -> None:
    page = report.render(complete)
    for heading in ("Verdicts", "Learning", "Where a training step goes", "Serving", "Who may talk to whom"):
        assert f"<h2>{heading}</h2>" in page


def test_an_incomplete_result_makes_a_page_that_says_what_is_wrong() -> None:
    result = results.new("dev", "smoke", "r")
    results.add_error(result, "workload files", "mlp.yaml: data.train: must be <positive>")
    page = report.render(result)
    assert "The run is incomplete" in page
    assert "must be &lt;positive&gt;" in page


@pytest.mark.parametrize("missing", ["serving", "probes", "training", "bare", "data"])
def test_a_page_is_made_whatever_part_is_missing(complete: dict[str, Any], missing: str) -> None:
    complete[missing] = type(complete[missing])() if isinstance(complete[missing], list | dict) else None
    complete["complete"] = False
    assert "</html>" in report.render(complete)


def test_a_failed_check_is_in_the_title(complete: dict[str, Any]) -> None:
    complete["serving"]["models"][0]["passed"] = False
    complete["verdicts"] = verdicts.judge(complete)
    assert "1 of 16 checks failed" in report.render(complete)


def test_energy_limits_and_schedule_are_shown_where_they_are_known(complete: dict[str, Any]) -> None:
    run_ = complete["training"][0]
    run_["energy_j_per_sample"] = 0.0021
    run_["energy"] = {"source": "RAPL", "covers": ["package-0"], "gross_j": 90.0, "idle_w": 12.0,
                      "net_j": 60.0, "seconds": 2.5, "samples": 30000, "per": "sample"}  # fmt: skip
    other = {**run_["energy"], "idle_w": None, "net_j": None}
    complete["training"][1].update(energy_j_per_sample=None, energy=other)
    run_["power_limit"] = {"asked_w": 300.0, "applied_w": None, "reason": "no GPU"}
    complete["schedule"] = {
        "window": "22:00-06:00", "series": {"file": "prices.csv", "sha256": "a" * 64}, "expected_mean": 12.5,
        "expected_mean_now": 80.0, "unit": "EUR/MWh", "started": "2026-11-25T22:00:00+00:00",
    }  # fmt: skip
    page = report.render(complete)
    assert "2.1 mJ/sample" in page
    assert "mlp/1 (ray): 60.0 J of 90.0 J in 2.5 s, 12.0 W idle; RAPL: package-0" in page
    assert "mlp/2 (ray): 90.0 J in 2.5 s, idle power unknown; RAPL: package-0" in page
    assert "300 W asked for, not applied: no GPU" in page
    assert "cheapest by prices.csv: mean 12.5 EUR/MWh, 80 if started when asked" in page


@pytest.mark.parametrize(("joules", "text"), [(2.0, "2 J/token"), (0.0021, "2.1 mJ/token"),
                                              (3e-6, "3 µJ/token"), (3e-8, "0.03 µJ/token")])  # fmt: skip
def test_energy_has_a_readable_unit(joules: float, text: str) -> None:
    assert figures.energy(joules, "token") == text


def test_quality_below_the_target_fails(complete: dict[str, Any]) -> None:
    for run_ in complete["training"]:
        run_["quality"]["value"] = 0.5 if run_["quality"]["metric"] == "accuracy" else 9.0
    quality = [v for v in verdicts.judge(complete) if v["name"].startswith("quality")]
    assert {v["verdict"] for v in quality} == {"fail"}


@pytest.mark.parametrize(
    ("cold", "step_s", "expected"),
    [
        ((0.91, 0.91), 0.1, "pass"),
        ((0.91, 0.87), 0.1, "inconclusive"),
        ((0.89, 0.87), 0.1, "fail"),
        ((0.89, 0.87), 0.0001, "inconclusive"),
    ],
)
def test_a_device_that_waits_for_data_fails(
    complete: dict[str, Any], cold: tuple[float, float], step_s: float, expected: str
) -> None:
    runs = [r for r in complete["training"] if r["workload"] == "digits"][:2]
    for run_, value in zip(runs, cold, strict=True):
        run_.update(
            accelerator_utilisation=0.96, accelerator_utilisation_cold=value, breakdown_s={"forward": step_s}
        )
    complete["training"] = runs
    (row,) = (v for v in verdicts.judge(complete) if v["name"].startswith("device kept busy"))
    assert row["verdict"] == expected


def test_the_result_table_has_intervals_from_three_seeds_on(complete: dict[str, Any]) -> None:
    first, _, last = summary.rows(complete)
    assert re.fullmatch(r"\d\d\.\d\d \(\d\d\.\d\d–\d\d\.\d\d\) %", first["quality"])
    assert last["quality"] == "2.7164 bits/byte"
    assert re.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\) s", first["time"])
    assert all(row["quality"] in report.render(complete).replace("\u2060", "").replace("\u00a0", " ")
               for row in (first, last))  # fmt: skip


def test_missing_seeds_leave_quality_open(complete: dict[str, Any]) -> None:
    complete["training"] = [r for r in complete["training"] if (r["workload"], r["seed"]) != ("mlp", 2)]
    first = verdicts.judge(complete)[0]
    assert (first["name"], first["verdict"]) == ("quality of mlp", "inconclusive")


def test_latency_without_a_p99_is_open_and_above_the_bound_fails(complete: dict[str, Any]) -> None:
    rows = copy.deepcopy(complete["serving"]["latency"][:1])
    rows[0]["p99_ms"] = None
    assert verdicts._latency(rows)[0]["verdict"] == "inconclusive"
    rows[0]["p99_ms"] = 1e6
    assert verdicts._latency(rows)[0]["verdict"] == "fail"


def test_a_slower_stack_is_not_failed_on_few_pairs(complete: dict[str, Any]) -> None:
    for run_ in complete["training"]:
        run_["throughput"]["value"] *= 0.5
    cost = [v["verdict"] for v in verdicts.judge(complete) if v["name"].startswith("cost")]
    assert set(cost) == {"inconclusive"}


def test_a_result_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"schema": "other"}')
    with pytest.raises(BenchmarkError, match=r"aidc\.result/1"):
        results.load(path)


def test_a_wrong_workload_file_leaves_nothing(testdata: Path, tmp_path: Path) -> None:
    options = run.Options("dev", "smoke", [testdata / "invalid-workload.yaml"], tmp_path)
    assert run.run(options) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_stack_leaves_an_incomplete_result(testdata: Path, tmp_path: Path) -> None:
    inventory, access = tmp_path / "inventory.json", tmp_path / "access.json"
    closed = {"ray": "http://127.0.0.1:9", "s3": "http://127.0.0.1:9", "inference": "http://127.0.0.1:9"}
    inventory.write_text(json.dumps({"schema": "aidc.inventory/1", "services": [], "endpoints": closed}))
    access.write_text(json.dumps({"s3": {"access_key": "a", "secret_key": "b"}}))
    options = run.Options("dev", "smoke", [testdata / "valid-workload.yaml"], tmp_path, inventory=inventory,
                          access=access)  # fmt: skip
    assert run.run(options) == 1
    (folder,) = runs.folders(tmp_path)
    errors = results.load(folder / "result.json")["errors"]
    assert any("object store http://127.0.0.1:9 cannot be reached" in e["message"] for e in errors)
