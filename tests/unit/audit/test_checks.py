"""Plan, state and engine together: what was made as planned passes, and each planted change is found."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from audit.context import Context
from audit.drift import declared
from audit.drift.check import check as drift
from audit.engine import snapshot
from audit.policies.check import check as policies
from audit.reachability.check import check as reachability
from audit.records import Advisories, Drift, Policies, Waivers
from audit.supply_chain import check as supply_chain
from audit.verdicts import Part
from audit.waivers.check import check as waivers
from policies.model import Resource
from tests.unit.audit.conftest import make_inventory
from tests.unit.audit.fake_engine import Api

STACK = "test"
VAULT, NODE = "aidc-test-vault", "aidc-test-compute-node1"


@pytest.fixture(scope="module")
def plans() -> tuple[tuple[Resource, ...], tuple[Resource, ...]]:
    """Under the seed that the engine knows, and under another."""
    return declared.programs(STACK)


@pytest.fixture
def api(plans: tuple[tuple[Resource, ...], tuple[Resource, ...]]) -> Api:
    """An engine that made the stack with the second seed: the plan's stand-in is not the real one."""
    return Api(plans[1])


def context(plans: tuple[tuple[Resource, ...], tuple[Resource, ...]], api: Api, root: Path) -> Context:
    kinds = ("container", "network", "volume", "limit")
    resources = [
        {"type": r.type, "urn": f"urn::{r.name}", "inputs": dict(r.props)}
        for r in plans[1]
        if r.kind in kinds
    ]
    client = SimpleNamespace(api=api)
    return Context(
        stack=STACK,
        root=root,
        client=client,
        local=False,
        inventory=make_inventory(),
        ca_pem="",
        exported={"deployment": {"resources": resources}},
        snapshot=snapshot.take(client, STACK),
        plan=plans[0],
        other_plan=plans[1],
        tracker=Future(),
        python=Future(),
    )


def failed(part: Part) -> list[str]:
    return [row.name for row in part.rows if row.verdict == "fail"]


@pytest.fixture
def audited(
    plans: tuple[tuple[Resource, ...], tuple[Resource, ...]], api: Api, tmp_path: Path
) -> Callable[[Callable[[Context], Part]], Part]:
    """Run one part on the engine as it is then."""
    return lambda part: part(context(plans, api, tmp_path))


Audit = Callable[[Callable[[Context], Part]], Part]


def test_what_was_made_as_planned_has_no_drift(audited: Audit) -> None:
    part = audited(drift)
    assert part.holding(Drift).differences == []
    assert failed(part) == []
    assert part.holding(Drift).compared > 500


def test_what_was_made_as_planned_keeps_the_rules_on_all_three(audited: Audit) -> None:
    assert failed(audited(policies)) == []


def differing(part: Part) -> set[tuple[str, str]]:
    return {(d.resource, d.field) for d in part.holding(Drift).differences}


def test_a_foreign_segment_is_drift_and_a_disagreement(audited: Audit, api: Api) -> None:
    api.one(VAULT)["NetworkSettings"]["Networks"]["aidc-test-storage"] = {"IPAddress": "10.77.6.2"}
    assert differing(audited(drift)) >= {(VAULT, "networks.aidc-test-storage")}
    assert "plan, state and live agree" in failed(audited(policies))


def test_a_lost_hardening_is_drift_and_a_disagreement(audited: Audit, api: Api) -> None:
    api.one(NODE)["HostConfig"]["ReadonlyRootfs"] = False
    assert differing(audited(drift)) == {(NODE, "read-only root")}
    entries = audited(policies).holding(Policies).rules
    assert [e.rule for e in entries if e.disagreements] == ["readonly-root"]


def test_a_file_whose_mode_was_widened_is_found(audited: Audit, api: Api) -> None:
    seed = next(name for name in api.uploads if name.endswith("vault-files"))
    api.uploads[seed] = [
        u | ({"permissions": "0444"} if "tls.key" in u["file"] else {}) for u in api.uploads[seed]
    ]
    assert differing(audited(drift)) == {(seed, "files.tls.key")}


def test_a_configuration_that_was_edited_is_found(audited: Audit, api: Api) -> None:
    seed = "aidc-test-load-balancer-files"
    api.uploads[seed] = [u | ({"content": "x"} if "haproxy" in u["file"] else {}) for u in api.uploads[seed]]
    assert differing(audited(drift)) == {(seed, "files.haproxy.cfg")}


def test_a_missing_container_and_an_extra_volume_are_found(audited: Audit, api: Api) -> None:
    api.containers_.remove(api.one(VAULT))
    api.volumes_.append({"Name": "aidc-test-x", "Driver": "local", "Labels": {"aidc.stack": STACK}})
    part = audited(drift)
    assert differing(part) == {(VAULT, "container"), ("aidc-test-x", "volume")}
    assert failed(part) == ["what runs is what is planned"]


def test_a_container_without_the_label_on_a_segment_is_foreign(audited: Audit, api: Api) -> None:
    foreign: dict[str, Any] = {
        "Id": "ff",
        "Name": "/foreign",
        "State": {"Status": "running", "Running": True, "Pid": 1},
        "Config": {"Image": "x", "Labels": {}},
        "HostConfig": {},
        "NetworkSettings": {"Networks": {"aidc-test-storage": {}}},
    }
    api.containers_.append(foreign)
    assert failed(audited(drift)) == ["only the stack is on its networks and volumes"]


def test_a_stopped_service_is_found(audited: Audit, api: Api) -> None:
    api.one(VAULT)["State"] = {"Status": "exited", "Running": False, "Pid": 0}
    assert (VAULT, "runs") in differing(audited(drift))


def test_what_is_not_compared_is_said(audited: Audit) -> None:
    whats = " ".join(item.what for item in audited(drift).holding(Drift).not_compared)
    assert "secrets" in whats
    assert "destroyGraceSeconds" in whats
    assert "images against the sources" in whats


def test_values_of_secrets_are_nowhere_in_the_document(audited: Audit, api: Api) -> None:
    api.one(NODE)["Config"]["Env"].append("TOKEN=hunter2")
    seed = "aidc-test-compute-files"
    api.uploads[seed] = [u | {"content": "hunter2"} for u in api.uploads[seed]]
    part = audited(drift)
    assert (NODE, "env.TOKEN") in differing(part)
    assert "hunter2" not in str(part)


def test_without_root_or_a_local_engine_reachability_is_not_checked(audited: Audit) -> None:
    assert [row.verdict for row in audited(reachability).rows] == ["not checked"]


def test_waivers_are_needed_on_the_plan(audited: Audit) -> None:
    part = audited(waivers)
    assert failed(part) == []
    assert part.holding(Waivers).waivers


def test_every_pin_of_the_plan_is_recorded_with_its_review(
    audited: Audit, plans: tuple[tuple[Resource, ...], tuple[Resource, ...]]
) -> None:
    pins = audited(supply_chain.reviews).holding(Advisories).pins
    assert {pin.name for pin in pins} == {r.name for r in plans[0] if r.kind == "pin"}
    assert any(pin.reviewed_version and pin.review_place for pin in pins)
