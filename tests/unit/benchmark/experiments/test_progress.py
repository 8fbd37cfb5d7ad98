"""What a run says of how far it is."""

from __future__ import annotations

from benchmark.core.config import WORKLOADS_DIR, load_all
from benchmark.experiments.progress import Progress, duration_text, work

WORKLOADS = load_all([WORKLOADS_DIR / f"{name}.yaml" for name in ("mlp", "digits", "bytelm")], "ci")


def test_a_line_says_workload_and_seed_of_how_many() -> None:
    progress = Progress(WORKLOADS, clock=lambda: 0.0)
    line = progress.line({"workload": "mlp", "seed": 1, "step": 1, "steps": 2000})
    assert line == "workload 1 of 3, seed 1 of 3"


def test_the_time_left_follows_from_what_has_run_since_the_first_step() -> None:
    times = iter([50.0, 53.0, 170.0])
    progress = Progress(WORKLOADS[:1], clock=lambda: next(times))
    lines = [progress.line({"workload": "mlp", "seed": seed, "step": step, "steps": 2000})
             for seed, step in ((1, 0), (1, 50), (2, 1000))]  # fmt: skip
    assert lines[:2] == ["workload 1 of 1, seed 1 of 3"] * 2
    assert lines[2] == "workload 1 of 1, seed 2 of 3, about 2 min left"


def test_a_model_that_is_more_work_counts_for_more() -> None:
    mlp, _, bytelm = WORKLOADS
    assert work(bytelm, 2) > 3 * work(mlp, 2)


def test_what_is_no_training_step_has_no_place() -> None:
    progress = Progress(WORKLOADS)
    assert progress.line({"workload": "mlp", "stage": "data"}) is None
    assert progress.line({"workload": "another", "seed": 1}) is None


def test_a_guess_has_few_digits() -> None:
    assert [duration_text(s) for s in (3, 47, 250, 9000)] == [
        "a few seconds",
        "about 50 s",
        "about 4 min",
        "about 2.5 h",
    ]
