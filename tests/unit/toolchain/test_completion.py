"""TAB completion: what bash offers at the end of a line that somebody has begun."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The engine's answer is that of stack `dev` with two services and a node.
ENGINE = """
case "$*" in
*aidc.stack=dev*role=compute*) echo aidc-dev-compute-node1 ;;
*aidc.stack=dev*) printf 'aidc-dev-%s\\n' compute-node1 tracking object-store-1 ;;
esac
"""
ASK = """
source toolchain/completion.bash
[[ ! $JOBS ]] || _aidc_names() { [[ $1 == jobs ]] && echo "$JOBS"; }
compopt() { :; }
COMP_LINE=$LINE COMP_POINT=${#LINE}
"$(complete -p "${LINE%% *}" | grep --only-matching '_aidc_[a-z]*')"
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def offered(tmp_path: Path) -> Offered:
    engine = tmp_path / "docker"
    engine.write_text(f"#!/bin/bash\n{ENGINE}")
    engine.chmod(0o755)
    return Offered(tmp_path)


class Offered:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, line: str, jobs: str = "") -> set[str]:
        path = f"{self.folder}:{os.environ['PATH']}"
        environment = os.environ | {"PATH": path, "LINE": line, "JOBS": jobs, "STACK": "dev"}
        done = subprocess.run(
            ["bash", "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
        return set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("make resta", {"restart"}),
        ("make logs S=", {"compute-node1", "tracking", "object-store-1"}),
        ("make logs S=tr", {"tracking"}),
        ("make logs STACK=other S=", set()),
        ("make node NODE=", {"compute-node1"}),
        ("make destroy PURGE=", {"1"}),
        ("make restart S=tracking ST", {"STACK="}),
        ("make rotate WHAT=auth", {"authority"}),
        ("make rotate WHAT=authority,s3/roo", {"authority,s3/root"}),
        ("aidc rest", {"restore", "restart"}),
        ("aidc logs --service obj", {"object-store-1"}),
        ("aidc logs --stack other --service ", set()),
        ("aidc destroy --pu", {"--purge"}),
    ],
)
def test_what_fits_is_offered(line: str, expected: set[str], offered: Offered) -> None:
    assert offered(line) == expected


def test_a_target_has_its_own_variables(offered: Offered) -> None:
    found = offered("make submit ")
    assert {"SCRIPT=", "RANKS=", "PIP=", "STACK="} <= found
    assert not {"S=", "WHAT="} & found


def test_stacks_are_those_that_have_a_file(offered: Offered) -> None:
    assert {"dev", "test"} <= offered("make up STACK=")


def test_a_run_is_offered_from_where_readline_broke_the_word(offered: Offered) -> None:
    assert offered("make logs JOB=demo@", jobs="demo\ndemo@1\ndemo@2") == {"1", "2"}
    assert offered("aidc stop de", jobs="demo\ndemo@1") == {"demo", "demo@1"}


@pytest.mark.parametrize("name", ["$(touch X)", "`touch X`", "<(touch X)", "$((a[$(touch X)]))"])
def test_a_name_is_no_command(name: str, offered: Offered, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    offered("make logs JOB=", jobs=name.replace("X", str(mark)))
    assert not mark.exists()


def test_another_project_has_its_own_targets(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text("all: here\nhere:\n\techo\nX := 1\n")
    script = ASK.replace("source ", f"source {ROOT}/")
    environment = os.environ | {"LINE": "make ", "JOBS": ""}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == {"all", "here"}
