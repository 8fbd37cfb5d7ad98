"""Receivers of alerts: every mistake is named with its path, and never a secret."""

from __future__ import annotations

import pytest

from components.planning.issues import ConfigError
from components.planning.receivers import Webhook, url_fault
from components.planning.validation import load

AT = {"addresses": ["203.0.113.7"]}
NAMED = {"endpoint": "https://a.example.org"}
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
        ({"alive_minutes": 5}, "alive_minutes"),
        ({"repeat_hours": 0}, "repeat_hours"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_path(alerts: object, path: str) -> None:
    with pytest.raises(ConfigError) as found:
        load({"monitoring": {"alerts": alerts}}, "dev")
    assert any(path in issue.path for issue in found.value.issues), str(found.value)


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
