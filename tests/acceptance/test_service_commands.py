"""Logs, commands and restarts of services by their short names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

from components.planning.inventory import Inventory
from tests.acceptance.conftest import ROOT, STACK


def aidc(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "operations", *words], cwd=ROOT, env={**os.environ, "STACK": STACK},
        capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


def test_a_command_runs_as_the_service_s_own_user() -> None:
    done = aidc("exec", "--service", "load-balancer", "--cmd", "id -u")
    assert (done.returncode, done.stdout.strip()) == (0, "10010")


def test_the_exit_code_is_the_command_s() -> None:
    assert aidc("exec", "--service", "load-balancer", "--cmd", "sh -c 'exit 7'").returncode == 7


def test_a_log_begins_with_as_many_lines_as_asked_for() -> None:
    done = aidc("logs", "--service", "tracking", "--tail", "2")
    assert done.returncode == 0
    assert len((done.stdout + done.stderr).splitlines()) == 2


def test_a_service_that_does_not_exist_is_told_with_the_nearest_one() -> None:
    done = aidc("logs", "--service", "load-balanser")
    assert done.returncode == 2
    assert "did you mean 'load-balancer'?" in done.stderr


def test_a_restart_ends_with_a_healthy_service(local: Any) -> None:
    container = f"aidc-{STACK}-vault"
    before = local.docker(container).inspect()["State"]["StartedAt"]
    done = aidc("restart", "--service", "vault")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{container}: healthy" in done.stdout.splitlines()
    after = local.docker(container).inspect()["State"]
    assert after["StartedAt"] != before
    assert after["Health"]["Status"] == "healthy"


def test_top_lists_every_service_that_runs(inventory: Inventory) -> None:
    done = aidc("top")
    assert done.returncode == 0
    running = {service.name for service in inventory.services if not service.role.endswith("-setup")}
    assert {*running, "all"} <= set(re.findall(r"[\w-]+", done.stdout))
