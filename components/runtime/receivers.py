"""What belongs to the receivers of alerts beside the YAML: authorities, and secrets of the stack's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi

from components.planning.config import DATACENTER
from components.planning.issues import ConfigError, Issue
from components.planning.paths import ROOT
from components.planning.receivers import EMAIL_PASSWORD, WEBHOOK_URL, Alerts, secrets, url_fault
from components.runtime.detached import is_detached
from components.runtime.outside_store import authority

PATH = f"{DATACENTER}.monitoring.alerts"
FILES = {WEBHOOK_URL: "webhook-url", EMAIL_PASSWORD: "email-password"}


@dataclass(frozen=True)
class Told:
    """Files for Alertmanager: name → content, None where a plan is only checked."""

    authorities: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, pulumi.Input[str] | None] = field(default_factory=dict, repr=False)


def read(alerts: Alerts, settings: pulumi.Config, root: Path = ROOT) -> Told:
    """Authorities and secrets of the declared receivers. Raises ConfigError with every mistake."""
    found, mistakes = _authorities(alerts, root)
    if is_detached():
        # Where a plan is only checked, the secrets cannot be read, and nobody is told.
        return Told(found, {FILES[key]: None for key in secrets(alerts)})
    kept: dict[str, pulumi.Input[str] | None] = {}
    for key, what in secrets(alerts).items():
        name = key.partition(":")[2]
        # Plain here, so that a mistake is told before anything is created; what goes on is marked as secret.
        value = pulumi.runtime.get_config(key)
        fix = f"pulumi config set --secret {key} --stack {pulumi.get_stack()}  (it reads {what})"
        if not value:
            mistakes.append(Issue(f"config.{key}", "is missing", fix))
        elif fault := _fault(alerts, key, value):
            mistakes.append(Issue(f"config.{key}", fault, fix))
        else:
            kept[FILES[key]] = settings.require_secret(name)
    if mistakes:
        raise ConfigError(mistakes)
    return Told(found, kept)


def issues(alerts: Alerts, root: Path = ROOT) -> list[Issue]:
    """Every mistake in the files with authorities."""
    return _authorities(alerts, root)[1]


def _fault(alerts: Alerts, key: str, value: str) -> str:
    if key == WEBHOOK_URL and alerts.webhook:
        return url_fault(alerts.webhook, value)
    return "holds a line break" if "\n" in value or "\r" in value else ""


def _authorities(alerts: Alerts, root: Path) -> tuple[dict[str, str], list[Issue]]:
    found, mistakes = {}, []
    for name, receiver in (("webhook", alerts.webhook), ("email", alerts.email)):
        if receiver is not None:
            text, more = authority(root / receiver.ca, f"{PATH}.{name}.ca")
            found[f"{name}-ca.crt"] = text or "(authority)"
            mistakes += more
    return found, mistakes
