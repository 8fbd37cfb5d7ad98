"""Two commits in turns: which code runs, what it leaves, and that planted losses are found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmark.__main__ import main
from benchmark.analysis import result as results
from benchmark.core import stats
from benchmark.core.config import WORKLOADS_DIR, load
from benchmark.core.errors import ComparisonError, ConfigError
from benchmark.experiments import abba

# Stands for a commit's benchmark: the runs of one seed, as fast and as good as SPEED and LOSS say.
PROGRAM = """
import json, pathlib, random, sys, yaml
SPEED, LOSS = {speed}, {loss}
given = dict(zip(sys.argv[2::1], sys.argv[3::1]))
workload = yaml.safe_load(open(given["--workloads"]))
(seed,) = workload["tiers"][given["--tier"]]["seeds"]
result = json.load(open({result!r}))
run = next(r for r in result["training"] if r["workload"] == "digits")
noise = random.Random(hash((seed, SPEED))).gauss(1, 0.01)
run["seed"] = seed
run["throughput"]["value"] *= SPEED * noise
run["time_to_train_s"] = 10 / SPEED / noise
run["quality"]["value"] = 0.98 - LOSS + seed * 1e-4
result.update(bare=[run], training=[], data={{"digits": result["data"]["digits"]}}, errors=[])
result["schema"] = "{schema}"
if {broken}:
    sys.exit("the program is broken")
out = pathlib.Path(given["--out"])
out.mkdir(parents=True, exist_ok=True)
(out / "result.json").write_text(json.dumps(result))
"""
Commit = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    (root / "benchmark" / "workloads").mkdir(parents=True)
    (root / "benchmark" / "__init__.py").touch()
    workload = (WORKLOADS_DIR / "digits.yaml").read_text()
    (root / "benchmark" / "workloads" / "digits.yaml").write_text(workload)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


@pytest.fixture
def write(repository: Path, complete: dict[str, Any], tmp_path: Path) -> Callable[..., None]:
    """A program of that speed and loss, in the working tree."""
    template = tmp_path / "template.json"
    template.write_text(json.dumps(complete))

    def go(
        speed: float = 1.0, loss: float = 0.0, broken: bool = False, schema: str = "aidc.result/1"
    ) -> None:
        text = PROGRAM.format(speed=speed, loss=loss, broken=broken, schema=schema, result=str(template))
        (repository / "benchmark" / "__main__.py").write_text(text)

    return go


@pytest.fixture
def commit(repository: Path, write: Callable[..., None]) -> Commit:
    """A commit of such a program; its name."""

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
        return subprocess.run(
            command, cwd=repository, check=True, capture_output=True, text=True
        ).stdout.strip()

    def go(**program: Any) -> str:
        write(**program)
        git("add", "--all")
        git("commit", "--quiet", "--allow-empty", "--message", "a program")
        return git("rev-parse", "HEAD")

    return go


def options(repository: Path, baseline: str, candidate: str | None = None, **more: Any) -> abba.Options:
    file = repository / "benchmark" / "workloads" / "digits.yaml"
    return abba.Options(
        baseline, candidate, "smoke", [file], repository.parent / "out", root=repository, **more
    )


def rows(out: str) -> dict[str, str]:
    """Name of a row → its verdict, from what is printed."""
    words = ("pass", "fail", "inconclusive")
    split = [line.split(maxsplit=1) for line in out.splitlines()]
    return {s[1].split(": ")[0]: s[0] for s in split if len(s) == 2 and s[0] in words}


def test_a_commit_against_itself_passes(
    repository: Path, commit: Commit, capsys: pytest.CaptureFixture[str]
) -> None:
    name = commit()
    assert abba.main(options(repository, name, name)) == 0
    found = rows(capsys.readouterr().out)
    assert set(found.values()) == {"pass"}
    assert {"throughput of digits", "quality of digits", "time to train of digits"} < set(found)


@pytest.mark.parametrize(
    ("program", "row"),
    [({"speed": 0.9}, "throughput of digits"), ({"loss": 0.05}, "quality of digits")],
)
def test_a_planted_loss_is_found(
    repository: Path, commit: Commit, program: dict[str, float], row: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [commit(), commit(**program)]
    assert abba.main(options(repository, *names)) == 1
    assert rows(capsys.readouterr().out)[row] == "fail"


def test_changes_of_the_working_tree_are_the_candidate(
    repository: Path, commit: Commit, write: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    commit()
    write(speed=0.8)
    assert abba.main(options(repository, "HEAD")) == 1
    assert rows(capsys.readouterr().out)["throughput of digits"] == "fail"


def test_nothing_is_left_in_the_repository(repository: Path, commit: Commit) -> None:
    name = commit()
    before = sorted(repository.rglob("*"))
    abba.main(options(repository, name, pairs=1))
    assert sorted(repository.rglob("*")) == before


def test_both_results_hold_a_run_of_each_round(repository: Path, commit: Commit) -> None:
    names = dict(zip(abba.SIDES, (commit(), commit(speed=0.99)), strict=True))
    abba.main(options(repository, *names.values(), pairs=3))
    for side, name in names.items():
        result = results.load(repository.parent / "out" / f"{side}.json")
        assert result["complete"]
        assert [r["seed"] for r in result["training"]] == [1, 2, 3]
        assert result["environment"]["git_commit"] == name
    page = (repository.parent / "out" / "comparison.html").read_text()
    assert "measured in turns" in page
    assert "not measured in turns" not in page


def test_a_result_that_this_version_cannot_read_is_the_reason(
    repository: Path, commit: Commit, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [commit(), commit(schema="aidc.result/0")]
    assert abba.main(options(repository, *names, pairs=1)) == 1
    assert "result.json: schema: expected 'aidc.result/1'" in capsys.readouterr().err


def test_a_commit_that_does_not_run_is_named_and_the_rest_is_kept(
    repository: Path, commit: Commit, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [commit(), commit(broken=True)]
    assert abba.main(options(repository, *names, pairs=2)) == 1
    said = capsys.readouterr().err
    assert f"commit {names[1][:10]}: left no result" in said
    assert "the program is broken" in said
    assert len(results.load(repository.parent / "out" / "baseline.json")["training"]) == 2
    assert not results.load(repository.parent / "out" / "candidate.json")["complete"]


def test_unknown_commits_are_named_together(repository: Path, commit: Commit) -> None:
    commit()
    with pytest.raises(ConfigError) as caught:
        abba.main(options(repository, "nothing", "nowhere"))
    assert [p.split(":")[0] for p in caught.value.problems] == ["baseline", "candidate"]


def test_commits_whose_workloads_differ_are_refused_before_training(repository: Path, commit: Commit) -> None:
    before = commit()
    file = repository / "benchmark" / "workloads" / "digits.yaml"
    file.write_text(file.read_text().replace("batch_size: ", "batch_size: 1"))
    with pytest.raises(ComparisonError, match=r"training\.batch_size"):
        abba.main(options(repository, before, commit()))
    assert not (repository.parent / "out").exists()


def test_the_command_tells_a_mistake_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["abba", "no-such-commit"]) == 2
    assert "baseline: 'no-such-commit': no such commit" in capsys.readouterr().err


def test_a_seed_of_its_own_for_each_round(tmp_path: Path) -> None:
    path = abba.seeded(WORKLOADS_DIR / "digits.yaml", "smoke", 7, tmp_path)
    assert load(path, "smoke").seeds == [7]


def test_turns_go_forwards_and_backwards() -> None:
    assert stats.alternating("ab", 3) == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]
