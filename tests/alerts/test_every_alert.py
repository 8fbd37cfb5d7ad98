"""Each alert fires on a running stack when what it is for happens, names it, and is told."""

from __future__ import annotations

import pytest

from components.monitoring.rules import rules
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.planning.receivers import ALIVE
from components.planning.validation import load
from tests.acceptance.waiting import eventually
from tests.alerts.causes import BEGUN, CAUSES, CHOSEN
from tests.alerts.receiver import FAR, HOST, Receiver
from tests.alerts.watch import Watch

EXPECTED = {name: says for cause in CAUSES for name, says in cause.alerts.items()}
WHOLE = pytest.mark.skipif(len(CHOSEN) < len(CAUSES), reason="ONLY leaves causes out")
WANTED = {name for cause in CHOSEN for name in cause.alerts}
# The sign of life is no fault, and none that `make alerts` lists: the receiver has it.
FIRED = sorted(WANTED - BEGUN - {ALIVE})


def test_every_rule_has_its_cause() -> None:
    webhook = {"endpoint": f"https://{HOST}:8443", "addresses": [FAR]}
    alive = load({"monitoring": {"alerts": {"webhook": webhook, "alive_minutes": 1}}}, "alarms")
    known = {rule.name for config in (StackConfig(), alive) for rule in rules(make_plan("alarms", config))}
    assert known == set(EXPECTED)


@pytest.mark.parametrize("alert", FIRED)
def test_an_alert_fires_and_names_its_cause(alert: str, watch: Watch) -> None:
    seen = watch.of(alert)
    assert "firing" in seen.since, f"seen: {seen}"
    assert any(EXPECTED[alert] in said for said in seen.said), seen.said


@pytest.mark.parametrize("alert", sorted(WANTED & BEGUN))
def test_an_alert_for_what_lasts_an_hour_has_begun(alert: str, watch: Watch) -> None:
    assert "pending" in watch.of(alert).since


def test_the_mail_server_was_told_by_starttls_alone(watch: Watch, receiver: Receiver) -> None:
    def told() -> bool:
        mails = [line["message"] for line in receiver.mails() if line["tls"] and "message" in line]
        return any(name in mail for name in fired for mail in mails)

    fired = watch.names("firing") - {ALIVE}
    # What fires is gathered for half a minute before it is told.
    assert eventually(told), receiver.mails()
    plain = {line["said"].split()[0] for line in receiver.mails() if not line["tls"]}
    assert plain == {"EHLO", "STARTTLS"}


@WHOLE
def test_a_store_node_that_is_away_is_told_once(watch: Watch) -> None:
    said = {text for text in watch.of("ServiceDown").said if "object-store-4" in text}
    assert len(said) == 1
    assert watch.of("ServiceDown").most <= len(watch.of("ServiceDown").said)


@WHOLE
def test_the_receiver_was_told_until_it_refused(watch: Watch, receiver: Receiver) -> None:
    told = receiver.names()
    assert ALIVE in told
    # Of what fired within the first minutes, before the receiver refused.
    assert {"DatabaseDamaged", "DrillFailed", "TrafficRefused"} <= told
