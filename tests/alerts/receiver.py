"""Servers outside the stack that take alerts, as JSON and as mail: in a namespace behind the firewall."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance import mail_server
from tests.acceptance.alert_site import certificate
from tests.acceptance.disks import run
from tests.acceptance.test_alerts import RECEIVER

HOST, PATH = "hooks.alerts.test", "/hook/" + secrets.token_hex(8)
MAIL, PASSWORD = "mail.alerts.test", secrets.token_hex(16)
SPACE, NEAR, FAR = "aidc-alerts", "10.79.128.1", "10.79.128.2"


class Receiver:
    """The webhook answers 200, and 500 while its folder holds a file `refuse`; mail is taken by STARTTLS."""

    def __init__(self, folder: Path) -> None:
        """Raises AssertionError where the namespace cannot be made."""
        self.folder = folder
        self._mails = folder / "mails"
        self._mails.mkdir()
        (self._mails / "mode").write_text("good")
        own = certificate(HOST, MAIL)
        for kind, text in {"crt": own.certificate, "key": own.key}.items():
            for name in (f"{kind}.pem", f"good.{kind}"):
                (folder / name).write_text(text)
        self.authority.write_text(own.authority)
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
        mail = Path(mail_server.__file__).read_text()
        self._servers = [self._serve(RECEIVER, folder), self._serve(mail, self._mails)]

    def _serve(self, program: str, got: Path) -> subprocess.Popen[bytes]:
        program = program.replace("/got", str(got)).replace("/certs", str(self.folder))
        command = ["ip", "netns", "exec", SPACE, sys.executable, "-c", program]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def authority(self) -> Path:
        """The certificate with which the servers' is to be verified."""
        return self.folder / "ca.pem"

    def names(self) -> set[str]:
        """The alerts that came, at the right path."""
        lines = self.folder / "lines"
        came: list[dict[str, Any]] = [json.loads(line) for line in lines.read_text().splitlines()]
        return {
            a["labels"]["alertname"] for one in came if one["path"] == PATH for a in one["body"]["alerts"]
        }

    def mails(self) -> list[dict[str, Any]]:
        """What the mail server was told, line by line: `said` or `message`, and by which `tls`, if any."""
        lines = self._mails / "lines"
        return [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []

    def close(self) -> None:
        """The servers end, and the namespace with them."""
        clear()
        for server in self._servers:
            server.wait()


def clear() -> None:
    """Remove the namespace, and what runs in it: of an earlier run, too, that was killed."""
    inside = subprocess.run(["ip", "netns", "pids", SPACE], capture_output=True, text=True, check=False)
    for number in inside.stdout.split():
        os.kill(int(number), signal.SIGKILL)
    for words in (["netns", "delete", SPACE], ["link", "delete", f"{SPACE}0"]):
        subprocess.run(["ip", *words], capture_output=True, check=False)
