"""Alerts reach a receiver through the gateway, and silences hold.

The receiver, and an Alertmanager and a gateway that know it, are containers of the stack's images on networks
of their own: the stack under test declares no receiver, and so has no way out.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.alerting import gateway, server, settings
from components.planning import pki
from components.planning.inventory import Inventory
from components.planning.plan import Plan, make_plan
from components.planning.receivers import USER
from components.planning.rotation import Generations
from components.planning.secrets import bcrypt_entry
from components.planning.validation import load
from operations.engine import alertmanager
from operations.engine.client import Engine, connect
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.test_outside_store import HARDENED, docker, image, network, owned
from tests.acceptance.waiting import eventually

HOST, PORT, PATH = "hooks.outside.test", 8443, "/hook/" + secrets.token_hex(8)
# As of a stack with this name, so that the commands find it.
NAME = f"told{secrets.token_hex(3)}"
RECEIVER = """
import http.server, json, pathlib, ssl
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("/got/lines", "a") as file:
            file.write(json.dumps({"path": self.path, "body": body}) + "\\n")
        self.send_response(500 if pathlib.Path("/got/refuse").exists() else 200)
        self.end_headers()
server = http.server.ThreadingHTTPServer(("0.0.0.0", 8443), Hook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/certs/crt.pem", "/certs/key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


@dataclass(frozen=True)
class Told:
    """`folder`: what the receiver has got, and where it is made to refuse."""

    engine: Engine
    folder: Path
    password: str

    def messages(self) -> list[dict[str, Any]]:
        lines = self.folder / "lines"
        return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []


def certificate(*names: str) -> pki.Certificate:
    today = datetime.now(UTC).date()
    return pki.leaf(secrets.token_hex(32), "outside", Generations(today, today), "server", names)


def planned(receiver: str, within: str) -> Plan:
    hook = {"endpoint": f"https://{HOST}:{PORT}", "addresses": [receiver]}
    plan = make_plan("test", load({"monitoring": {"alerts": {"webhook": hook}}}, "test"))
    services = [
        replace(s, addresses={"monitor": within}) if s.role == "alert-gateway" else s for s in plan.services
    ]
    return replace(plan, services=tuple(services))


@pytest.fixture(scope="module")
def told(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("told")
    inner, outer, password = f"aidc-{NAME}-inner", f"aidc-{NAME}-outer", secrets.token_hex(20)
    hardened = list(HARDENED)
    try:
        _, within = network(inner, "--internal")
        receiver, _ = network(outer)
        plan, own, outside = planned(receiver, within), certificate("localhost"), certificate(HOST)
        got = folder / "got"
        got.mkdir(mode=0o777)
        got.chmod(0o777)
        certs = owned(folder / "certs", "10040", {"crt.pem": outside.certificate, "key.pem": outside.key})
        docker(
            "run", "--detach", f"--name=aidc-{NAME}-receiver", f"--network={outer}", f"--ip={receiver}",
            *hardened, "--user=10040", f"--volume={certs}:/certs:ro", f"--volume={got}:/got",
            image(inventory, "backup"),
            "python3", "-c", RECEIVER,
        )  # fmt: skip
        rules = owned(folder / "gateway", gateway.USER, {"haproxy.cfg": settings.gateway(plan)})
        docker(
            "create", f"--name=aidc-{NAME}-gateway", f"--network={inner}", f"--ip={within}",
            f"--network-alias={HOST}", *hardened, f"--user={gateway.USER}", f"--volume={rules}:/etc/aidc:ro",
            image(inventory, "load-balancer"), "haproxy", "-W", "-db", "-f", "/etc/aidc/haproxy.cfg",
        )  # fmt: skip
        docker("network", "connect", outer, f"aidc-{NAME}-gateway")
        docker("start", f"aidc-{NAME}-gateway")
        entry = bcrypt_entry(secrets.token_hex(32), USER, password)
        files = {
            "tls.crt": own.certificate, "tls.key": own.key, "ca.crt": own.authority,
            "web.yaml": settings.web(entry), "login": settings.login(password),
            "alertmanager.yaml": settings.configuration(plan),
            settings.URL: f"https://{HOST}:{PORT}{PATH}", "webhook-ca.crt": outside.authority,
        }  # fmt: skip
        at = owned(folder / "alerts", server.USER, files)
        docker(
            "run", "--detach", f"--name=aidc-{NAME}-alerts", f"--network={inner}", *hardened,
            f"--user={server.USER}", f"--volume={at}:/etc/aidc:ro", "--volume=/data",
            image(inventory, "alerts"), *server.command("localhost"),
        )  # fmt: skip
        yield Told(connect(), got, password)
    finally:
        for part in ("alerts", "gateway", "receiver"):
            command = ["docker", "rm", "--force", "--volumes", f"aidc-{NAME}-{part}"]
            subprocess.run(command, capture_output=True, check=False)
        for name in (inner, outer):
            subprocess.run(["docker", "network", "rm", name], capture_output=True, check=False)


def answers(told: Told) -> bool:
    return told.engine.output(f"aidc-{NAME}-alerts", ["ask-alerts", "GET", "/-/ready"]) is not None


def test_a_trial_reaches_the_receiver_at_its_secret_url(told: Told) -> None:
    assert eventually(lambda: answers(told))
    # The receiver may still be starting; each trial is given up by itself.
    assert eventually(lambda: alertmanager.trial(told.engine, NAME) == {"webhook": True})
    message = told.messages()[-1]
    assert message["path"] == PATH
    assert [alert["labels"]["alertname"] for alert in message["body"]["alerts"]] == [settings.TRIAL]


def test_a_receiver_that_refuses_is_said_to_have_refused(told: Told) -> None:
    assert eventually(lambda: answers(told))
    (told.folder / "refuse").touch()
    try:
        assert alertmanager.trial(told.engine, NAME) == {"webhook": False}
    finally:
        (told.folder / "refuse").unlink()


def test_the_gateway_leads_to_the_declared_name_alone(told: Told) -> None:
    """The same address, asked for another name: there may be other people's servers behind it."""
    ask = "curl --silent --max-time 8 --output /dev/null --write-out '%{http_code}' --insecure"
    seen = {}
    for name in (HOST, "other.outside.test"):
        address = f"$(getent hosts {HOST} | cut -d' ' -f1)"
        command = f"{ask} --resolve {name}:{PORT}:{address} --data '{{}}' https://{name}:{PORT}/x"
        _, seen[name] = told.engine.run(f"aidc-{NAME}-alerts", ["sh", "-c", command])
    assert seen == {HOST: "200", "other.outside.test": "000"}


def test_neither_url_nor_password_is_in_the_log_or_the_inspection(told: Told) -> None:
    assert eventually(lambda: answers(told))
    alertmanager.trial(told.engine, NAME)
    name = f"aidc-{NAME}-alerts"
    said = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=True)
    shown = said.stdout + said.stderr + docker("inspect", name)
    assert PATH not in shown
    assert told.password not in shown


def alerts(*options: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "operations", "alerts", "--stack", STACK, *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_silence_survives_a_restart_and_can_be_ended(inventory: Inventory) -> None:
    code, said = alerts("--silence", "VaultAlmostFull", "--for", "1h", "--because", "a test")
    assert code == 0, said
    docker("restart", inventory.by_role("alerts")[0].container)

    def listed() -> list[dict[str, Any]]:
        _, told = alerts("--json")
        found = json.loads(told)["silences"] if told.startswith("{") else []
        return [one for one in found if one["because"] == "a test"]

    assert eventually(lambda: bool(listed()))
    (silence,) = listed()
    assert silence["alert"] == "VaultAlmostFull"
    assert alerts("--end", silence["identifier"])[0] == 0
    assert listed() == []


def test_without_a_receiver_there_is_no_way_out_and_a_trial_says_so(inventory: Inventory) -> None:
    assert not [s for s in inventory.services if "egress" in s.addresses]
    code, said = alerts("--test")
    assert code == 2
    assert "has no receiver of alerts" in said
