"""What Alertmanager and the gateway read. Pure: secrets are in files of their own."""

from __future__ import annotations

import json
from typing import Any

from components.planning import receivers
from components.planning.flows import ALERT_GATEWAY, LB_STATS
from components.planning.plan import Plan
from components.planning.receivers import ALIVE, USER, Alerts, Email, Webhook
from components.runtime.files import FILES_DIR
from components.runtime.rendering import render

# No fault, but a trial by hand.
TRIAL = "Trial"
# Receivers in Alertmanager; a trial has its own, so that what became of it can be told from its counters.
NOBODY, PEOPLE, OF_TRIAL, OF_LIFE = "nobody", "people", "trial", "alive"
URL, PASSWORD = "webhook-url", "email-password"
# Seconds to wait for more alerts of the same name, and between two messages about the same group.
WAIT, INTERVAL, AT_ONCE = "10s", "5m", "0s"
# Bytes of a message are bounded by the number of alerts in it.
MOST = 100


def configuration(plan: Plan) -> str:
    """Alertmanager's file, JSON, which is YAML as well."""
    alerts = plan.config.monitoring.alerts
    told = bool(receivers.places(alerts))
    trial = {
        "receiver": OF_TRIAL if told else NOBODY,
        "matchers": [f'alertname="{TRIAL}"'],
        # Each trial is a group of its own, told at once and given up after the shortest time there is.
        "group_by": ["alertname", "number"],
        "group_wait": AT_ONCE,
        "group_interval": "10s",
    }
    routes = [trial]
    if alerts.alive_minutes:
        routes.append(
            {
                "receiver": OF_LIFE,
                "matchers": [f'alertname="{ALIVE}"'],
                "group_wait": AT_ONCE,
                "group_interval": f"{alerts.alive_minutes}m",
                # Shorter: else each second message would find the last one not old enough.
                "repeat_interval": f"{alerts.alive_minutes * 60 - 20}s",
            }
        )
    names = [NOBODY, *([PEOPLE, OF_TRIAL] if told else []), *([OF_LIFE] if alerts.alive_minutes else [])]
    document = {
        "route": {
            "receiver": PEOPLE if told else NOBODY,
            "group_by": ["alertname"],
            "group_wait": WAIT,
            "group_interval": INTERVAL,
            "repeat_interval": f"{alerts.repeat_hours}h",
            "routes": routes,
        },
        "receivers": [_receiver(name, alerts) for name in names],
    }
    return json.dumps(document, indent=1) + "\n"


def _receiver(name: str, alerts: Alerts) -> dict[str, Any]:
    made: dict[str, Any] = {"name": name}
    # When it is over is of no interest for a trial, and a sign of life is none.
    over = name == PEOPLE
    if alerts.webhook and name != NOBODY:
        made["webhook_configs"] = [_webhook(alerts.webhook, over)]
    if alerts.email and name in (PEOPLE, OF_TRIAL):
        made["email_configs"] = [_email(alerts.email, over)]
    return made


def _webhook(webhook: Webhook, over: bool) -> dict[str, Any]:
    return {
        "url_file": f"{FILES_DIR}/{URL}",
        "send_resolved": over,
        "max_alerts": MOST,
        "http_config": {
            "follow_redirects": False,
            "tls_config": _tls(webhook.host, "webhook"),
        },
    }


def _email(email: Email, over: bool) -> dict[str, Any]:
    return {
        "to": ", ".join(email.to),
        "from": email.sender,
        "smarthost": f"{email.host}:{email.at}",
        "hello": "aidc",
        "auth_username": email.user or email.sender,
        "auth_password_file": f"{FILES_DIR}/{PASSWORD}",
        # With STARTTLS; at the port for TLS from the first byte there is nothing to begin.
        "require_tls": not email.named,
        "tls_config": _tls(email.host, "email"),
        "send_resolved": over,
        "html": "",
        "text": TEXT,
        "headers": {"Subject": SUBJECT},
    }


SUBJECT = "[{{ .Status | toUpper }}] {{ .CommonLabels.stack }}: {{ .GroupLabels.alertname }}"
TEXT = (
    '{{ range .Alerts }}{{ if eq .Status "firing" }}{{ .Annotations.summary }}\n'
    "{{ else }}over: {{ .Annotations.summary }}\n{{ end }}"
    "since {{ .StartsAt }}; what to do: {{ .Annotations.runbook }}\n\n{{ end }}"
)


def _tls(host: str, name: str) -> dict[str, str]:
    return {"ca_file": f"{FILES_DIR}/{name}-ca.crt", "server_name": host, "min_version": "TLS12"}


def web(hashed: str) -> str:
    """The settings of Alertmanager's own listener. `hashed` is an htpasswd line of its one user."""
    _, _, digest = hashed.strip().partition(":")
    document = {
        "tls_server_config": {
            "cert_file": f"{FILES_DIR}/tls.crt",
            "key_file": f"{FILES_DIR}/tls.key",
            "min_version": "TLS13",
        },
        "basic_auth_users": {USER: digest},
    }
    return json.dumps(document, indent=1) + "\n"


def login(password: str) -> str:
    """The same login for curl, which the container asks itself with."""
    return f'user = "{USER}:{password}"\n'


def gateway(plan: Plan) -> str:
    """haproxy.cfg of the gateway to the receivers."""
    places = receivers.places(plan.config.monitoring.alerts)
    return render(
        "alert-gateway.cfg.j2",
        stack=plan.stack,
        listen=plan.service(ALERT_GATEWAY).addresses["monitor"],
        ports=dict.fromkeys(place.port for place in places if place.named),
        places=places,
        stats_port=LB_STATS,
    )
