"""A receiver of alerts, and an Alertmanager and a gateway that know it, as containers of the stack's images.

They are on networks of their own: the stack under test declares no receiver, and so has no way out.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.alerting import gateway, server, settings
from components.planning import pki, receivers
from components.planning.inventory import Inventory
from components.planning.plan import Plan, make_plan
from components.planning.receivers import USER
from components.planning.rotation import Generations
from components.planning.secrets import bcrypt_entry
from components.planning.validation import load
from operations.engine import alertmanager
from operations.engine.client import Engine, connect
from tests.acceptance.test_outside_store import HARDENED, docker, image, network, owned
from tests.acceptance.waiting import eventually

OWNER = "10040"


@dataclass(frozen=True)
class Site:
    """`name`: as of a stack with this name, so that the commands find it; `folder`: what the receiver got."""

    engine: Engine
    name: str
    folder: Path
    password: str

    def messages(self) -> list[dict[str, Any]]:
        """What the receiver has written down."""
        lines = self.folder / "lines"
        return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []

    def is_ready(self) -> bool:
        return self.engine.output(f"aidc-{self.name}-alerts", ["ask-alerts", "GET", "/-/ready"]) is not None

    def trial(self) -> dict[str, bool]:
        """Receiver → whether it took a trial."""
        assert eventually(self.is_ready)
        return alertmanager.trial(self.engine, self.name)

    def shown(self) -> str:
        """The log of Alertmanager, and what the engine shows of it."""
        name = f"aidc-{self.name}-alerts"
        said = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
        return said.stdout + said.stderr + docker("inspect", name)


def certificate(*names: str, seed: str = "") -> pki.Certificate:
    """Of an authority of its own, or of that of `seed`."""
    today = datetime.now(UTC).date()
    made = seed or secrets.token_hex(32)
    return pki.leaf(made, "outside", Generations(today, today), "server", names)


def _planned(alerts: Mapping[str, object], within: str) -> Plan:
    plan = make_plan("test", load({"monitoring": {"alerts": alerts}}, "test"))
    services = [
        replace(s, addresses={"monitor": within}) if s.role == "alert-gateway" else s for s in plan.services
    ]
    return replace(plan, services=tuple(services))


@contextmanager
def site(
    inventory: Inventory,
    folder: Path,
    *,
    declared: Callable[[str], Mapping[str, object]],
    program: str,
    certs: Mapping[str, str],
    told: Mapping[str, str],
) -> Iterator[Site]:
    """`program`, in Python, is the receiver, with `certs` in /certs; /got is what it may write to.

    `declared` are the alerts of the YAML for its address, `told` files of Alertmanager: secrets, authorities.
    """
    name, password = f"told{secrets.token_hex(3)}", secrets.token_hex(20)
    inner, outer = f"aidc-{name}-inner", f"aidc-{name}-outer"
    hardened = list(HARDENED)
    try:
        _, within = network(inner, "--internal")
        receiver, _ = network(outer)
        plan, own = _planned(declared(receiver), within), certificate("localhost")
        hosts = dict.fromkeys(place.host for place in receivers.places(plan.config.monitoring.alerts))
        got = folder / "got"
        got.mkdir(mode=0o777)
        got.chmod(0o777)
        keys = owned(folder / "certs", OWNER, dict(certs))
        docker(
            "run", "--detach", f"--name=aidc-{name}-receiver", f"--network={outer}", f"--ip={receiver}",
            *hardened, f"--user={OWNER}", f"--volume={keys}:/certs:ro", f"--volume={got}:/got",
            image(inventory, "backup"), "python3", "-c", program,
        )  # fmt: skip
        rules = owned(folder / "gateway", gateway.USER, {"haproxy.cfg": settings.gateway(plan)})
        docker(
            "create", f"--name=aidc-{name}-gateway", f"--network={inner}", f"--ip={within}",
            *(f"--network-alias={host}" for host in hosts), *hardened, f"--user={gateway.USER}",
            f"--volume={rules}:/etc/aidc:ro", image(inventory, "load-balancer"),
            "haproxy", "-W", "-db", "-f", "/etc/aidc/haproxy.cfg",
        )  # fmt: skip
        docker("network", "connect", outer, f"aidc-{name}-gateway")
        docker("start", f"aidc-{name}-gateway")
        entry = bcrypt_entry(secrets.token_hex(32), USER, password)
        files = {
            "tls.crt": own.certificate, "tls.key": own.key, "ca.crt": own.authority,
            "web.yaml": settings.web(entry), "login": settings.login(password),
            "alertmanager.yaml": settings.configuration(plan), **told,
        }  # fmt: skip
        at = owned(folder / "alerts", server.USER, files)
        docker(
            "run", "--detach", f"--name=aidc-{name}-alerts", f"--network={inner}", *hardened,
            f"--user={server.USER}", f"--volume={at}:/etc/aidc:ro", "--volume=/data",
            image(inventory, "alerts"), *server.command("localhost"),
        )  # fmt: skip
        yield Site(connect(), name, got, password)
    finally:
        for part in ("alerts", "gateway", "receiver"):
            command = ["docker", "rm", "--force", "--volumes", f"aidc-{name}-{part}"]
            subprocess.run(command, capture_output=True, check=False)
        for made in (inner, outer):
            subprocess.run(["docker", "network", "rm", made], capture_output=True, check=False)
