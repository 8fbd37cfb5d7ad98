"""The command `node`: which nodes, refusals, waivers, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from operations.commands import node
from operations.errors import RefusedError
from operations.front import told as front
from operations.nodes import record
from operations.overview import telling
from tests.unit.operations.nodes.test_check import Told, now
from tests.unit.operations.nodes.test_judge import FULL

KNOWN = ["compute-node1", "compute-node2"]


def engine(monkeypatch: pytest.MonkeyPatch) -> list[front.Told]:
    """What the front door is told."""
    told, heard = Told({"compute-node1": [now()], "compute-node2": [now(disk=FULL)]}), []
    monkeypatch.setattr(node, "connect", lambda: told)
    monkeypatch.setattr(telling, "tell", lambda _engine, _stack, what: heard.append(what))
    return heard


def test_a_node_is_found_by_its_service_and_by_its_name_in_the_stacks_file() -> None:
    assert node.wanted(KNOWN, None, "dev") == KNOWN
    assert node.wanted(KNOWN, "node2", "dev") == node.wanted(KNOWN, "compute-node2", "dev") == KNOWN[1:]


@pytest.mark.parametrize(("known", "words"), [(KNOWN, "did you mean"), ([], "make up STACK=dev")])
def test_an_unknown_node_is_refused_with_the_nearest_one(known: list[str], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        node.wanted(known, "compute-nod2", "dev")


def test_one_node_that_fails_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(monkeypatch)
    assert node.main("dev", out=tmp_path) == 1
    assert "/tmp: 0 MiB" in capsys.readouterr().out
    assert node.main("dev", node="node1", out=tmp_path) == 0


def test_a_waived_node_passes_and_the_others_stay_on_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = engine(monkeypatch)
    assert node.main("dev", node="node2", waive="emptied tonight", as_json=True, out=tmp_path) == 0
    assert [(one.node, one.verdict) for one in heard[-1].nodes] == [("compute-node2", "waived")]
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["waiver"]) == ("waived", "emptied tonight")
    known = record.read(tmp_path)
    assert known
    assert {n.node: n.verdict for n in known.nodes} == {"compute-node1": "pass", "compute-node2": "waived"}
    assert node.main("dev", out=tmp_path) == 0


def test_a_node_that_passes_needs_no_waiver(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(monkeypatch)
    assert node.main("dev", node="node1", waive="why not", out=tmp_path) == 0
    assert "nothing to waive" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "reason"), [(None, "a reason"), ("node1", " ")])
def test_a_waiver_needs_a_node_and_a_reason(
    name: str | None, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine(monkeypatch)
    with pytest.raises(RefusedError, match="WAIVE"):
        node.main("dev", node=name, waive=reason, out=tmp_path)
