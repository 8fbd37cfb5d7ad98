"""Every command says what it does, its exit codes and an example; a misspelt one is told the right name."""

import importlib
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from operations import __main__ as commands
from operations import cli
from operations.errors import OperationError

OURS = sorted(name for name, c in cli.COMMANDS.items() if c.module and not c.own_arguments)


def told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        commands.run(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", OURS)
def test_help_says_what_a_command_does_its_exit_codes_and_an_example(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told([name, "--help"], capsys)
    assert "xit code" in text
    assert cli.COMMANDS[name].example in text


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_an_example_is_a_command_with_its_own_name(name: str) -> None:
    words = shlex.split(cli.COMMANDS[name].example)
    assert words[:2] == ["aidc", name]


@pytest.mark.parametrize("name", OURS)
def test_an_example_is_accepted(name: str) -> None:
    given = cli.parser().parse_args(shlex.split(cli.COMMANDS[name].example)[1:])
    assert given.command == name


def test_the_overview_lists_every_command_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(["--help"], capsys).splitlines()
    for name, command in cli.COMMANDS.items():
        assert sum(line.split() == [name, *command.summary.split()] for line in lines) == 1


def test_without_a_command_the_overview_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert told([], capsys) == told(["--help"], capsys)


@pytest.mark.parametrize(("typed", "meant"), [("stauts", "status"), ("upp", "up"), ("polices", "policy")])
def test_a_misspelt_command_is_told_the_right_one(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main([typed]) == 2
    assert f"did you mean '{meant}'?" in capsys.readouterr().err


def test_a_command_that_resembles_none_is_shown_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["zzz"]) == 2
    assert "aidc --help" in capsys.readouterr().err


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(["--version"], capsys).startswith("aidc ")


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("bench", ["--tier", "smoke"], ["run", "--stack", "other", "--tier", "smoke"]),
        ("bench", ["--stack=dev"], ["run", "--stack=dev"]),
        ("report", ["a.json"], ["report", "a.json"]),
    ],
)
def test_the_shells_stack_counts_for_the_benchmark_too(
    name: str, arguments: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STACK", "other")
    seen: list[Any] = []

    def main(given: Any) -> int:
        seen.append(given)
        return 0

    monkeypatch.setattr(importlib, "import_module", lambda _name: SimpleNamespace(main=main))
    assert commands.run([name, *arguments]) == 0
    assert seen == [expected]


def test_help_for_all_imports_no_command() -> None:
    script = "import sys; from operations import cli; cli.parser(); print('docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_error_that_quotes_a_job_steers_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        raise OperationError("job x: \x1b]0;owned\x07\n    fix: …")

    monkeypatch.setattr(commands, "run", fail)
    assert commands.main([]) == 1
    assert capsys.readouterr().err == "job x: �]0;owned�\n    fix: …\n"


@pytest.mark.parametrize("command", ["open", "usage", "bench-submit", "drill", "bench-lifecycle"])
def test_a_folder_that_cannot_be_one_is_refused_before_the_work(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cli, "module", lambda _: SimpleNamespace(main=lambda **_: pytest.fail("it began")))
    assert commands.main([command, "--out", str(tmp_path / "file/deep/x")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"OUT: {tmp_path}/file is a file")
    assert "fix: " in told


def test_a_place_that_cannot_be_written_is_named_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: object) -> int:
        return len((Path("/proc/nope") / "x").open("w").read())

    monkeypatch.setattr(commands, "run", fail)
    assert commands.main([]) == 1
    assert capsys.readouterr().err.startswith("/proc/nope/x: No such file or directory\n    fix: ")


@pytest.mark.parametrize(
    ("command", "out"), [("bench-lifecycle", "file"), ("tell", "file"), ("usage", "new/deep")]
)
def test_a_place_that_suits_is_taken(
    command: str, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cli, "module", lambda _: SimpleNamespace(main=lambda **given: len(given["out"].name)))
    assert commands.main([command, "--out", str(tmp_path / out)]) == len(Path(out).name)
    assert not (tmp_path / "new").exists()
