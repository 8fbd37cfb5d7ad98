"""The command line: what it loads, how a mistake is told, and which folder is meant."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import __main__ as command
from benchmark.arguments import COMMANDS, named, parser
from benchmark.cluster import stack
from benchmark.core.errors import StackError
from benchmark.experiments import host_baseline, overhead, served_models
from benchmark.experiments.options import filled

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["schedule", "--help"]])
def test_no_torch_is_loaded_before_a_run_begins(words: list[str]) -> None:
    program = f"""
import sys
from benchmark.__main__ import main
try:
    main({words})
except SystemExit:
    pass
sys.exit("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0


def test_every_command_has_arguments_and_a_main() -> None:
    for known in COMMANDS.values():
        module = known.load()
        assert callable(module.add_arguments)
        assert callable(module.main)


@pytest.mark.parametrize(("former", "name"), [("bare", "host-baseline"), ("direct", "balancer-overhead")])
def test_a_former_name_is_still_known(former: str, name: str) -> None:
    assert named(former) is named(name) is COMMANDS[name]
    assert vars(parser("", only=former).parse_args([former])).keys() > {"stack", "out"}


def seen(words: list[str], monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """The arguments after `main` has filled in what they lack."""

    def load(known: object) -> object:
        raise StackError("not started")

    options = parser("", only=words[0]).parse_args(words)
    monkeypatch.setattr("benchmark.arguments.Command.load", load)
    with pytest.raises(StackError):
        command.execute(options)
    return options


def test_results_go_into_the_folder_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seen(["host-baseline", "--stack", "x"], monkeypatch).out == Path("out/x")


def test_the_overhead_has_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    options = filled(overhead.Options, seen(["overhead", "--stack", "x"], monkeypatch))
    assert options.out == Path("out/x/overhead")


def test_a_folder_that_is_given_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["bare", "--out", "here", "--workloads", "mlp,./own.yaml", "--no-stack"]
    options = filled(host_baseline.Options, seen(words, monkeypatch))
    assert (options.out, options.no_stack) == (Path("here"), True)
    assert [file.name for file in options.workload_files] == ["mlp.yaml", "own.yaml"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (
            ["run", "--tier", "relase"],
            "'relase' is not a tier; known are smoke, ci, release, gpu; did you mean 'release'?",
        ),
        (["faults", "--case", "wroker"], "node, driver, head, all; did you mean 'worker'?"),
        (["faults", "--workload", "mlp,digits"], "'mlp,digits': give one name or file"),
    ],
)
def test_a_mistyped_name_is_told_with_the_nearest_one(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
    assert hint in capsys.readouterr().err


def test_a_mistyped_command_is_told_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["overhaed"]) == 2
    assert "'overhaed' is not a command; did you mean 'overhead'?" in capsys.readouterr().err


def test_a_mistyped_workload_is_told_with_the_nearest_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["prepare", "--workloads", "diigts", "--store", str(tmp_path)]) == 2
    assert "did you mean 'digits'?" in capsys.readouterr().err


def test_a_mistyped_served_model_is_told_with_the_nearest_one() -> None:
    result = {"serving": {"models": [{"workload": "digits"}, {"workload": "mlp"}]}}
    with pytest.raises(StackError, match="diigts: not served; served: digits, mlp; did you mean 'digits'"):
        served_models.choose(result, "diigts", 0)


def test_a_mistyped_stack_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.staging.yaml"):
        (tmp_path / name).touch()
    assert stack.hint_of("stagin", tmp_path) == "; did you mean 'staging'?"
    assert stack.hint_of("dev", tmp_path) == stack.hint_of("unlike", tmp_path) == ""


def test_the_runs_of_a_mistyped_stack_name_the_nearest_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "staging").mkdir()
    assert command.main(["runs", "--out", str(tmp_path / "stagin")]) == 0
    assert "did you mean 'staging'?" in capsys.readouterr().err
