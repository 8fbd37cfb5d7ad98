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

from benchmark.analysis import result as results
from benchmark.analysis import runs, verdicts
from benchmark.analysis.verdicts import serving as serving_verdicts
from benchmark.core.errors import BenchmarkError
from benchmark.experiments import run
from benchmark.report import diagram, pages, plots, summary
from benchmark.report import text as texts
from benchmark.report.sections import headline, learning, record, serving, steps


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
    page = pages.render(complete)
    assert "12 of 16 checks passed, 4 open" in page
    assert not re.findall(r'src="|url\(http|@import|<script', page)
    assert re.findall(r'href="([^"]*)"', page) == ["result.json"]


def test_a_page_of_another_name_links_its_own_result(complete: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "later.json"
    results.save(complete, path)
    assert 'href="later.json"' in pages.write(path).read_text()


def test_a_page_has_its_sections(complete: dict[str, Any]) -> None:
    page = pages.render(complete)
    for heading in ("Verdicts", "Learning", "Where a training step goes", "Serving", "Who may talk to whom"):
        assert f"<h2>{heading}</h2>" in page


def test_an_incomplete_result_makes_a_page_that_says_what_is_wrong() -> None:
    result = results.new("dev", "smoke", "r")
    results.add_error(result, "workload files", "mlp.yaml: data.train: must be <positive>")
    page = pages.render(result)
    assert "The run is incomplete" in page
    assert "must be &lt;positive&gt;" in page


@pytest.mark.parametrize("missing", ["serving", "probes", "training", "bare", "data"])
def test_a_page_is_made_whatever_part_is_missing(complete: dict[str, Any], missing: str) -> None:
    complete[missing] = type(complete[missing])() if isinstance(complete[missing], list | dict) else None
    complete["complete"] = False
    assert "</html>" in pages.render(complete)


def test_a_failed_check_is_in_the_title(complete: dict[str, Any]) -> None:
    complete["serving"]["models"][0]["passed"] = False
    complete["verdicts"] = verdicts.judge(complete)
    assert "1 of 16 checks failed" in pages.render(complete)


def test_what_failed_comes_first_and_colours_its_tile(complete: dict[str, Any]) -> None:
    complete["serving"]["latency"][0].update(p99_ms=909.3, over_bound=100)
    complete["verdicts"] = verdicts.judge(complete)
    found = pages.context(complete)
    assert [row["name"] for row in found["failed"]] == ["latency of mlp"]
    words = [row["verdict"] for row in found["verdicts"]]
    assert words == sorted(words)  # fail, inconclusive, pass
    tiles = {tile["name"]: tile["verdict"] for tile in found["tiles"]}
    assert tiles == {
        "Gaussian exclusive-or": "pass", "Handwritten digits": "pass", "Latency, p99": "fail",
        "Byte-level language model": "inconclusive", "Time to target": "",
    }  # fmt: skip
    page = pages.render(complete)
    assert page.index("What failed") < page.index("Key figures") < page.index("<h2>Verdicts</h2>")
    assert page.count('<div class="tile fail">') == 1


def test_a_page_without_a_failure_has_no_list_of_them(complete: dict[str, Any]) -> None:
    assert "What failed" not in pages.render(complete)


def test_the_stored_verdicts_are_those_of_its_measurements(complete: dict[str, Any]) -> None:
    assert verdicts.judge(complete) == complete["verdicts"]


@pytest.mark.parametrize(("accuracy", "shown"), [(True, ["gamma"]), (False, ["alpha", "beta"])])
def test_baselines_that_beat_the_model_stay_on_the_plot(accuracy: bool, shown: list[str]) -> None:
    """In bits the low values are the better ones; what is far worse would flatten the curve."""
    workload = {"target": {"metric": "accuracy" if accuracy else "bits_per_byte", "value": 0.5},
                "model": {"kind": "mlp"}}  # fmt: skip
    run_ = {"seed": 1, "curve": [{"samples": 1, "seconds": 1.0, "value": 0.5},
                                 {"samples": 2, "seconds": 2.0, "value": 0.52}]}  # fmt: skip
    names = {"alpha": 0.1, "beta": 0.3, "gamma": 0.9}
    baselines = [{"name": name, "value": value} for name, value in names.items()]
    found = learning.charts("w", workload, [run_], baselines)
    assert [name for name in names if name in found["by_samples"]] == shown
    assert all(name in found["off_scale"] for name in names if name not in shown)


def test_each_seed_has_its_colour_in_a_legend(complete: dict[str, Any]) -> None:
    (mlp, *_) = pages.context(complete)["learning"]
    assert mlp["legend"] == [("seed 1", 1), ("seed 2", 2), ("seed 3", 3)]
    for name, style in mlp["legend"]:
        assert re.search(rf'class="line s{style}" d="[^"]*"><title>{name}</title>', mlp["by_seconds"])


def test_optimiser_and_learning_rate_are_said(complete: dict[str, Any]) -> None:
    mlp, _, bytelm = (item["summary"] for item in pages.context(complete)["learning"])
    assert "AdamW, learning rate 0.01; 1\u202f000 steps of 1\u202f024" in mlp
    assert "Muon, learning rate 0.02 of the hidden matrices" in bytelm
    assert "learning rate 0.004; 100 steps of 32" in bytelm


def test_every_setting_stands_in_a_table(complete: dict[str, Any]) -> None:
    found = record.settings(complete)
    rows = dict(found["rows"])
    assert found["names"] == ["mlp", "digits", "bytelm"]
    assert rows["optimiser.learning_rate"] == ["0.01", "0.003", "0.004"]
    assert rows["model.hidden"] == ["64, 64", "256, 128", "–"]
    assert rows["seeds"] == ["1, 2, 3", "1, 2, 3", "1"]
    assert "{&#39;" not in pages.render(complete)  # no Python in it


def test_a_command_measures_it_again(complete: dict[str, Any]) -> None:
    assert record.command(complete) == "python -m benchmark run --stack dev --tier smoke"
    del complete["command"]  # an older result
    assert record.command(complete).endswith("run --stack dev --tier smoke --workloads mlp,digits,bytelm")


def test_only_the_command_line_of_the_benchmark_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sys.argv", [str(Path(results.__file__).parents[1] / "__main__.py"), "run", "--out", "a b"]
    )
    assert results.command() == "python -m benchmark run --out 'a b'"
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest", "tests"])
    assert results.command() is None


@pytest.mark.parametrize(
    ("dirty", "facts"),
    [
        (False, [("Commit", "0000000000")]),
        (True, [("Commit", "0000000000 and changes"), ("Source tree", "sha256 abababab" + "ab")]),
    ],
)
def test_a_tree_with_changes_is_named_by_its_content(
    complete: dict[str, Any], dirty: bool, facts: list[tuple[str, str]]
) -> None:
    complete["environment"].update(git_dirty=dirty, source_sha256="ab" * 32)
    assert headline.headline(complete)["facts"][-len(facts) :] == facts


def test_a_served_sample_says_how_small_it_is(complete: dict[str, Any]) -> None:
    complete["serving"]["models"][2].update(samples=16, quality_served=1.905, quality_trained=1.905)
    found = serving.section(complete)
    assert found is not None
    row = found["models"][2]
    assert (row["samples"], row["served"]) == ("16 of 892\u202f310", "1.905 bits/byte")
    assert row["heldout"] == "2.716 bits/byte"


def test_computing_stands_beside_not_waiting_for_data(complete: dict[str, Any]) -> None:
    found = steps.section(complete)
    assert found is not None
    mlp = found["rows"][0]
    assert (mlp["seed"], mlp["computing"], mlp["utilisation"]) == ("1", "26.2 %", "96.2 %")


def test_one_rank_is_said_to_exchange_nothing(complete: dict[str, Any]) -> None:
    for run_ in complete["training"]:
        if run_["workload"] == "mlp":
            run_["world_size"] = 1
            del run_["breakdown_s"]["all_reduce"]
    found = steps.section(complete)
    assert found is not None
    assert found["notes"][0] == "One rank exchanges nothing, so it has no all-reduce: mlp."


def test_the_load_of_the_host_stands_beside_each_measurement(complete: dict[str, Any]) -> None:
    complete["serving"]["latency"][0]["host_load"] = {"seconds": 16.0, "others_share": 0.41}
    complete["training"][0]["host_load"] = {"seconds": 16.0, "others_share": None,
                                            "not_measured": {"others_share": "no engine"}}  # fmt: skip
    found = serving.section(complete)
    assert found is not None
    assert [row["others"] for row in found["latency"][:2]] == ["41 %, busy", "3 %"]
    assert [row["others"] for row in record.section(complete)["runs"][:2]] == ["–", "2 %"]


def test_a_restarted_seed_is_said_to_be_one(complete: dict[str, Any]) -> None:
    complete["training"][0].update(earlier_attempts_s=42.0)
    assert summary.rows(complete)[0]["time"].endswith(" s, 1 restarted")
    assert record.section(complete)["runs"][0]["total"] == "12.1 s, 42 s of it before a restart"


def test_the_number_of_held_out_samples_says_what_others_would_change(complete: dict[str, Any]) -> None:
    """Digits: 1.96 sqrt(0.9685 (1 - 0.9685) / 360) = 1.80 %. The language model is evaluated on a part."""
    assert [row["heldout"] for row in summary.rows(complete)] == [
        "100\u202f000 (± 0.13 %)", "360 (± 1.80 %)", "32\u202f768",
    ]  # fmt: skip


def test_names_of_roles_fit_their_boxes(complete: dict[str, Any]) -> None:
    svg = ElementTree.fromstring(diagram.draw(complete["topology"]["flows"], {"object-store": 4}))
    boxes = [item.attrib for item in svg if item.tag.endswith("rect")]
    texts = [item for item in svg if item.attrib.get("class") == "role"]
    assert {"object-store-", "setup"} <= {text.text for text in texts}
    for text in texts:
        centre = float(text.attrib["x"])
        box = min(boxes, key=lambda b: abs(float(b["x"]) + float(b["width"]) / 2 - centre)
                  + abs(float(b["y"]) + 17 - float(text.attrib["y"])))  # fmt: skip
        assert len(text.text or "") * diagram.LETTER_W <= float(box["width"])
        assert float(box["y"]) < float(text.attrib["y"]) < float(box["y"]) + diagram.BOX_H


def test_energy_and_schedule_are_shown_where_they_are_known(complete: dict[str, Any]) -> None:
    run_ = complete["training"][0]
    run_["energy_j_per_sample"] = 0.0021
    run_["energy"] = {"source": "RAPL", "covers": ["package-0"], "gross_j": 90.0, "idle_w": 12.0,
                      "net_j": 60.0, "seconds": 2.5, "samples": 30000, "per": "sample"}  # fmt: skip
    other = {**run_["energy"], "idle_w": None, "net_j": None}
    complete["training"][1].update(energy_j_per_sample=None, energy=other)
    complete["schedule"] = {
        "window": "22:00-06:00", "series": {"file": "prices.csv", "sha256": "a" * 64}, "expected_mean": 12.5,
        "expected_mean_now": 80.0, "unit": "EUR/MWh", "started": "2026-11-25T22:00:00+00:00",
    }  # fmt: skip
    page = pages.render(complete)
    assert "2.1 mJ/sample" in page
    assert "mlp/1 (ray): 60.0 J of 90.0 J in 2.5 s, 12.0 W idle; RAPL: package-0" in page
    assert "mlp/2 (ray): 90.0 J in 2.5 s, idle power unknown; RAPL: package-0" in page
    assert "cheapest by prices.csv: mean 12.5 EUR/MWh, 80 if started when asked" in page


@pytest.mark.parametrize(("joules", "text"), [(2.0, "2 J/token"), (0.0021, "2.1 mJ/token"),
                                              (3e-6, "3 µJ/token"), (3e-8, "0.03 µJ/token")])  # fmt: skip
def test_energy_has_a_readable_unit(joules: float, text: str) -> None:
    assert texts.energy(joules, "token") == text


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
    (row,) = (v for v in verdicts.judge(complete) if v["name"].startswith("not waiting for data"))
    assert row["verdict"] == expected


def test_the_result_table_has_intervals_from_three_seeds_on(complete: dict[str, Any]) -> None:
    first, _, last = summary.rows(complete)
    assert re.fullmatch(r"\d\d\.\d\d \(\d\d\.\d\d–\d\d\.\d\d\) %", first["quality"])
    assert last["quality"] == "2.7164 bits/byte"
    assert re.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\) s", first["time"])
    assert all(row["quality"] in pages.render(complete).replace("\u2060", "").replace("\u00a0", " ")
               for row in (first, last))  # fmt: skip


def test_missing_seeds_leave_quality_open(complete: dict[str, Any]) -> None:
    complete["training"] = [r for r in complete["training"] if (r["workload"], r["seed"]) != ("mlp", 2)]
    first = verdicts.judge(complete)[0]
    assert (first["name"], first["verdict"]) == ("quality of mlp", "inconclusive")


def test_latency_without_a_p99_is_open_and_above_the_bound_fails(complete: dict[str, Any]) -> None:
    rows = copy.deepcopy(complete["serving"]["latency"][:1])
    rows[0].update(p99_ms=None, samples=100)
    assert serving_verdicts.latency_rows(rows)[0]["verdict"] == "inconclusive"
    rows[0].update(p99_ms=1e6, samples=800, over_bound=80)
    assert serving_verdicts.latency_rows(rows)[0]["verdict"] == "fail"


@pytest.mark.parametrize(
    ("changes", "busy", "verdict"),
    [
        ({"over_bound": 80}, False, "fail"),
        ({"over_bound": 80}, True, "inconclusive"),
        ({"over_bound": 0}, True, "pass"),
        ({"errors": 3}, False, "fail"),
        ({"errors": 3}, True, "inconclusive"),
        ({"errors": 800, "samples": 0}, True, "fail"),
    ],
)
def test_latency_on_a_busy_host_proves_no_fault(
    complete: dict[str, Any], changes: dict[str, Any], busy: bool, verdict: str
) -> None:
    row = complete["serving"]["latency"][0]
    row.update(changes, host_load={"seconds": 16.0, "others_share": 0.4 if busy else 0.02})
    (found,) = serving_verdicts.latency_rows([row])
    assert found["verdict"] == verdict
    assert ("other programs took 40 % of the processors" in found["actual"]) == (verdict == "inconclusive")


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
    assert run.main(options) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_stack_leaves_an_incomplete_result(testdata: Path, tmp_path: Path) -> None:
    inventory, access = tmp_path / "inventory.json", tmp_path / "access.json"
    closed = {"ray": "http://127.0.0.1:9", "s3": "http://127.0.0.1:9", "inference": "http://127.0.0.1:9"}
    inventory.write_text(json.dumps({"schema": "aidc.inventory/1", "services": [], "endpoints": closed}))
    access.write_text(json.dumps({"s3": {"access_key": "a", "secret_key": "b"}}))
    options = run.Options("dev", "smoke", [testdata / "valid-workload.yaml"], tmp_path, inventory=inventory,
                          access=access)  # fmt: skip
    assert run.main(options) == 1
    (folder,) = runs.folders(tmp_path)
    errors = results.load(folder / "result.json")["errors"]
    assert any("object store http://127.0.0.1:9 cannot be reached" in e["message"] for e in errors)
