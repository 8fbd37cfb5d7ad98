"""Who is told of alerts: what the YAML says of the receivers, and where the way out to them leads. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from components.planning.fields import Model, once
from components.planning.issues import Issue
from components.planning.outside import HOST, HTTPS, Addresses, Endpoint, PathText

# TLS from the first byte (RFC 8314), which Alertmanager speaks at this port, and at no other; and where mail
# is handed in with STARTTLS (RFC 6409).
SMTPS, SUBMISSION = 465, 587
# Keys of the stack's file that hold the secrets.
WEBHOOK_URL, EMAIL_PASSWORD = "aidc:alerts-webhook", "aidc:alerts-email"
# The login with which the metrics service hands alerts over.
USER, SECRET = "metrics", "monitoring/alerts"
# The alert that always fires, as a sign of life.
ALIVE = "Watchdog"
MAIL_FIX = "write the mail server's name as its certificate has it: mail.example.org"
MAIL_PORT_FIX = "write a port from 1 to 65535, or remove it: 465 with tls, 587 with starttls"
ADDRESS_FIX = "write an address as ops@example.org"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# Alertmanager sends nothing where it cannot parse one of the addresses: dots stand between other signs.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_MAIL = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(\.{_ATOM})*@({_LABEL}\.)*{_LABEL}")
_PATH = re.compile(r"[\x21-\x7e]{0,2000}")


def _server(value: str) -> str:
    if len(value) > 253 or not HOST.fullmatch(value):
        raise ValueError(f"{value!r:.100} is not a full name of DNS, which the server's certificate is for")
    return value


def _mail(value: str) -> str:
    # In what Alertmanager writes into a mail, two braces begin a template.
    if len(value) > 254 or "{{" in value or not _MAIL.fullmatch(value):
        raise ValueError(f"{value!r:.80} is not an address of e-mail")
    return value


def _user(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,254}", value):
        raise ValueError("is not a user's name: letters, digits and signs without blanks")
    return value


MailAddress = Annotated[str, Field(strict=True), AfterValidator(_mail)]
MailServer = Annotated[str, Field(strict=True), AfterValidator(_server)]
UserName = Annotated[str, Field(strict=True), AfterValidator(_user)]


class Webhook(Model):
    """A server that takes alerts as JSON by HTTPS. Its whole URL is the secret `aidc:alerts-webhook`."""

    endpoint: Endpoint
    """`https://name:port` of the URL, without its path; the certificate has to be for this name."""
    addresses: Addresses
    """The IPv4 addresses of that name. Only they are let through the firewall: no name is resolved there."""
    ca: PathText = "/etc/ssl/certs/ca-certificates.crt"
    """A PEM file with the authorities to trust, by default those of this machine."""

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or HTTPS


class Email(Model):
    """A mail server. The password, which goes by TLS alone, is the secret `aidc:alerts-email`."""

    server: MailServer
    """The name of the server; the certificate has to be for this name."""
    security: Literal["tls", "starttls"] = "tls"
    """`tls`: from the first byte; `starttls`: it greets in plain, and TLS begins before login and message."""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] | None = None
    """Only with `starttls`, which has 587 by default; `tls` is spoken at 465 alone."""
    addresses: Addresses
    """The IPv4 addresses of that name. Only they are let through the firewall."""
    sender: MailAddress
    """From whom the mail comes."""
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=20), AfterValidator(once)]
    """Who gets it."""
    user: UserName | None = None
    """Who logs in; by default the sender."""
    ca: PathText = "/etc/ssl/certs/ca-certificates.crt"
    """A PEM file with the authorities to trust, by default those of this machine."""

    @property
    def host(self) -> str:
        return self.server

    @property
    def named(self) -> bool:
        """Whether a connection begins with the name that it is for."""
        return self.security == "tls"

    @property
    def at(self) -> int:
        """The port of the server."""
        return self.port or (SMTPS if self.named else SUBMISSION)


class Alerts(Model):
    """Who is told of alerts beside the page; without a receiver nothing has a way out."""

    webhook: Webhook | None = None
    email: Email | None = None
    repeat_hours: Annotated[int, Field(ge=1, le=168, strict=True)] = 12
    """Hours after which an alert that still fires is told again."""
    alive_minutes: Annotated[int, Field(ge=1, le=1440, strict=True)] | None = None
    """Minutes between two messages `Watchdog`, which the receiver misses when the stack is silent."""


@dataclass(frozen=True)
class Place:
    """Where a receiver is. Without `named`, a connection says no name before the server speaks."""

    name: str
    host: str
    port: int
    addresses: tuple[IPv4Address, ...]
    named: bool = True


def places(alerts: Alerts) -> tuple[Place, ...]:
    """One for each declared receiver."""
    hook, mail = alerts.webhook, alerts.email
    return (
        *((Place("webhook", hook.host, hook.port, hook.addresses),) if hook else ()),
        *((Place("email", mail.host, mail.at, mail.addresses, mail.named),) if mail else ()),
    )


def ports(alerts: Alerts) -> tuple[int, ...]:
    """The ports of all receivers, each once."""
    return tuple(dict.fromkeys(place.port for place in places(alerts)))


def secrets(alerts: Alerts) -> dict[str, str]:
    """Key of the stack's file → what it holds, for the declared receivers."""
    needed = {}
    if alerts.webhook:
        needed[WEBHOOK_URL] = "the whole URL of monitoring.alerts.webhook"
    if alerts.email:
        needed[EMAIL_PASSWORD] = "the password for monitoring.alerts.email"
    return needed


def url_fault(webhook: Webhook, url: str) -> str:
    """Why `url` cannot be that of the webhook; empty when it can. Never quotes it."""
    begins = (webhook.endpoint, webhook.endpoint.removesuffix(f":{HTTPS}"))
    for begin in begins:
        rest = url.removeprefix(begin)
        if rest != url and rest.startswith("/") and _PATH.fullmatch(rest):
            return ""
    return f"does not begin with {begins[-1]}/, or holds a blank"


def issues(alerts: Alerts, networks: Iterable[IPv4Network], path: str) -> Iterator[Issue]:
    """Mistakes that need more than one key. `networks` are the stack's own."""
    own, found = list(networks), places(alerts)
    for place in found:
        for index, address in enumerate(place.addresses):
            if any(address in network for network in own):
                fault = f"{address} is in a network of the stack itself"
                where = f"{path}.{place.name}.addresses[{index}]"
                yield Issue(where, fault, "write the address of the receiver")
    if alerts.alive_minutes and not alerts.webhook:
        fix = "declare a webhook, or remove it"
        yield Issue(f"{path}.alive_minutes", "there is no webhook, which the message goes to", fix)
    yield from _mail_port(alerts, path)
    if len(found) > len({(place.host, place.port) for place in found}):
        fix = "give the webhook another port"
        yield Issue(f"{path}.webhook.endpoint", "the mail server has the same name and port", fix)


def _mail_port(alerts: Alerts, path: str) -> Iterator[Issue]:
    mail, hook = alerts.email, alerts.webhook
    if mail is None:
        return
    if mail.named and mail.at != SMTPS:
        fault = f"TLS from the first byte is spoken at port {SMTPS} alone"
        yield Issue(f"{path}.email.port", fault, "remove it, or write security: starttls")
    if not mail.named and mail.at == SMTPS:
        fault = f"at port {SMTPS} TLS is spoken from the first byte"
        yield Issue(f"{path}.email.port", fault, f"write security: tls, or another port: {SUBMISSION}")
    if not mail.named and hook and hook.port == mail.at and hook.host != mail.host:
        # Which of the two a connection is for could not be told.
        fault = f"port {mail.at} leads to the mail server alone, as STARTTLS begins without a name"
        yield Issue(f"{path}.webhook.endpoint", fault, "give the webhook or the mail server another port")
