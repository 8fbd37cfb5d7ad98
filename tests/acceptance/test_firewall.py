"""The firewall's table stays: through restarts of its container, and when somebody removes it.

Each watcher is a container of the firewall's own image, so that the host needs no nft; it ends by itself.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from components.firewall import table_name
from components.planning.inventory import Inventory, ServiceEntry
from tests.acceptance.waiting import eventually, settle

# So long a watcher lives that nobody stops.
WATCH_SECONDS = 600
# As often as nft can be asked: a line each time the table was not there, and one when it has begun; its looks
# are counted in a file.
WATCH = """
end=$((SECONDS + $2)); looked=0
while ((SECONDS < end)) && [[ ! -e /tmp/stop ]]; do
  nft list table inet "$1" >/dev/null 2>&1 || echo gone
  [[ $(cat /proc/sys/net/bridge/bridge-nf-call-iptables) == 1 ]] || echo "no filter within a segment"
  looked=$((looked + 1))
  echo "$looked" >/tmp/looked
  ((looked > 1)) || echo begun
done
"""


@pytest.fixture
def firewall(inventory: Inventory) -> ServiceEntry:
    return next(service for service in inventory.services if service.role == "firewall")


def in_host(firewall: ServiceEntry, *command: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in the host's network namespace."""
    return subprocess.run(
        [*_container(firewall), *command], capture_output=True, text=True, check=False, timeout=60
    )


def _container(firewall: ServiceEntry, *flags: str) -> list[str]:
    hardening = ["--cap-drop=ALL", "--cap-add=NET_ADMIN", "--read-only", "--tmpfs=/tmp", "--user=0"]
    return ["docker", "run", "--rm", "--network=host", *hardening, *flags, firewall.image]


@pytest.fixture
def watched(firewall: ServiceEntry, inventory: Inventory) -> Iterator[Callable[[], list[str]]]:
    """Start watching; call it to stop and to get what was missed."""
    name = f"aidc-{inventory.stack}-watch"
    table = table_name(inventory.stack)
    command = ["bash", "-c", WATCH, "watch", table, str(WATCH_SECONDS)]
    process = subprocess.Popen(
        [*_container(firewall, f"--name={name}"), *command], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    def looked() -> int:
        found = subprocess.check_output(["docker", "exec", name, "cat", "/tmp/looked"])
        return int(found or 0)  # empty while it is being written

    def stop() -> list[str]:
        assert eventually(lambda: looked() > 20)
        # It may end before the engine can tell that the command has.
        subprocess.run(["docker", "exec", name, "touch", "/tmp/stop"], check=False)
        return process.communicate(timeout=60)[0].splitlines()

    yield stop
    if process.poll() is None:
        subprocess.run(["docker", "kill", name], capture_output=True, check=False)
        process.communicate()


@pytest.mark.parametrize("how", [["restart"], ["kill", "--signal=KILL"]], ids=["restart", "kill"])
def test_without_its_container_the_table_stays(
    firewall: ServiceEntry, watched: Callable[[], list[str]], inventory: Inventory, how: list[str]
) -> None:
    subprocess.run(["docker", *how, firewall.container], check=True, capture_output=True)
    if how[0] == "kill":
        subprocess.run(["docker", "start", firewall.container], check=True, capture_output=True)
    settle(inventory)
    assert watched() == []


@pytest.mark.parametrize("edit", ["delete table inet {}", "flush chain inet {} forward"])
def test_a_removed_rule_comes_back_within_seconds(
    firewall: ServiceEntry, inventory: Inventory, edit: str
) -> None:
    table = table_name(inventory.stack)

    def listing() -> str:
        return in_host(firewall, "nft", "--stateless", "list", "table", "inet", table).stdout

    before = listing()
    assert "refused" in before
    assert in_host(firewall, "nft", *edit.format(table).split()).returncode == 0
    assert eventually(lambda: listing() == before, 60)


def test_other_tables_are_not_touched(firewall: ServiceEntry, inventory: Inventory) -> None:
    """Docker's own rules stay in force beside ours, when they are loaded and when they are loaded again."""
    ours = re.compile(rf"^table inet {table_name(inventory.stack)} {{\n.*?^}}\n", re.MULTILINE | re.DOTALL)

    def split() -> tuple[str, str]:
        """What the host has beside our table, and our table."""
        text = in_host(firewall, "nft", "--stateless", "list", "ruleset").stdout
        return ours.sub("", text), "".join(ours.findall(text))

    others, own = split()
    assert "table ip " in others, "Docker's rules are not in nftables here"
    # Nor does it judge what neither comes from the stack nor goes there.
    assert "iifname != @bridges oifname != @bridges accept" in own
    subprocess.run(["docker", "restart", firewall.container], check=True, capture_output=True)
    settle(inventory)
    assert split() == (others, own)
    removed = in_host(firewall, "nft", "delete", "table", "inet", table_name(inventory.stack))
    assert removed.returncode == 0
    assert eventually(lambda: split()[1] == own, 60)
    assert split()[0] == others


def test_every_flow_has_a_rule_with_its_counter(firewall: ServiceEntry, inventory: Inventory) -> None:
    rules = in_host(firewall, "nft", "list", "table", "inet", table_name(inventory.stack)).stdout
    for flow in inventory.flows:
        assert f'comment "{flow.source} to {flow.destination}: {flow.why}"' in rules
    assert rules.count("counter name") >= len(inventory.flows)
