"""What somebody types behind `make submit ARGS=` arrives as it was typed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TOLD = '#!/bin/sh\nprintf "%s\\0" "$@"\n'


def told(folder: Path, *words: str) -> list[str]:
    """The words of the command that `make submit` runs."""
    program = folder / "toolchain" / "run.sh"
    program.parent.mkdir()
    program.write_text(TOLD)
    program.chmod(0o755)
    command = ["make", "--no-print-directory", "-C", str(folder), "-f", str(ROOT / "Makefile"), "submit"]
    done = subprocess.run([*command, *words], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    "text",
    [
        "--epochs 3",
        "--text 'a\nb'\n\n--last",
        'it\'s $HOME $(date) `id` \\ "x" # %',
        "--text '\t\r\x1b[31m\x01'",
        "größer 你好",
        "'",
        "--last\n",
    ],
)
def test_arguments_arrive_as_they_were_typed(tmp_path: Path, text: str) -> None:
    words = told(tmp_path, "SCRIPT=a b.py", f"ARGS={text}")
    assert f"--args={text}" in words
    assert words[-2:] == ["--", "a b.py"]
