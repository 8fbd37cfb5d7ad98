"""Every fault has a line in the repository on which it is to be fixed."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.planning.paths import ROOT
from policies.catalogue import RULES
from policies.evaluate import Outcome
from policies.model import Resource
from policies.sources import places, stacks

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.fixture(scope="module")
def registered() -> dict[str, Resource]:
    return {resource.name: resource for resource in stacks.program("dev")}


def outcome(rule: str, resource: str, fault: str = "x", place: str = "") -> Outcome:
    found = BY_NAME[rule]
    return Outcome(found, resource, "failed", found.level, fault, place=place)


def line(place: tuple[str, int]) -> str:
    return (ROOT / place[0]).read_text(encoding="utf-8").splitlines()[place[1] - 1]


def test_every_resource_of_the_program_knows_where_it_is_declared(registered: dict[str, Resource]) -> None:
    for resource in registered.values():
        file, _, number = resource.place.rpartition(":")
        assert line((file, int(number))).strip()


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("aidc-dev-vault", "components/backup.py", 'plan.service("vault")'),
        ("aidc-dev-compute-node2", "components/compute.py", "run("),
        ("aidc-dev-load-balancer-files", "components/load_balancer.py", "FileVolume("),
        ("aidc-dev-storage", "components/network.py", "docker.Network("),
    ],
)
def test_a_resource_is_declared_in_its_component(
    name: str, file: str, text: str, registered: dict[str, Resource]
) -> None:
    place = registered[name].place
    assert place.startswith(f"{file}:")
    assert text in line((file, int(place.rpartition(":")[2])))


def test_resources_come_in_the_same_order_every_time() -> None:
    one, two = ([resource.name for resource in stacks.program("dev")] for _ in range(2))
    assert one == two


def test_a_fault_of_a_resource_is_at_its_declaration() -> None:
    found = outcome("no-privileged", "aidc-dev-vault", place="components/backup.py:93")
    assert places.place(found, "dev", ROOT) == ("components/backup.py", 93)


def test_what_only_the_stack_file_can_break_is_there() -> None:
    found = outcome("publish-explicit-ip", "aidc-dev-load-balancer", place="components/load_balancer.py:110")
    place = places.place(found, "dev", ROOT)
    assert place[0] == "Pulumi.dev.yaml"
    assert line(place).strip().startswith("bind:")


def test_the_same_rule_elsewhere_is_at_the_declaration() -> None:
    found = outcome("publish-explicit-ip", "aidc-dev-vault", place="components/backup.py:93")
    assert places.place(found, "dev", ROOT) == ("components/backup.py", 93)


def test_a_key_that_is_not_given_is_at_the_nearest_above(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  aidc:datacenter:\n    load_balancer: {}\n")
    found = outcome("publish-explicit-ip", "aidc-dev-load-balancer", place="components/load_balancer.py:1")
    assert places.place(found, "dev", tmp_path) == ("Pulumi.dev.yaml", 3)


def test_a_fault_of_a_build_file_is_at_its_line() -> None:
    name = "images/vault/Dockerfile"
    found = outcome("copy-not-add", name, "line 7: ADD is used", f"{name}:1")
    assert places.place(found, "dev", ROOT) == (name, 7)


def test_a_fault_of_a_connection_is_at_its_flow() -> None:
    place = places.place(outcome("tls-in-transit", "load-balancer->compute (service)"), "dev", ROOT)
    assert place[0] == "components/planning/flows.py"
    assert '"load-balancer", "compute"' in line(place)


def test_a_flow_that_nobody_wrote_is_at_the_table() -> None:
    found = outcome("vault-isolated", "vault", "a flow compute to vault is declared")
    assert line(places.place(found, "dev", ROOT)).startswith("FLOWS")


def test_what_runs_is_at_the_stack_file() -> None:
    place = places.place(outcome("no-privileged", "aidc-dev-vault"), "dev", ROOT)
    assert place[0] == "Pulumi.dev.yaml"
    assert "aidc:datacenter" in line(place)


def test_a_stack_without_a_file_is_at_the_project() -> None:
    assert places.place(outcome("no-privileged", "x"), "nowhere", ROOT) == ("Pulumi.yaml", 1)
