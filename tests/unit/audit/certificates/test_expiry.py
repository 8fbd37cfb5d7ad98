"""Certificates: which listeners are asked, what they show, and what is wrong. TLS runs on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.certificates import collect, expiry
from audit.certificates.expiry import Certificate, Listener
from components.planning import pki
from components.planning.flows import LB_METRICS, S3
from components.planning.inventory import Inventory
from components.planning.rotation import Generations
from tests.unit.tls_server import serving

SEED = "ab" * 32
TODAY = datetime.now(UTC).date()
NAMES = ("vault", "127.0.0.1")


@contextmanager
def listener(folder: Path, leaf: pki.Certificate | None, name: str = "vault") -> Iterator[Listener]:
    """A server on the loopback with this certificate; without one it speaks no TLS."""
    with serving(folder, leaf) as port:
        yield Listener("vault", "127.0.0.1", port, name)


def leaf(seed: str = SEED, age: int = 0) -> pki.Certificate:
    issued = TODAY - timedelta(days=age)
    return pki.leaf(seed, "test", Generations(issued, issued), "vault", NAMES)


AUTHORITY = pki.authority(SEED, "test", TODAY)


@pytest.mark.parametrize("name", NAMES)
def test_a_good_certificate_passes_for_each_of_its_names(tmp_path: Path, name: str) -> None:
    with listener(tmp_path, leaf(), name) as at:
        found = collect.certificate(at, AUTHORITY)
    assert found.fault == ""
    assert found.days in (pki.LEAF_DAYS - 1, pki.LEAF_DAYS)
    assert set(found.names) == set(NAMES)
    assert {row.verdict for row in expiry.rows([found])} == {"pass"}


def test_another_name_is_a_fault_and_the_certificate_is_still_described(tmp_path: Path) -> None:
    with listener(tmp_path, leaf(), "backup") as at:
        found = collect.certificate(at, AUTHORITY)
    assert "backup" in found.fault
    assert found.names
    assert expiry.rows([found])[0].verdict == "fail"


def test_another_authority_is_a_fault(tmp_path: Path) -> None:
    with listener(tmp_path, leaf("cd" * 32)) as at:
        assert "does not verify" in collect.certificate(at, AUTHORITY).fault


def test_an_expired_certificate_is_a_fault_with_its_days(tmp_path: Path) -> None:
    with listener(tmp_path, leaf(age=pki.LEAF_DAYS + 3)) as at:
        found = collect.certificate(at, AUTHORITY)
    assert "expired" in found.fault
    assert found.days is not None
    assert found.days < 0


def test_a_listener_without_tls_is_a_fault(tmp_path: Path) -> None:
    with listener(tmp_path, None) as at:
        assert collect.certificate(at, AUTHORITY).fault.startswith("no TLS")


def test_nobody_there_is_a_fault() -> None:
    found = collect.certificate(Listener("vault", "127.0.0.1", 1, "vault"), AUTHORITY)
    assert found.fault.startswith("no TLS")


@pytest.mark.parametrize(("days", "verdict"), [(14, "pass"), (13, "fail"), (-1, "fail")])
def test_certificates_must_last(days: int, verdict: str) -> None:
    found = Certificate(Listener("vault", "127.0.0.1", 1, "vault"), "", days)
    assert expiry.rows([found])[1].verdict == verdict


def test_without_a_certificate_that_could_be_read_nothing_lasts() -> None:
    found = Certificate(Listener("vault", "127.0.0.1", 1, "vault"), "no TLS: refused")
    assert [row.verdict for row in expiry.rows([found])] == ["fail", "fail"]
    assert [row.verdict for row in expiry.rows([])] == ["fail"]


def test_every_port_that_says_tls_is_asked(inventory: Inventory, running: frozenset[str]) -> None:
    found = expiry.listeners(inventory, running)
    inner = {(at.service, at.port) for at in found if not at.service.startswith("published")}
    wanted = {(s.name, n.port) for s in inventory.services for n in s.listens if "TLS" in n.purpose}
    assert inner == wanted
    assert {at.name for at in found if at.service == "vault"} == {"vault"}
    # What listens in one segment alone is asked there alone.
    balancer = inventory.by_role("load-balancer")[0].addresses
    assert {at.address for at in found if at.port == LB_METRICS} == {balancer["monitor"]}
    assert {at.address for at in found if at.port == S3 and at.service == "load-balancer"} == set(
        balancer.values()
    )
    assert {(at.address, at.port) for at in found if at.service.startswith("published")} == {
        ("127.0.0.1", 8443),
        ("127.0.0.1", 9443),
        ("127.0.0.1", 8265),
        ("127.0.0.1", 5443),
        ("127.0.0.1", 7443),
        ("127.0.0.1", 6443),
        ("127.0.0.1", 8080),
    }


def test_what_does_not_run_is_not_asked(inventory: Inventory) -> None:
    assert all(at.service.startswith("published") for at in expiry.listeners(inventory, frozenset()))
