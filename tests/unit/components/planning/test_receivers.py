"""Receivers of alerts: every mistake is named with its path, and never a secret."""

from __future__ import annotations

import pytest

from components.planning.issues import ConfigError
from components.planning.receivers import Alerts, Webhook, places, url_fault
from components.planning.validation import load

AT = {"addresses": ["203.0.113.7"]}
NAMED = {"endpoint": "https://a.example.org"}
MAIL = {"server": "mail.example.org", **AT, "sender": "a@b.c", "to": ["a@b.c"]}
STARTTLS = {**MAIL, "security": "starttls"}
HOOK = Webhook.model_validate({"endpoint": "https://hooks.example.org", "addresses": ["203.0.113.7"]})


@pytest.mark.parametrize(
    ("alerts", "path"),
    [
        ({"webhook": {"endpoint": "http://hooks.example.org", **AT}}, "webhook.endpoint"),
        ({"webhook": {"endpoint": "https://hooks.example.org/x", **AT}}, "endpoint"),
        ({"webhook": {**NAMED, "addresses": []}}, "webhook.addresses"),
        ({"webhook": {**NAMED, "addresses": ["169.254.169.254"]}}, "addresses[0]"),
        ({"webhook": {**NAMED, "addresses": ["10.77.0.9"]}}, "addresses[0]"),
        ({"email": {"server": "mail", **AT, "sender": "a@b.c", "to": ["a@b.c"]}}, "server"),
        ({"email": {**MAIL, "security": "none"}}, "email.security"),
        ({"email": {**MAIL, "security": True}}, "email.security"),
        ({"email": {**MAIL, "port": 587}}, "email.port"),
        ({"email": {**STARTTLS, "port": 465}}, "email.port"),
        ({"email": {**STARTTLS, "port": 0}}, "email.port"),
        ({"email": {**STARTTLS, "port": "587"}}, "email.port"),
        ({"email": STARTTLS, "webhook": {"endpoint": "https://a.example.org:587", **AT}}, "endpoint"),
        ({"email": STARTTLS, "webhook": {"endpoint": "https://mail.example.org:587", **AT}}, "endpoint"),
        ({"email": {**STARTTLS, "port": 443}, "webhook": {**NAMED, **AT}}, "webhook.endpoint"),
        ({"alive_minutes": 5}, "alive_minutes"),
        ({"repeat_hours": 0}, "repeat_hours"),
        ({"email": {**MAIL, "to": [MAIL["sender"], MAIL["sender"]]}}, "email.to"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_path(alerts: object, path: str) -> None:
    with pytest.raises(ConfigError) as found:
        load({"monitoring": {"alerts": alerts}}, "dev")
    assert any(path in issue.path for issue in found.value.issues), str(found.value)


@pytest.mark.parametrize(
    ("mail", "port", "named"),
    [(MAIL, 465, True), (STARTTLS, 587, False), ({**STARTTLS, "port": 25}, 25, False)],
)
def test_a_mail_server_is_at_the_port_of_its_security(
    mail: dict[str, object], port: int, named: bool
) -> None:
    (place,) = places(Alerts.model_validate({"email": mail}))
    assert (place.port, place.named) == (port, named)


def test_a_webhook_may_share_the_port_of_a_mail_server_that_is_asked_by_name() -> None:
    hook = {"endpoint": "https://a.example.org:465", **AT}
    assert load({"monitoring": {"alerts": {"email": MAIL, "webhook": hook}}}, "dev")


@pytest.mark.parametrize("url", ["https://hooks.example.org/secret", "https://hooks.example.org:443/s?k=v"])
def test_a_url_of_the_declared_endpoint_is_taken(url: str) -> None:
    assert url_fault(HOOK, url) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org.evil.org/secret",
        "https://hooks.example.org:8443/secret",
        "http://hooks.example.org/secret",
        "https://hooks.example.org/secret\n",
        "https://hooks.example.org",
        "",
    ],
)
def test_a_url_of_another_place_is_refused_without_being_quoted(url: str) -> None:
    fault = url_fault(HOOK, url)
    assert fault
    assert "secret" not in fault


@pytest.mark.parametrize(
    "address",
    [
        "ops@example..org",
        "ops@.example.org",
        "ops@example.org.",
        "ops@-",
        "o..ps@example.org",
        ".ops@example.org",
        "ops.@example.org",
        "o" * 65 + "@example.org",
        "{{.X}}@example.org",
        "ops@" + "a" * 300,
    ],
)
def test_an_address_that_no_server_takes_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"email\.to"):
        load({"monitoring": {"alerts": {"email": {**MAIL, "to": [address]}}}}, "dev")


@pytest.mark.parametrize("address", ["ops@example.org", "o.p+s@localhost", "{ops}@mail-1.example.org"])
def test_an_address_of_a_person_is_accepted(address: str) -> None:
    load({"monitoring": {"alerts": {"email": {**MAIL, "to": [address]}}}}, "dev")
