"""A stack of its own, on which one fault after the other is caused; it is destroyed at the end.

`make test-alerts` runs it, in about an hour and a half: some alerts are for what has lasted an hour. With
ONLY the causes of some alerts alone.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

from components.planning.inventory import Inventory
from components.planning.pki import LEAF_DAYS
from components.planning.receivers import EMAIL_PASSWORD, WEBHOOK_URL
from components.planning.units import GIB
from operations.stack.pulumi import Pulumi
from tests.acceptance import conftest as acceptance
from tests.acceptance.conftest import OUT, ROOT, STACK
from tests.acceptance.disks import Disks
from tests.acceptance.waiting import settle
from tests.alerts.causes import BEGUN, CHOSEN
from tests.alerts.receiver import FAR, HOST, MAIL, PASSWORD, PATH, Receiver
from tests.alerts.site import Site, aidc
from tests.alerts.watch import Watch

# Days until the certificates expire: the alert comes before 21.
LEFT_DAYS = 20
# An hour without a line, or with an open transaction, begins some minutes after the first cause.
LONGEST_S = 85 * 60
FILE = ROOT / f"Pulumi.{STACK}.yaml"


def declare(receiver: Receiver) -> None:
    """Write the stack's file, and the secrets of its receivers."""
    issued = datetime.now(UTC).date() - timedelta(days=LEAF_DAYS - LEFT_DAYS)
    text = (Path(__file__).parent / "stack.yaml").read_text()
    values = {"ISSUED": issued, "HOST": HOST, "MAIL": MAIL, "ADDRESS": FAR, "AUTHORITY": receiver.authority}
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    FILE.write_text(text)
    pulumi = Pulumi(STACK)
    pulumi.call("stack", "select", "--create")
    for key, secret in {WEBHOOK_URL: f"https://{HOST}:8443{PATH}", EMAIL_PASSWORD: PASSWORD}.items():
        pulumi.call("config", "set", "--secret", key, stdin=secret)


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    found = Receiver(tmp_path_factory.mktemp("receiver"))
    yield found
    found.close()


@pytest.fixture(scope="session")
def inventory(receiver: Receiver) -> Iterator[Inventory]:
    """The stack, with served models."""
    declare(receiver)
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        assert aidc("up") == 0
        if any(cause.models for cause in CHOSEN):
            acceptance.benchmark("run", "--tier", "smoke")
        yield acceptance.stack_inventory()
    finally:
        if not os.environ.get("KEEP"):
            assert aidc("destroy", "--purge", "--yes") == 0
            FILE.unlink()


@pytest.fixture(scope="session")
def access(inventory: Inventory) -> dict[str, Any]:
    return dict(acceptance.output("access"))


@pytest.fixture(scope="session")
def ca_file(access: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    return acceptance.written_ca(access, tmp_path_factory)


@pytest.fixture(scope="session")
def small(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disks]:
    """What is to be filled lies on small disks; the stack is healthy on them."""
    # Sparse: only what is written takes room.
    disks = Disks(tmp_path_factory.mktemp("disks"))
    try:
        disks.shrink([service.container for service in inventory.by_role("object-store")], 4 * GIB)
        disks.shrink([inventory.by_role("metrics")[0].container], 8 * GIB)
        disks.shrink([inventory.by_role("logs")[0].container], GIB)
        settle(inventory)
        yield disks
    finally:
        disks.remove()


@pytest.fixture(scope="session")
def watch(
    inventory: Inventory, access: dict[str, Any], ca_file: str, small: Disks, receiver: Receiver
) -> Iterator[Watch]:
    """After all causes, when every alert was seen or too much time has gone by."""
    with Watch(STACK) as found:
        site = Site(inventory, access, ca_file, small, found, receiver.folder)
        try:
            for cause in CHOSEN:
                print(f"{found.seconds:6.0f} s  causes {', '.join(cause.alerts)}", flush=True)
                # What cannot be caused is the fault of its own alerts: the others go on.
                try:
                    cause.do(site)
                except (AssertionError, OSError, subprocess.SubprocessError, BotoCoreError) as error:
                    print(f"{found.seconds:6.0f} s  not caused: {str(error)[:2000]}", flush=True)
            expected = {name for cause in CHOSEN for name in cause.alerts} - {"Watchdog"}
            while found.seconds < LONGEST_S:
                if expected <= found.names("firing") | (found.names("pending") & BEGUN):
                    break
                time.sleep(5)
            yield found
        finally:
            site.leave()
            # A pause or a stop is nothing that the engine could not remove, but it takes its time.
            paused = [service.container for service in inventory.services]
            subprocess.run(["docker", "unpause", *paused], capture_output=True, check=False)
