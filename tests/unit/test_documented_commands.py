"""Every command that the documentation or a message names is one that exists, with those options."""

from __future__ import annotations

import argparse
import ast
import re
import shlex
from functools import cache
from pathlib import Path

import grimp
import pytest

from benchmark import __main__ as benchmark_main
from benchmark.arguments import named, parser
from operations import cli
from operations.commands import policy

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# A command is code: in a block after a prompt, or between back quotes.
CODE = re.compile(r"^\$ (.+)$|`([^`\n]+(?:\n[^`\n]+)?)`", re.MULTILINE)
NAMED = re.compile(
    r"^(?:STACK=\S+ )?(python -m benchmark|python -m operations|aidc|make)(?= |$)(.*)$", re.DOTALL
)
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", MAKEFILE, re.MULTILINE))
VARIABLES = set(re.findall(r"\$[({](?:if \$\()?([A-Z_]+)\)?", MAKEFILE)) | {"RUN"}
VARIABLES |= set(re.findall(r"\$\(call (?:given|option,--[a-z-]+),([A-Z]+)\)", MAKEFILE))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
# Options of other programs, which ours calls or advises.
FOREIGN = {
    "place": {"--app-dir", "--norc"},  # JupyterLab's, and bash's
    "gpu_trial": {"--world", "--seconds", "--processors", "--meeting", "--rank"},  # its own
    "node_check": {"--agent", "--gpus", "--seconds", "--query-gpu", "--format"},  # its own, and nvidia-smi's
    "abba": {
        "--quiet",
        "--shared",
        "--no-checkout",
        "--detach",
        "--verify",
        "--show-toplevel",
        "--no-stack",
        "--stack",
    },  # the last two: of the host baseline of a commit
    "engine": {"--net"},
    "launch": {"--standalone", "--nproc-per-node"},
    "result": {"--porcelain", "--cached", "--exclude-standard", "--others", "--show-toplevel"},
    "stack": {"--json", "--non-interactive", "--show-secrets"},
}


def commands() -> list[str]:
    found = set()
    for page in PAGES:
        for block, quoted in CODE.findall(page.read_text()):
            line = re.sub(r"\s+", " ", (block or quoted).partition("#")[0]).strip()
            if NAMED.match(line) and "…" not in line:
                found.add(line)
    examples = (benchmark_main.__doc__ or "").splitlines()[2:]
    found |= {re.split(r"\s{2,}|\s+…", line)[0] for line in examples if line.startswith("python")}
    return sorted(found)


def test_commands_are_found() -> None:
    assert len(commands()) > 30
    assert any("efficiency --out DIR" in line for line in commands())


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_documentation_is_one_that_exists(line: str) -> None:
    match = NAMED.match(line)
    assert match
    program, words = match[1], shlex.split(re.sub(r"[\[\]]", "", match[2]), comments=True)
    words = words[: next((i for i, w in enumerate(words) if w in ("|", "&&", ">", ";")), len(words))]
    if program == "make":
        targets = [w for w in words if "=" not in w and not w.startswith("-")]
        assert set(targets) <= TARGETS, f"no such target in the Makefile: {targets}"
        assert {w.partition("=")[0] for w in words if "=" in w} <= VARIABLES
        return
    if not words:
        return
    if program == "python -m benchmark":
        arguments = words
    elif words[0] in cli.COMMANDS and cli.COMMANDS[words[0]].benchmark:
        arguments = cli.for_benchmark(words[0], words[1:])
    else:
        assert words[0] in cli.COMMANDS
        known = policy.parser() if words[0] == "policy" else cli.parser(words[0])
        known.parse_args(words[1:] if words[0] == "policy" else words)
        return
    if len(arguments) > 1 or arguments[0] in ("run", "host-baseline", "bare", "overhead", "runs", "report"):
        parser("").parse_args(arguments)
    else:  # only its name is mentioned
        assert arguments[0] in options_of()


def options_of() -> dict[str, set[str]]:
    """Command of the benchmark → its options."""
    (chosen,) = (a for a in parser("")._actions if isinstance(a, argparse._SubParsersAction))
    return {
        name: {option for action in sub._actions for option in action.option_strings}
        for name, sub in chosen.choices.items()
    }


MODULES = {name: f"benchmark.{command.module}" for name in options_of() if (command := named(name))}
JOB = ROOT / "benchmark/jobs/run.py"  # runs in the cluster with options of its own
ON_THIS_HOST = ("host-baseline", "prepare", "efficiency")  # commands that prepare data themselves


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("benchmark")


def imported(module: str) -> set[Path]:
    """The files of `module` and of all that it imports."""
    names = {module} | imports().find_upstream_modules(module)
    files = (ROOT / name.replace(".", "/") for name in names)
    return {file / "__init__.py" if file.is_dir() else file.with_suffix(".py") for file in files}


def messages(path: Path) -> set[str]:
    """Options in the strings of a module that are no docstrings."""
    tree = ast.parse(path.read_text())
    documents = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body
        and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    strings = (n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in documents)
    return {option for n in strings if isinstance(n.value, str) for option in OPTION.findall(n.value)}


@pytest.mark.parametrize("path", sorted((ROOT / "benchmark").rglob("*.py")), ids=lambda p: p.stem)
def test_an_option_that_a_message_names_is_one_of_a_command_that_says_it(path: Path) -> None:
    if path == JOB:
        return
    named, known = messages(path) - FOREIGN.get(path.stem, set()), options_of()
    if "data" in path.parts:
        assert all(named <= known[command] for command in ON_THIS_HOST), named
        return
    sayers = [name for name, module in MODULES.items() if named and path in imported(module)] or list(known)
    missing = {option for option in named if not any(option in known[name] for name in sayers)}
    assert not missing
