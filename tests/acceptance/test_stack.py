"""The stack as Pulumi and its users see it."""

import subprocess
from typing import Any

from tests.acceptance.conftest import ROOT, STACK


def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["pulumi", *arguments, "--stack", STACK, "--non-interactive"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_second_up_changes_nothing() -> None:
    found = pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    assert found.returncode == 0, found.stdout + found.stderr


def test_everything_that_docker_holds_carries_the_stack_name(local: Any) -> None:
    """In its name and as its label: neither without the other."""
    for what in ("container ls --all", "volume ls", "network ls"):
        field = "{{.Names}}" if what.startswith("container") else "{{.Name}}"
        listed = f"docker {what} --format '{field}'"
        labelled = local.check_output(f"{listed} --filter label=aidc.stack={STACK}").split()
        named = [name for name in local.check_output(listed).split() if name.startswith(f"aidc-{STACK}-")]
        assert labelled
        assert sorted(labelled) == sorted(named)


def test_status_says_that_all_is_well() -> None:
    command = ["python", "-m", "operations", "status", "--stack", STACK]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
