"""A stack that tells people of alerts keeps every rule; its way out leads to the receivers alone."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from components import firewall
from components.monitoring.readings import ALLOWED
from components.monitoring.server import LEFT
from components.planning.flows import ALERT_GATEWAY, ALERT_RECEIVER
from components.planning.paths import ROOT
from components.planning.plan import make_plan
from components.planning.receivers import ALIVE
from components.planning.validation import load
from operations.front import alerts as front
from policies.catalogue import NAMES, RULES
from policies.evaluate import evaluate
from policies.model import Resource, assembled
from policies.settings import bundle
from policies.sources import stacks

DAY = date(2026, 12, 1)
ALERTS: dict[str, Any] = {
    "webhook": {"endpoint": "https://hooks.example.org", "addresses": ["203.0.113.7"]},
    "email": {
        "server": "mail.example.org",
        "addresses": ["203.0.113.9"],
        "sender": "aidc@example.org",
        "to": ["ops@example.org"],
    },
    "alive_minutes": 5,
}


STARTTLS = {**ALERTS, "email": {**ALERTS["email"], "security": "starttls"}}
ONLY_STARTTLS = {"email": STARTTLS["email"]}


def declared(made: Path, alerts: object) -> Path:
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"]["aidc:datacenter"]["monitoring"] = {"alerts": alerts}
    (made / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(ROOT / "__main__.py", made)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return declared(tmp_path_factory.mktemp("told"), ALERTS)


@pytest.fixture(scope="module")
def planned(folder: Path) -> tuple[Resource, ...]:
    return stacks.program("dev", folder)


def uploads(planned: tuple[Resource, ...], role: str) -> dict[str, str]:
    return {
        Path(str(upload["file"])).name: str(upload["content"])
        for r in planned
        if r.is_seed and r.role == role
        for upload in r.each("uploads")
    }


def test_it_keeps_every_mandatory_rule(planned: tuple[Resource, ...]) -> None:
    stack = assembled(planned, "dev")
    report = evaluate(stack, RULES, bundle.load("dev", NAMES).waivers, {}, DAY)
    assert [outcome.message for outcome in report.violations] == []


@pytest.mark.parametrize("alerts", [STARTTLS, ONLY_STARTTLS], ids=["with a webhook", "mail alone"])
def test_so_does_one_whose_mail_server_speaks_starttls(alerts: object, tmp_path: Path) -> None:
    planned = stacks.program("dev", declared(tmp_path, alerts))
    report = evaluate(assembled(planned, "dev"), RULES, bundle.load("dev", NAMES).waivers, {}, DAY)
    assert [outcome.message for outcome in report.violations] == []


def test_the_gateway_alone_has_a_way_out_and_holds_no_secret(planned: tuple[Resource, ...]) -> None:
    out = [r.role for r in planned if r.kind == "container" and "aidc-dev-egress" in r.networks]
    assert out == [ALERT_GATEWAY]
    assert set(uploads(planned, ALERT_GATEWAY)) == {"haproxy.cfg", "files.sha256"}


@pytest.mark.parametrize(
    ("mail", "port"),
    [({}, "465"), ({"security": "starttls"}, "587"), ({"security": "starttls", "port": 2525}, "2525")],
)
def test_each_receiver_is_reached_at_its_own_addresses_and_port_alone(
    mail: dict[str, object], port: str
) -> None:
    alerts = {**ALERTS, "email": {**ALERTS["email"], **mail}}
    plan = make_plan("dev", load({"monitoring": {"alerts": alerts}}, "dev"))
    out = [flow for flow in plan.flows if flow.destination == ALERT_RECEIVER]
    found = {(rule.destinations, rule.ports) for rule in firewall.rules(plan, out)}
    assert found == {(("203.0.113.7",), "443"), (("203.0.113.9",), port)}


def test_without_a_receiver_nothing_has_a_way_out() -> None:
    plan = make_plan("dev", load({}, "dev"))
    assert not plan.by_role(ALERT_GATEWAY)
    assert "egress" not in {segment.name for segment in plan.segments}


def test_secrets_differ_with_the_seed_so_that_the_audit_knows_them(
    folder: Path, planned: tuple[Resource, ...]
) -> None:
    other = uploads(stacks.program("dev", folder, seed="0d" * 32), "alerts")
    here = uploads(planned, "alerts")
    assert {"webhook-url", "email-password", "login"} <= {name for name in here if here[name] != other[name]}


def test_no_secret_is_in_the_settings(planned: tuple[Resource, ...]) -> None:
    found = uploads(planned, "alerts")
    settings = json.loads(found["alertmanager.yaml"])
    hooks = [hook for one in settings["receivers"] for hook in one.get("webhook_configs", ())]
    assert hooks
    assert all("url" not in hook and hook["url_file"] == "/etc/aidc/webhook-url" for hook in hooks)
    for name in ("webhook-url", "email-password"):
        assert found[name] not in found["alertmanager.yaml"]


def test_figures_are_taken_over_of_exactly_the_services_that_leave_some(
    planned: tuple[Resource, ...],
) -> None:
    (metrics,) = (r for r in planned if r.name == "aidc-dev-metrics")
    mounted = {str(m["target"]) for m in metrics.each("mounts") if str(m["target"]).startswith(f"{LEFT}/")}
    assert mounted == {f"{LEFT}/{service}" for service in ALLOWED}


def test_the_sign_of_life_has_one_name() -> None:
    assert front.ALIVE == ALIVE
