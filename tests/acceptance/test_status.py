"""`make status` and the check of the nodes on the live stack: a node that is filled up gets no ranks."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped,unused-ignore]
import pytest

from components.planning.inventory import Inventory
from tests.acceptance.commands import aidc
from tests.acceptance.conftest import ROOT, STACK

WITHIN_S = 120
SCRIPT = "import os, socket\nprint('rank', os.environ['RANK'], 'on', socket.gethostname(), flush=True)\n"


def status() -> dict[str, Any]:
    done = aidc("status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def nodes(inventory: Inventory) -> list[str]:
    return [service.name for service in inventory.by_role("compute")]


@pytest.fixture
def filled(inventory: Inventory) -> Iterator[str]:
    """The last node, with not a byte free below /tmp."""
    service = inventory.by_role("compute")[-1]
    fill = ["docker", "exec", service.container, "dd", "if=/dev/zero", "of=/tmp/filled-by-a-test", "bs=1M"]
    assert b"No space left" in subprocess.run(fill, capture_output=True, check=False).stderr
    yield service.name
    subprocess.run(["docker", "exec", service.container, "rm", "/tmp/filled-by-a-test"], check=True)


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "where.py"
    path.write_text(SCRIPT)
    return str(path)


def test_the_status_is_valid_by_its_schema_and_everything_answers() -> None:
    found = status()
    schema = json.loads((ROOT / "docs/schemas/status.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(found)
    assert all(found[name] is not None for name in ("jobs", "refused", "disk", "last_drill"))
    assert 0 < found["disk"]["free_bytes"] < found["disk"]["total_bytes"]


def test_what_the_firewall_refuses_is_counted_by_both_ends(inventory: Inventory) -> None:
    node = inventory.by_role("compute")[0]
    target = next(s for s in inventory.by_role("object-store"))
    before = status()["refused"]
    # MinIO's console has no flow.
    call = f"import socket; socket.create_connection(('{target.addresses['storage']}', 9001), timeout=1)"
    refused = subprocess.run(["docker", "exec", node.container, "python3", "-c", call], check=False)
    assert refused.returncode != 0
    after = status()["refused"]
    for end in ("all", "from compute", "to object-store"):
        assert after[end] > before.get(end, 0)


def test_a_filled_node_is_named_and_gets_no_ranks(filled: str, nodes: list[str], script: str) -> None:
    checked = aidc("node", "--json")
    verdicts = {node["node"]: node for node in json.loads(checked.stdout)}
    assert checked.returncode == 1
    assert [f["check"] for f in verdicts[filled]["faults"]] == ["disk"]
    assert "/tmp" in verdicts[filled]["faults"][0]["found"]
    done = aidc("submit", "--ranks", "2", "--cpus", "0.3", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{filled} gets no ranks: disk: /tmp" in done.stderr
    # The other nodes alone; with two nodes that is the first one.
    assert all(f"[{rank}] rank {rank} on " in done.stdout for rank in (0, 1))
    assert f"on {filled}" not in done.stdout
    assert next(node for node in status()["nodes"] if node["node"] == filled)["verdict"] == "fail"
    refused = aidc("submit", "--ranks", str(len(nodes)), "--cpus", "0.8", script)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert "cannot run" in refused.stderr


def test_a_waiver_lets_a_filled_node_have_ranks_until_it_passes(
    filled: str, nodes: list[str], script: str, inventory: Inventory
) -> None:
    container = next(s.container for s in inventory.services if s.name == filled)
    assert aidc("node", "--node", filled, "--waive", "a test has filled it").returncode == 0
    # More than half of a node each: one of them has to go to the filled one, or the job is refused. That it
    # then finds no room there is what the waiver takes upon itself.
    done = aidc("submit", "--ranks", str(len(nodes)), "--cpus", "0.6", script)
    assert "cannot run" not in done.stderr
    assert f"{filled} gets no ranks" not in done.stderr
    assert f"{len(nodes)} ranks of 0.6 CPUs" in done.stdout
    waived = next(node for node in status()["nodes"] if node["node"] == filled)
    assert (waived["verdict"], waived["waiver"]) == ("waived", "a test has filled it")
    subprocess.run(["docker", "exec", container, "truncate", "--size=0", "/tmp/filled-by-a-test"], check=True)
    passed = json.loads(aidc("node", "--json", "--node", filled).stdout)
    assert [(node["verdict"], node["waiver"]) for node in passed] == [("pass", None)]


def test_a_node_whose_agent_has_stopped_does_not_pass(inventory: Inventory) -> None:
    service = inventory.by_role("compute")[-1]
    find = ["docker", "exec", service.container, "sh", "-c", "grep -lx ray::DashboardA /proc/[0-9]*/comm"]
    pid = subprocess.run(find, capture_output=True, text=True, check=True).stdout.split("/")[2]
    subprocess.run(["docker", "exec", service.container, "sh", "-c", f"kill -STOP {pid}"], check=True)
    try:
        checked = aidc("node", "--json", "--node", service.name)
    finally:
        subprocess.run(["docker", "exec", service.container, "sh", "-c", f"kill -CONT {pid}"], check=True)
    assert checked.returncode == 1
    assert [fault["check"] for fault in json.loads(checked.stdout)[0]["faults"]] == ["answer"]


def test_the_page_shows_every_service_and_no_secret(
    inventory: Inventory, access: dict[str, Any], tmp_path: Path
) -> None:
    done = aidc("open", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "home.html").read_text()
    assert f"{STACK} is healthy" in text
    assert all(service.name in text for service in inventory.services)
    assert (inventory.endpoints["tracking"] or "?") in text
    secrets = [access["inference_token"], access["ray_token"], access["s3"]["secret_key"]]
    assert not any(secret in text for secret in [*secrets, *access["tracking"].values()])


def test_watch_draws_on_a_terminal_and_ctrl_c_gives_it_back() -> None:
    command = [sys.executable, "-m", "operations", "status", "--watch", "--stack", STACK]
    main, terminal = pty.openpty()
    high = {**os.environ, "COLUMNS": "160", "LINES": "200"}  # what does not fit is not drawn
    # Tests that run in the background ignore Ctrl-C, and so would what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(
        command, cwd=ROOT, env=high, stdout=terminal, stderr=terminal, start_new_session=True
    )
    signal.signal(signal.SIGINT, before)
    with child:
        os.close(terminal)
        try:
            shown = read_until(main, b"object-store-1")  # whether all is healthy or not
            child.send_signal(signal.SIGINT)
            shown += read_until(main, b"\x1b[?1049l")
            code = child.wait(timeout=WITHIN_S)
        finally:
            child.kill()
    assert code == 0
    assert shown.startswith(b"\x1b[?1049h")
    assert b"Traceback" not in shown


def read_until(descriptor: int, text: bytes) -> bytes:
    """What a terminal gets until `text` comes."""
    shown, deadline = b"", time.monotonic() + WITHIN_S
    while text not in shown and time.monotonic() < deadline:
        if select.select([descriptor], [], [], 1)[0]:
            shown += os.read(descriptor, 65536)
    assert text in shown, shown[-2000:]
    return shown
