"""`toolchain/env.sh` on machines and in folders that are not the developer's own."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
UNSET = ("HOME", "XDG_CACHE_HOME", "PULUMI_BACKEND_URL", "PULUMI_ACCESS_TOKEN", "AIDC_CACHE")


def printed(root: Path, **variables: str) -> dict[str, str]:
    """The environment that `make -s env` prints, without what would hide the clone's own settings."""
    shutil.copytree(ROOT / "toolchain", root / "toolchain", ignore=shutil.ignore_patterns("go.sum"))
    kept = {name: value for name, value in os.environ.items() if name not in UNSET} | variables
    script = 'eval "$(toolchain/run.sh --print-env)"; env --null'
    done = subprocess.run(
        ["bash", "-euc", script], cwd=root, env=kept, capture_output=True, text=True, check=True
    )
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


@pytest.mark.parametrize("name", ["plain", "my repo", "c#1", "x%41y", "what?", "it's"])
def test_state_lies_in_the_clone_whatever_its_folder_is_called(tmp_path: Path, name: str) -> None:
    url = urlsplit(printed(tmp_path / name)["PULUMI_BACKEND_URL"])
    assert not url.query
    assert not url.fragment
    assert Path(unquote(url.path)) == tmp_path / name / ".aidc" / "state"


def test_without_a_home_the_users_own_is_taken(tmp_path: Path) -> None:
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert printed(tmp_path / "clone")["AIDC_CACHE"] == str(home / ".cache" / "aidc")


CLI = """#!/bin/bash
[[ "$1 $2" == "context inspect" ]] || exit 0
[[ $DOCKER_CONTEXT == far ]] && echo unix:///run/far.sock || exit 1
"""


@pytest.mark.parametrize(
    ("given", "host", "context"),
    [
        ({"DOCKER_CONTEXT": "far"}, "unix:///run/far.sock", None),
        ({"DOCKER_CONTEXT": "far", "DOCKER_HOST": "unix:///run/near.sock"}, "unix:///run/near.sock", None),
        # It stays, and is refused as soon as an engine is needed.
        ({"DOCKER_CONTEXT": "unknown"}, "", "unknown"),
    ],
)
def test_everything_goes_by_the_address_of_the_context(
    given: dict[str, str], host: str, context: str | None, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(CLI)
    (tmp_path / "bin" / "docker").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    found = printed(tmp_path / "clone", **{"DOCKER_HOST": "", "PATH": path, **given})
    assert (found.get("DOCKER_HOST", ""), found.get("DOCKER_CONTEXT")) == (host, context)
