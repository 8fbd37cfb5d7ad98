"""Alerts go to a mail server with STARTTLS, and to none that does not begin TLS as who it says it is."""

from __future__ import annotations

import base64
import email.policy
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.alerting import settings
from components.planning.inventory import Inventory
from components.planning.receivers import SUBMISSION
from tests.acceptance import mail_server
from tests.acceptance.alert_site import Site, certificate, site
from tests.acceptance.waiting import eventually

HOST, SENDER, READER = "mail.outside.test", "aidc@outside.test", "ops@outside.test"
PASSWORD = secrets.token_hex(16)


@pytest.fixture(scope="module")
def told(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    seed = secrets.token_hex(32)
    shown = {
        "good": certificate(HOST, seed=seed),
        "other": certificate("other.outside.test", seed=seed),
        "foreign": certificate(HOST),
    }
    certs = {f"{mode}.crt": one.certificate for mode, one in shown.items()}
    keys = {f"{mode}.key": one.key for mode, one in shown.items()}
    mail = {"server": HOST, "security": "starttls", "sender": SENDER, "to": [READER]}
    with site(
        inventory,
        tmp_path_factory.mktemp("mail"),
        declared=lambda at: {"email": {**mail, "addresses": [at]}},
        program=Path(mail_server.__file__).read_text(),
        certs=certs | keys,
        told={settings.PASSWORD: PASSWORD, "email-ca.crt": shown["good"].authority},
    ) as made:
        behave(made, "good")
        yield made


def behave(told: Site, mode: str) -> None:
    (told.folder / "mode").write_text(mode)


def heard(told: Site, mode: str) -> list[dict[str, Any]]:
    """What the server was told while it behaved so; a trial may be told again after it was given up."""
    return [line for line in told.messages() if line["mode"] == mode]


def verbs(lines: list[dict[str, Any]]) -> set[str]:
    return {str(line["said"]).split()[0] for line in lines if "said" in line}


def test_a_trial_arrives_by_tls_with_a_login(told: Site) -> None:
    # The server may still be starting; each trial is given up by itself.
    assert eventually(lambda: told.trial() == {"email": True})
    lines = heard(told, "good")
    assert verbs([line for line in lines if not line["tls"]]) == {"EHLO", "STARTTLS"}
    within = [line for line in lines if line["tls"]]
    assert {line["tls"] for line in within} <= {"TLSv1.2", "TLSv1.3"}
    (login,) = {line["said"] for line in within if line.get("said", "").startswith("AUTH")}
    assert base64.b64decode(login.split()[2]) == f"\0{SENDER}\0{PASSWORD}".encode()
    (text, *_) = (line["message"] for line in within if "message" in line)
    message = email.message_from_string(text, policy=email.policy.default)
    assert (message["To"], message["From"]) == (READER, SENDER)
    assert settings.TRIAL in message["Subject"]
    body = message.get_body(("plain",))
    assert body is not None
    assert "nothing is wrong" in body.get_content()


@pytest.mark.parametrize(
    ("mode", "asked"),
    [
        ("plain", {"EHLO"}),
        ("broken", {"EHLO", "STARTTLS"}),
        ("other", {"EHLO", "STARTTLS"}),
        ("foreign", {"EHLO", "STARTTLS"}),
    ],
    ids=["offers no TLS", "does not begin TLS", "a certificate for another name", "an unknown authority"],
)
def test_neither_login_nor_message_goes_to_a_server_that(told: Site, mode: str, asked: set[str]) -> None:
    behave(told, mode)
    try:
        assert told.trial() == {"email": False}
        # Its own attempts, and not the last ones of a trial before it.
        assert eventually(lambda: asked <= verbs(heard(told, mode)))
        assert told.trial() == {"email": False}
    finally:
        behave(told, "good")
    assert verbs(heard(told, mode)) - {"QUIT"} == asked
    assert not [line for line in heard(told, mode) if line["tls"] or "message" in line]


def test_the_gateway_opens_the_declared_port_alone(told: Site) -> None:
    # Behind the other ports the receiver has nobody: one that the gateway opened would greet with nothing.
    script = f'exec 3<>/dev/tcp/{HOST}/$1 && echo open && read -r -t 8 line <&3 && echo "$line"'
    ports = (25, 443, 465, SUBMISSION, 8404)
    greeted = {
        port: told.engine.run(f"aidc-{told.name}-alerts", ["bash", "-c", script, "-", str(port)])[1].strip()
        for port in ports
    }
    assert [port for port in ports if greeted[port].startswith("open")] == [SUBMISSION], greeted
    assert greeted[SUBMISSION].endswith(f"220 {HOST}"), greeted


def test_the_password_is_in_no_log_and_no_inspection(told: Site) -> None:
    told.trial()
    shown = told.shown()
    for secret in (PASSWORD, base64.b64encode(f"\0{SENDER}\0{PASSWORD}".encode()).decode()):
        assert secret not in shown
