"""Pulumi reads the same values as we do: compared with its own command over generated scalars."""

import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

from components.planning.strict_yaml import parse

ALPHABET = "0123456789.:-+_eExobTZ ~ynofstrul\"'"
SPELLINGS = [
    *("5", "-3", "0", "-0", "0.5", "10.25", "-1.50", "100000000000000000", "0.10000000000000001"),
    *("true", "True", "TRUE", "false", "False", "~", "null", "Null", "NULL", "nul", "tru", "yess", "nO-"),
    *("4GiB", "10.77.0.0/20", "127.0.0.1", "node-1", "1.2.3", "0 3 * * 1-5", "12e", "-", "--", "1-2", "e5"),
    *('"2026-11-28"', "'1:30'", '"yes"', "'010'", '"a\\nb"', "v1:ab+/=", "2026-11", "2026-11-28x", "x: y"),
]


def generated(count: int) -> list[str]:
    choose = random.Random(7)
    return ["".join(choose.choices(ALPHABET, k=choose.randint(1, 8))) for _ in range(count)]


def accepted(texts: list[str]) -> dict[str, Any]:
    """Those of `texts` that we accept, with their values."""
    found = {}
    for text in texts:
        document = parse(f"key: {text}\n", "f.yaml")
        if not document.issues and isinstance(document.value, dict) and list(document.value) == ["key"]:
            found[text] = document.value["key"]
    return found


def test_pulumi_reads_what_we_read(pulumi: str, tmp_path: Path) -> None:
    ours = accepted([*SPELLINGS, *generated(4000)])
    assert len(ours) > 200
    lines = [f"    k{number}: {text}" for number, text in enumerate(ours)]
    (tmp_path / "Pulumi.yaml").write_text("name: aidc\nruntime: python\n")
    (tmp_path / "Pulumi.x.yaml").write_text("\n".join(["config:", "  aidc:datacenter:", *lines, ""]))
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": "word",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def run(*arguments: str) -> str:
        command = [pulumi, *arguments, "--non-interactive"]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("stack", "init", "x")
    theirs = json.loads(run("config", "--json", "--stack", "x"))["aidc:datacenter"]["objectValue"]
    differ = [
        (text, value, theirs[f"k{n}"])
        for n, (text, value) in enumerate(ours.items())
        if theirs[f"k{n}"] != value or isinstance(theirs[f"k{n}"], bool) != isinstance(value, bool)
    ]
    assert differ == []
