"""A stack with an outside store keeps every rule, and its gateway cannot be turned into a hole unnoticed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date

import pytest
import yaml

from components.planning.paths import ROOT
from policies.catalogue import NAMES, RULES
from policies.evaluate import Report, evaluate
from policies.model import Resource, assembled
from policies.settings import bundle
from policies.sources import stacks

DAY = date(2026, 12, 1)
EXTERNAL = {"endpoint": "https://s3.example.org", "addresses": ["203.0.113.7"]}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Resource, ...]:
    folder = tmp_path_factory.mktemp("outside")
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"]["aidc:datacenter"]["object_store"] = {"external": EXTERNAL}
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(ROOT / "__main__.py", folder)
    return stacks.program("dev", folder)


def check(resources: tuple[Resource, ...]) -> Report:
    stack = assembled(resources, "dev")
    return evaluate(stack, RULES, bundle.load("dev", NAMES).waivers, {}, DAY)


def changed(planned: tuple[Resource, ...], name: str, **props: object) -> tuple[Resource, ...]:
    assert any(resource.name == name for resource in planned)
    return tuple(replace(r, props={**r.props, **props}) if r.name == name else r for r in planned)


def test_it_keeps_every_mandatory_rule(planned: tuple[Resource, ...]) -> None:
    assert [outcome.message for outcome in check(planned).violations] == []


def test_no_node_and_no_root_of_an_own_store_is_left(planned: tuple[Resource, ...]) -> None:
    assert not [r.name for r in planned if r.name.startswith("aidc-dev-object-store")]
    assert "root-password" not in json.dumps([r.props for r in planned], default=str)


def test_every_client_names_the_outside_store(planned: tuple[Resource, ...]) -> None:
    told = json.dumps([r.props for r in planned if r.kind == "container"], default=str)
    assert "https://object-store" not in told
    assert told.count("https://s3.example.org") >= 4


@pytest.mark.parametrize("name", ["vault", "backup", "compute-node1", "load-balancer"])
def test_nobody_else_joins_the_way_out(planned: tuple[Resource, ...], name: str) -> None:
    container = next(r for r in planned if r.name == f"aidc-dev-{name}")
    networks = [
        *container.each("networksAdvanced"),
        {"name": "aidc-dev-egress", "ipv4Address": "10.77.12.99"},
    ]
    report = check(changed(planned, container.name, networksAdvanced=networks))
    found = {outcome.rule.name for outcome in report.violations}
    assert {"segment-membership", "way-out-keyless"} <= found


def test_the_gateway_passes_tls_unopened_to_one_name(planned: tuple[Resource, ...]) -> None:
    (settings,) = (
        str(upload["content"])
        for r in planned
        if r.is_seed and r.role == "store-gateway"
        for upload in r.each("uploads")
        if str(upload["file"]).endswith("haproxy.cfg")
    )
    assert "mode tcp" in settings
    assert "reject unless" in settings
    assert "req.ssl_sni -i s3.example.org" in settings
    assert " ssl " not in settings
    assert [line.split()[2] for line in settings.splitlines() if line.strip().startswith("server ")] == [
        "203.0.113.7:443"
    ]
