"""The comparison with a plain loop: both compute the same, alternate fairly and are judged soberly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmark.__main__ import main
from benchmark.analysis import result as results
from benchmark.analysis.verdicts import efficiency as efficiency_verdicts
from benchmark.cluster import launch
from benchmark.core import stats
from benchmark.core.config import WORKLOADS_DIR, GptConfig, Workload, load
from benchmark.core.errors import ConfigError
from benchmark.core.ranks import RankContext
from benchmark.core.store import DirectoryStore
from benchmark.data import dataset
from benchmark.data.records import Split
from benchmark.experiments import efficiency, plain_loop, segments
from benchmark.model import models
from benchmark.model.evaluate import loss as loss_of
from benchmark.report import pages
from benchmark.report.sections import efficiency as efficiency_section
from tests.unit.benchmark.conftest import TESTDATA, changed


@pytest.fixture
def language() -> Workload:
    return changed(
        load(WORKLOADS_DIR / "bytelm.yaml", "ci"),
        model={"depth": 1, "width": 16, "heads": 2, "context": 12},
        training={"batch_size": 4, "precision": "fp32"},
    )


@pytest.fixture
def setting(tmp_path: Path) -> segments.Setting:
    """A few thousand bytes that the model can learn from, as a data set and as the plain loop's file."""
    text = np.frombuffer(b"def f(x):\n    return x + 1\n" * 150, dtype=np.uint8)
    store = DirectoryStore(tmp_path)
    splits = {part: dataset._upload(store, f"data/{part}", Split({"bytes": text}))
              for part in ("train", "heldout")}  # fmt: skip
    (tmp_path / segments.BYTES).write_bytes(text.tobytes())
    return segments.Setting(tmp_path, {"prefix": "data", "sha256": "0" * 64, "splits": splits}, threads=1)


def both_models(config: GptConfig) -> tuple[models.Gpt, plain_loop.PlainGpt]:
    torch.manual_seed(3)
    ours, plain = models.Gpt(config).double(), plain_loop.PlainGpt(config).double()
    with torch.no_grad():
        for p in ours.parameters():  # zeros at the start would hide every difference
            p.normal_(std=0.3)
    plain.load_state_dict(ours.state_dict())
    return ours, plain


@pytest.mark.parametrize(("fault", "equal"), [(False, True), (True, False)])
def test_both_models_are_the_same_function_with_the_same_gradients(
    language: Workload, fault: bool, equal: bool
) -> None:
    assert isinstance(language.model, GptConfig)
    ours, plain = both_models(language.model)
    if fault:
        ours.sine.neg_()  # turned the other way
    x, y = torch.randint(256, (3, 12)), torch.randint(256, (3, 12))
    found = [loss_of(language, model(x), y) for model in (ours, plain)]
    for value in found:
        torch.autograd.backward(value)
    gaps = [float((found[0] - found[1]).abs().detach())]
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        gaps.append(float((a.grad - b.grad).abs().max()))
    assert (max(gaps) < 1e-6) == equal  # the angles are float32


def test_both_loops_start_at_the_same_loss_and_learn(language: Workload, setting: segments.Setting) -> None:
    steps = 30
    by_kind = {
        kind: segments.run(segments.Segment(loop, workload, steps, kind), setting, RankContext())
        for kind, (loop, workload) in efficiency.speed_plan(language).items()
    }
    assert {kind: run["first_loss"] for kind, run in by_kind.items()} == pytest.approx(
        dict.fromkeys(by_kind, float(np.log(256))), abs=1e-3
    )
    assert {kind: run["optimiser"] for kind, run in by_kind.items()} == {
        "plain": "adamw", "ours": "muon", "ours, adamw": "adamw",
    }  # fmt: skip
    for run in by_kind.values():
        assert len(run["step_times_s"]) == steps
        assert run["tokens_per_s"] == pytest.approx(4 * 12 * steps / sum(run["step_times_s"]), rel=1e-3)
    plain = plain_loop.train(
        segments.shortened(language, 60), 1, setting.root / segments.BYTES, RankContext()
    )
    assert plain["losses"][-1]["loss"] < 0.9 * plain["losses"][0]["loss"]


def test_windows_of_the_plain_loop_are_followed_by_their_next_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(100)))
    x, y = plain_loop.batch_of(path, 32, 9)
    assert x.shape == y.shape == (32, 9)
    assert torch.equal(x + 1, y)


def test_adamw_is_apart_only_from_another_optimiser(language: Workload) -> None:
    assert list(efficiency.speed_plan(language)) == ["plain", "ours", "ours, adamw"]
    assert list(efficiency.speed_plan(changed(language, optimiser={"kind": "adamw"}))) == ["plain", "ours"]


def test_weak_scaling_holds_the_batch_of_a_rank_and_strong_the_whole(language: Workload) -> None:
    plan = efficiency.scaling_plan(changed(language, training={"batch_size": 9}))
    assert {kind: (who, w.training.batch_size) for kind, (who, w) in plan.items()} == {
        "one, share": ("one", 4), "apart": ("apart", 4), "two": ("two", 8), "one, whole": ("one", 8),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ratio", "spread", "pairs", "verdict"),
    [
        (1.4, 0.01, 8, "pass"),
        (1.2, 0.01, 8, "fail"),
        (1.3, 0.2, 8, "inconclusive"),
        (1.4, 0.01, 7, "inconclusive"),
    ],
)
def test_a_verdict_needs_the_whole_interval_and_eight_pairs(
    ratio: float, spread: float, pairs: int, verdict: str
) -> None:
    rates = [(100.0, 100 * ratio * (1 + spread * (-1) ** i)) for i in range(pairs)]
    row = efficiency_verdicts.judged(rates, 1.0, 1.3)
    assert row["verdict"] == verdict
    assert row["low"] <= row["ratio"] <= row["high"]


def measured(
    language: Workload, cores: int = 2, rounds: int = 8, load: float = 0.5, apart: float = 196
) -> dict[str, Any]:
    """A comparison as if: ours 1.5 and 1.25 times the plain loop, 1.9 times by two ranks, 1.96 by copies."""
    found = efficiency.new_record(language, efficiency.Options(Path("w.yaml"), "ci", Path("out")))
    found["cores"] = cores
    rates = {"plain": 100, "ours": 125, "ours, adamw": 150, "one, share": 100, "two": 190, "one, whole": 110,
             "apart": apart}  # fmt: skip
    plans = {"speed": efficiency.speed_plan(language), "scaling": efficiency.scaling_plan(language)}
    for part, plan in plans.items():
        for turn, kind in stats.alternating(list(plan), rounds):
            run = {"round": turn, "kind": kind, "tokens_per_s": float(rates[kind]), "load_1m": load}
            run |= {"world_size": 2 if kind == "two" else 1, "batch_size": 4, "optimiser": "adamw"}
            run |= {"loop": "plain" if kind == "plain" else "ours", "started": 1.8e9, "step_median_s": 0.1,
                    "step_times_s": [0.1], "first_loss": 5.5}  # fmt: skip
            found[part]["runs"].append(run)
    efficiency_verdicts.summarise(found)
    return found


def test_ratios_and_efficiencies_come_from_pairs_of_one_round(language: Workload) -> None:
    found = measured(language)
    assert {k: r["ratio"] for k, r in found["speed"]["ratios"].items()} == {"own": 1.25, "adamw": 1.5}
    efficiencies = {k: r["ratio"] for k, r in found["scaling"]["efficiencies"].items()}
    assert efficiencies == {"weak": 0.95, "strong": pytest.approx(190 / 220, abs=1e-4)}
    assert [r["verdict"] for r in efficiency_verdicts.rows(found)] == ["fail", "pass", "pass", "fail"]


@pytest.mark.parametrize(
    ("cores", "load", "reason"),
    [(1, 0.5, "functional only: the ranks share cores"), (2, 6.0, "other programs took the cores")],
)
def test_ranks_without_cores_of_their_own_measure_no_scaling(
    language: Workload, cores: int, load: float, reason: str
) -> None:
    rows = efficiency_verdicts.rows(measured(language, cores=cores, load=load))
    assert [r["verdict"] for r in rows] == ["fail", "pass", "inconclusive", "inconclusive"]
    assert all(reason in r["actual"] for r in rows[2:])


def test_cores_that_slow_each_other_down_judge_no_exchange(language: Workload) -> None:
    found = measured(language, apart=170)
    assert found["scaling"]["apart"]["ratio"] == 0.85
    rows = efficiency_verdicts.rows(found)
    assert [r["verdict"] for r in rows[2:]] == ["inconclusive", "inconclusive"]
    assert "2 copies that exchange nothing reach 0.850" in rows[2]["actual"]


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_ratio_missed_on_a_busy_host_is_open_and_tells_the_machine(
    language: Workload, share: float
) -> None:
    found = measured(language)
    found["environment"]["host"].update(cpu_model="AMD EPYC 9R14", isa="AVX512")
    for part in efficiency.PARTS:
        for run in found[part]["runs"]:
            run["host_load"] = {"seconds": 5.0, "others_share": share}
    efficiency_verdicts.summarise(found)
    rows = efficiency_verdicts.rows(found)
    missed = "fail" if share < 0.1 else "inconclusive"
    assert [r["verdict"] for r in rows] == [missed, "pass", "pass", missed]
    assert ("other programs took 30 %" in rows[0]["actual"]) == (share > 0.1)
    assert all("on AMD EPYC 9R14 (AVX512)" in r["actual"] for r in rows)
    assert "AMD EPYC 9R14 (AVX512), 2 cores" in efficiency_verdicts.lines(found)[0]
    page = efficiency_section.section(found)
    assert page is not None
    assert "measured on AMD EPYC 9R14 (AVX512)" in page["intro"]


def test_few_pairs_are_drawn_without_an_interval(language: Workload) -> None:
    found = measured(language, rounds=2)
    assert found["speed"]["ratios"]["own"]["low"] is None
    page = efficiency_section.section(found)
    assert page is not None
    assert "too few pairs for an interval" in page["charts"][0]["svg"]


def test_a_round_cut_short_counts_for_nothing(language: Workload) -> None:
    found = measured(language)
    del found["speed"]["runs"][-1]  # the plain run of the last round
    efficiency_verdicts.summarise(found)
    assert found["speed"]["ratios"]["own"]["pairs"] == 7


def test_the_report_shows_it_from_the_result_alone(
    language: Workload, complete: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "result.json"
    results.save(complete, path)
    assert "How well the loop uses the machine" not in pages.render(results.load(path))
    found = measured(language)
    efficiency.write(found, tmp_path / "efficiency.json", path)
    assert json.loads((tmp_path / "efficiency.json").read_text())["schema"] == "aidc.efficiency/1"
    kept = results.load(path)
    assert kept["efficiency"] == found
    assert any(v["name"].startswith("weak scaling") for v in kept["verdicts"])
    page = (tmp_path / "report.html").read_text()
    assert "How well the loop uses the machine" in page
    assert "AdamW in both : plain loop" in page
    assert "copies that exchange nothing" in page


@pytest.mark.parametrize(
    ("part", "chart"), [("speed", "Tokens/s, ours : plain"), ("scaling", "Scaling efficiency")]
)
def test_one_question_alone_is_shown_alone(
    language: Workload, complete: dict[str, Any], tmp_path: Path, part: str, chart: str
) -> None:
    path = tmp_path / "result.json"
    results.save(complete, path)
    found, empty = (
        measured(language),
        efficiency.new_record(language, efficiency.Options(Path("w"), "ci", Path("o"))),
    )
    found |= {other: empty[other] for other in efficiency.PARTS if other != part}
    efficiency.write(found, tmp_path / "efficiency.json", path)
    page = (tmp_path / "report.html").read_text()
    titles = ("Tokens/s, ours : plain", "Scaling efficiency")
    assert [title for title in titles if title in page] == [chart]


def test_only_what_was_asked_is_measured(
    language: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(efficiency, "_measure", lambda _, name, *rest: asked.append(name))
    monkeypatch.setattr(dataset, "prepare", lambda *_: {"sha256": "0", "prefix": "data"})
    monkeypatch.setattr(launch, "copy_data", lambda *_: None)
    monkeypatch.setattr(dataset, "load", lambda *_: {"bytes": torch.zeros(3, dtype=torch.uint8)})
    for only in (None, "scaling"):
        options = efficiency.Options(Path("w.yaml"), "ci", tmp_path, only=only)
        efficiency.measure_all(efficiency.new_record(language, options), language, options)
    assert asked == ["speed", "scaling", "scaling"]


def test_what_cannot_be_compared_is_refused_with_all_reasons(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = efficiency.Options(TESTDATA / "valid-workload.yaml", "smoke", tmp_path)
    tiny = changed(load(options.workload_file, "smoke"), training={"device": "cuda", "batch_size": 1})
    with pytest.raises(ConfigError) as error:
        efficiency.checked(tiny, options)
    assert len(error.value.problems) == 3
    assert main(["efficiency", "--workload", str(options.workload_file), "--out", str(tmp_path)]) == 2
    assert "the plain loop trains only a gpt" in capsys.readouterr().err
