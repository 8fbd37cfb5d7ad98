"""The way to a notebook: closed by default; open, it keeps every rule, and nodes do not know its password."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from components.planning.flows import NOTEBOOK
from components.planning.paths import ROOT
from policies.catalogue import NAMES, RULES
from policies.evaluate import evaluate
from policies.model import Resource, Stack, assembled
from policies.settings import bundle
from policies.sources import stacks
from tests.policy.test_alert_receivers import DAY, uploads


def planned(folder: Path, enabled: bool) -> tuple[Resource, ...]:
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"]["aidc:datacenter"]["notebook"] = {"enabled": enabled}
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(ROOT / "__main__.py", folder)
    return stacks.program("dev", folder)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> tuple[Resource, ...]:
    return planned(tmp_path_factory.mktemp("on"), True)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Resource, ...]:
    return planned(tmp_path_factory.mktemp("off"), False)


def published(resources: tuple[Resource, ...]) -> set[int]:
    return {int(p["internal"]) for r in resources if r.kind == "container" for p in r.each("ports")}


def pairs(stack: Stack) -> set[tuple[str, str]]:
    return {(flow.source, flow.destination) for flow in stack.flows if flow.port == NOTEBOOK}


def test_it_is_closed_unless_the_file_opens_it(
    opened: tuple[Resource, ...], closed: tuple[Resource, ...]
) -> None:
    assert published(opened) - published(closed) == {NOTEBOOK}
    assert pairs(assembled(closed)) == set()
    assert pairs(assembled(opened)) == {("clients", "load-balancer"), ("load-balancer", "compute")}


def test_open_it_keeps_every_mandatory_rule(opened: tuple[Resource, ...]) -> None:
    report = evaluate(assembled(opened, "dev"), RULES, bundle.load("dev", NAMES).waivers, {}, DAY)
    assert [outcome.message for outcome in report.violations] == []


def test_opening_it_replaces_no_node(opened: tuple[Resource, ...], closed: tuple[Resource, ...]) -> None:
    def nodes(resources: tuple[Resource, ...]) -> list[object]:
        return [r.props for r in resources if r.role in ("compute", "ray-head")]

    assert nodes(opened)
    assert nodes(opened) == nodes(closed)


def test_the_nodes_know_the_login_by_its_digest_alone(opened: tuple[Resource, ...]) -> None:
    (login,) = uploads(opened, "load-balancer")["notebook-login"].splitlines()
    assert login.startswith("Basic ")
    assert not [name for name, content in uploads(opened, "compute").items() if login in content]
    assert len(uploads(opened, "compute")["notebook-login.sha256"].strip()) == 64
