"""What cannot work is refused by plain `pulumi up` too, while the services run on as they were."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.planning.inventory import Inventory
from tests.acceptance.conftest import ROOT, STACK

FILE = ROOT / f"Pulumi.{STACK}.yaml"
MISTAKES = {
    "nodes: 4 ": ("nodes: 6 ", "was made with 4 nodes"),
    "head: {memory: 4GiB}": ("head: {memory: 4GiB, cpus: 4096}", "1024"),
    '"0 0 29 2 *"': ('"0 3 * * 6-7"', "7 stands for Sunday"),
    "bind: 127.0.0.1": ("bind: 224.0.0.1", "not an address that a host can have"),
}


def identifiers(local: Any) -> list[str]:
    listed = local.check_output(
        f"docker container ls --all --quiet --no-trunc --filter label=aidc.stack={STACK}"
    )
    return sorted(listed.split())


@pytest.mark.parametrize("right", MISTAKES)
def test_a_plain_up_refuses_before_a_running_service_is_touched(
    right: str, tmp_path: Path, local: Any, inventory: Inventory
) -> None:
    wrong, said = MISTAKES[right]
    text = FILE.read_text()
    assert right in text
    (tmp_path / FILE.name).write_text(text.replace(right, wrong, 1))
    before = identifiers(local)
    command = ["pulumi", "up", "--yes", "--skip-preview", "--stack", STACK, "--non-interactive"]
    command += ["--config-file", str(tmp_path / FILE.name)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert said in found.stdout + found.stderr
    assert identifiers(local) == before
    for node in (s.container for s in inventory.services if s.role == "object-store"):
        assert local.check_output(f"docker inspect --format '{{{{.State.Running}}}}' {node}") == "true"
