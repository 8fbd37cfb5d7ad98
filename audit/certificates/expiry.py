"""Every TLS listener's certificate: whose it is, for which name, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from audit.reachability.probes import published
from audit.records import CertificateRecord
from audit.verdicts import Row, judged, plural
from components.planning.flows import ALERT_GATEWAY, STORE_GATEWAY
from components.planning.inventory import Inventory

# Days below which a certificate fails: time enough to renew it before it ends.
LEAST_DAYS = 14
FIX = "make rotate gives every service a new one"


@dataclass(frozen=True)
class Listener:
    """One place that speaks TLS. `name` is what its certificate must be valid for."""

    service: str
    address: str
    port: int
    name: str

    @property
    def what(self) -> str:
        return f"{self.service} {self.address}:{self.port}"


@dataclass(frozen=True)
class Certificate:
    """What a listener showed. `fault` is why it does not verify, empty when it does; days may be negative."""

    listener: Listener
    fault: str
    days: int | None = None
    names: tuple[str, ...] = ()
    protocol: str = ""


def listeners(inventory: Inventory, running: frozenset[str]) -> list[Listener]:
    """Each port whose purpose says TLS, on each address of its service, and each published endpoint."""
    inner = [
        Listener(service.name, address, listen.port, service.name)
        for service in inventory.services
        # Behind a gateway stands a server of others, which the stack did not sign; its clients verify it.
        if service.container in running and service.role not in (ALERT_GATEWAY, STORE_GATEWAY)
        for listen in service.listens
        if "TLS" in listen.purpose
        for segment, address in service.addresses.items()
        if listen.segment in (None, segment)
    ]
    outer = []
    for purpose, port in published(inventory).items():
        host = str(inventory.endpoints[purpose]).partition("://")[2].rpartition(":")[0]
        near = "127.0.0.1" if ip_address(host).is_unspecified else host
        outer.append(Listener(f"published {purpose}", near, port, near))
    return [*inner, *outer]


def rows(found: Sequence[Certificate]) -> list[Row]:
    if not found:
        return [Row("certificates verify", "fail", "no listener is declared to speak TLS", FIX)]
    bad = [f"{c.listener.what}: {c.fault}" for c in found if c.fault]
    short = [
        f"{c.listener.what}: {plural(c.days, 'day')}"
        for c in found
        if c.days is not None and c.days < LEAST_DAYS
    ]
    days = [c.days for c in found if c.days is not None]
    protocols = sorted({c.protocol for c in found if c.protocol})
    return [
        judged(
            "certificates verify against the stack's authority",
            bad,
            f"{plural(len(found), 'listener')}, each for its own name ({', '.join(protocols)})",
            f"{len(bad)} of {plural(len(found), 'listener')} wrong",
            "check what listens there: its files come from the stack's seed (make up)",
        ),
        judged(
            "certificates last",
            short if days else ["none could be read"],
            f"{plural(min(days, default=0), 'day')} or more left",
            f"less than {plural(LEAST_DAYS, 'day')}",
            FIX,
        ),
    ]


def records(found: Sequence[Certificate]) -> list[CertificateRecord]:
    return [
        CertificateRecord(
            service=c.listener.service,
            target=f"{c.listener.address}:{c.listener.port}",
            name=c.listener.name,
            names=list(c.names),
            days_left=c.days,
            protocol=c.protocol,
            fault=c.fault,
        )
        for c in found
    ]
