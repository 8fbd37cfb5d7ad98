"""The audit on the live stack: it passes as it is, and finds what somebody changes behind Pulumi's back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.planning.inventory import Inventory
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.waiting import heal

# What these say depends on the day: vulnerabilities are published every day.
OF_THE_DAY = ("packages", "python")
# What a machine with much to do may not get through in time.
UNFINISHED = {"every shard has its checksum"}


Clean = tuple[int, dict[str, Any], Path, float]


def audit(out: Path) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "-m", "operations", "audit", "--stack", STACK, "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    return done.returncode, json.loads((out / "audit.json").read_text())


def having(document: dict[str, Any], verdict: str) -> dict[str, str]:
    """Name → detail of the rows with this verdict."""
    return {
        row["name"]: row["detail"]
        for row in document["verdicts"]
        if row["verdict"] == verdict and row["part"] not in OF_THE_DAY
    }


def failed(document: dict[str, Any]) -> dict[str, str]:
    return having(document, "fail")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """Exit code, document, folder, and how many processes wanted to run meanwhile."""
    heal(STACK)
    out = tmp_path_factory.mktemp("audit")
    return *audit(out), out, os.getloadavg()[0]


def test_the_stack_passes(clean: Clean) -> None:
    code, document, *_ = clean
    assert failed(document) == {}
    unanswered = having(document, "not checked")
    assert unanswered.keys() <= UNFINISHED, unanswered
    assert code == (0 if document["passed"] else 1)


def test_every_part_said_something(clean: Clean) -> None:
    document = clean[1]
    parts = {timing["part"] for timing in document["timings"]}
    assert {row["part"] for row in document["verdicts"]} == parts - {"plan, state and engine"}
    assert all(row["detail"] for row in document["verdicts"])


def test_it_takes_less_than_a_minute(clean: Clean) -> None:
    """Of a machine that does nothing else; one with more to do than cores takes longer in proportion."""
    crowd = clean[3] / (os.cpu_count() or 1)
    assert clean[1]["seconds"] < 60 * max(1, crowd)


def test_nothing_of_it_holds_a_secret(clean: Clean, access: dict[str, Any]) -> None:
    written = "".join((clean[2] / name).read_text() for name in ("audit.json", "audit.html"))
    assert access["ray_token"] not in written
    assert access["s3"]["secret_key"] not in written


def test_nothing_of_it_stays_behind(clean: Clean) -> None:
    assert clean[0] in (0, 1)
    for command in (["ip", "netns", "list"], ["ip", "-oneline", "link", "show"]):
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "aidc-audit" not in found
        assert not [line for line in found.splitlines() if line.split()[1].startswith("aa")]


@pytest.fixture(scope="module")
def joined(inventory: Inventory, clean: object, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An audit while the vault is attached to the storage segment, which no flow of its role needs."""
    del clean  # First the audit of the stack as it is.
    network = next(s.network for s in inventory.segments if s.name == "storage")
    vault = inventory.by_role("vault")[0].container
    subprocess.run(["docker", "network", "connect", network, vault], check=True)
    try:
        code, document = audit(tmp_path_factory.mktemp("joined"))
    finally:
        subprocess.run(["docker", "network", "disconnect", network, vault], check=True)
    assert code == 1
    return document


def test_a_foreign_network_is_drift(joined: dict[str, Any], inventory: Inventory) -> None:
    vault = inventory.by_role("vault")[0].container
    fields = {d["field"] for d in joined["drift"]["differences"] if d["resource"] == vault}
    assert any(field.endswith("-storage") and field.startswith("networks.") for field in fields)


def test_a_foreign_network_breaks_rules_live_and_not_on_the_plan(joined: dict[str, Any]) -> None:
    assert "plan, state and live agree" in failed(joined)
    apart = {entry["rule"] for entry in joined["policies"]["rules"] if entry["disagreements"]}
    assert {"segment-membership", "vault-isolated"} <= apart


def test_the_firewall_still_keeps_the_intruder_out(joined: dict[str, Any]) -> None:
    """By the row itself: where the part broke there is none, and what was not checked is no failure."""
    assert "undeclared pairs are blocked" in having(joined, "pass")
