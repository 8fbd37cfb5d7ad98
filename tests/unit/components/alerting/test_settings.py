"""What Alertmanager and its gateway are told of a mail server: TLS first, and one way out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from components.alerting import settings
from components.planning.plan import Plan, make_plan
from components.planning.validation import load

HOOK = {"endpoint": "https://hooks.example.org", "addresses": ["203.0.113.7"]}
MAIL = {
    "server": "mail.example.org",
    "addresses": ["203.0.113.9", "203.0.113.10"],
    "sender": "aidc@example.org",
    "to": ["ops@example.org"],
}
STARTTLS = {**MAIL, "security": "starttls"}


def planned(**alerts: object) -> Plan:
    return make_plan("dev", load({"monitoring": {"alerts": alerts}}, "dev"))


def doors(plan: Plan) -> dict[str, list[str]]:
    """Door or backend of the gateway → its lines."""
    blocks = [block.strip().splitlines() for block in settings.gateway(plan).split("\n\n")]
    return {
        lines[0]: [line.strip() for line in lines[1:] if not line.strip().startswith("#")] for lines in blocks
    }


def mails(plan: Plan) -> list[dict[str, Any]]:
    receivers = json.loads(settings.configuration(plan))["receivers"]
    return [mail for one in receivers for mail in one.get("email_configs", ())]


@pytest.mark.parametrize(
    ("mail", "place", "begun"),
    [
        (MAIL, "mail.example.org:465", False),
        (STARTTLS, "mail.example.org:587", True),
        ({**STARTTLS, "port": 2525}, "mail.example.org:2525", True),
    ],
)
def test_tls_is_wanted_of_a_mail_server_that_does_not_begin_with_it(
    mail: dict[str, object], place: str, begun: bool
) -> None:
    found = mails(planned(email=mail))
    assert len(found) == 2, "for people, and for trials"
    for one in found:
        assert (one["smarthost"], one["require_tls"]) == (place, begun)
        assert one["tls_config"]["server_name"] == "mail.example.org"
        assert "insecure_skip_verify" not in one["tls_config"]


def test_a_port_for_starttls_leads_to_the_mail_server_alone() -> None:
    plan = planned(webhook=HOOK, email=STARTTLS)
    here = plan.service("alert-gateway").addresses["monitor"]
    found = doors(plan)
    assert found["frontend starttls-587"] == [f"bind {here}:587", "default_backend email"]
    assert found["backend email"][1:] == [
        "server email-1 203.0.113.9:587",
        "server email-2 203.0.113.10:587",
    ]
    assert found["frontend port-443"][-1] == "use_backend webhook if { req.ssl_sni -i hooks.example.org }"
    assert [name for name in found if name.startswith("frontend")] == [
        "frontend starttls-587",
        "frontend port-443",
        "frontend health",
    ]


def test_no_other_port_is_passed_on_without_a_name() -> None:
    found = doors(planned(webhook=HOOK, email=MAIL))
    for port in (443, 465):
        assert any("reject unless" in line for line in found[f"frontend port-{port}"])
    assert not [name for name in found if "starttls" in name]
