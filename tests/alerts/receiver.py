"""A server outside the stack that takes alerts: in a network namespace, behind the firewall."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.alert_site import certificate
from tests.acceptance.disks import run
from tests.acceptance.test_alerts import RECEIVER

HOST, PATH = "hooks.alerts.test", "/hook/" + secrets.token_hex(8)
SPACE, NEAR, FAR = "aidc-alerts", "10.79.128.1", "10.79.128.2"


class Receiver:
    """It answers 200, and 500 while its folder holds a file `refuse`."""

    def __init__(self, folder: Path) -> None:
        """Raises AssertionError where the namespace cannot be made."""
        self.folder = folder
        own = certificate(HOST)
        for name, text in {"crt.pem": own.certificate, "key.pem": own.key, "ca.pem": own.authority}.items():
            (folder / name).write_text(text)
        near, far = f"{SPACE}0", f"{SPACE}1"
        clear()
        run("ip", "netns", "add", SPACE)
        run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", SPACE)
        run("ip", "address", "add", f"{NEAR}/30", "dev", near)
        run("ip", "link", "set", near, "up")
        for words in (
            f"address add {FAR}/30 dev {far}",
            f"link set {far} up",
            f"route add default via {NEAR}",
        ):
            run("ip", "-netns", SPACE, *words.split())
        program = RECEIVER.replace("/got", str(folder)).replace("/certs", str(folder))
        command = ["ip", "netns", "exec", SPACE, sys.executable, "-c", program]
        self._server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def authority(self) -> Path:
        """The certificate with which the server's is to be verified."""
        return self.folder / "ca.pem"

    def names(self) -> set[str]:
        """The alerts that came, at the right path."""
        lines = self.folder / "lines"
        came: list[dict[str, Any]] = [json.loads(line) for line in lines.read_text().splitlines()]
        return {
            a["labels"]["alertname"] for one in came if one["path"] == PATH for a in one["body"]["alerts"]
        }

    def close(self) -> None:
        """The server ends, and the namespace with it."""
        clear()
        self._server.wait()


def clear() -> None:
    """Remove the namespace, and what runs in it: of an earlier run, too, that was killed."""
    inside = subprocess.run(["ip", "netns", "pids", SPACE], capture_output=True, text=True, check=False)
    for number in inside.stdout.split():
        os.kill(int(number), signal.SIGKILL)
    for words in (["netns", "delete", SPACE], ["link", "delete", f"{SPACE}0"]):
        subprocess.run(["ip", *words], capture_output=True, check=False)
