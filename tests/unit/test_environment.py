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


def printed(root: Path) -> dict[str, str]:
    """The environment that `make -s env` prints, without what would hide the clone's own settings."""
    shutil.copytree(ROOT / "toolchain", root / "toolchain", ignore=shutil.ignore_patterns("go.sum"))
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
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
