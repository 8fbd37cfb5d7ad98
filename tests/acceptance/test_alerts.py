"""Alerts reach a receiver through the gateway, and silences hold."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from components.alerting import settings
from components.planning.inventory import Inventory
from tests.acceptance.alert_site import Site, certificate, site
from tests.acceptance.conftest import ROOT, STACK
from tests.acceptance.test_outside_store import docker
from tests.acceptance.waiting import eventually

HOST, PORT, PATH = "hooks.outside.test", 8443, "/hook/" + secrets.token_hex(8)
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


@pytest.fixture(scope="module")
def told(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    outside = certificate(HOST)
    with site(
        inventory,
        tmp_path_factory.mktemp("told"),
        declared=lambda at: {"webhook": {"endpoint": f"https://{HOST}:{PORT}", "addresses": [at]}},
        program=RECEIVER,
        certs={"crt.pem": outside.certificate, "key.pem": outside.key},
        told={settings.URL: f"https://{HOST}:{PORT}{PATH}", "webhook-ca.crt": outside.authority},
    ) as made:
        yield made


def test_a_trial_reaches_the_receiver_at_its_secret_url(told: Site) -> None:
    # The receiver may still be starting; each trial is given up by itself.
    assert eventually(lambda: told.trial() == {"webhook": True})
    message = told.messages()[-1]
    assert message["path"] == PATH
    assert [alert["labels"]["alertname"] for alert in message["body"]["alerts"]] == [settings.TRIAL]


def test_a_receiver_that_refuses_is_said_to_have_refused(told: Site) -> None:
    begun = datetime.now(UTC)
    (told.folder / "refuse").touch()
    try:
        assert told.trial() == {"webhook": False}
    finally:
        (told.folder / "refuse").unlink()
    # It was asked, and not with an earlier trial once more: it writes down what it refuses, too.
    asked = [alert for message in told.messages() for alert in message["body"].get("alerts", ())]
    assert [alert for alert in asked if datetime.fromisoformat(alert["startsAt"]) >= begun], asked


def test_the_gateway_leads_to_the_declared_name_alone(told: Site) -> None:
    """The same address, asked for another name: there may be other people's servers behind it."""
    ask = "curl --silent --max-time 8 --output /dev/null --write-out '%{http_code}' --insecure"
    seen = {}
    for name in (HOST, "other.outside.test"):
        address = f"$(getent hosts {HOST} | cut -d' ' -f1)"
        command = f"{ask} --resolve {name}:{PORT}:{address} --data '{{}}' https://{name}:{PORT}/x"
        _, seen[name] = told.engine.run(f"aidc-{told.name}-alerts", ["sh", "-c", command])
    assert seen == {HOST: "200", "other.outside.test": "000"}


def test_neither_url_nor_password_is_in_the_log_or_the_inspection(told: Site) -> None:
    told.trial()
    shown = told.shown()
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

    def listed() -> list[dict[str, Any]] | None:
        """Those of this test; None where the service gives no answer."""
        _, told = alerts("--json")
        found = json.loads(told)["silences"] if told.startswith("{") else None
        return None if found is None else [one for one in found if one["because"] == "a test"]

    assert eventually(lambda: bool(listed()))
    (silence,) = listed() or []
    assert silence["alert"] == "VaultAlmostFull"
    assert alerts("--end", silence["identifier"])[0] == 0
    assert listed() == []


def test_without_a_receiver_there_is_no_way_out_and_a_trial_says_so(inventory: Inventory) -> None:
    assert not [s for s in inventory.services if "egress" in s.addresses]
    code, said = alerts("--test")
    assert code == 2
    assert "has no receiver of alerts" in said
