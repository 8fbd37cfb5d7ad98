"""What the probes saw, judged."""

from __future__ import annotations

import pytest

from audit.reachability import matrix
from audit.reachability.probes import CLIENTS, HOST, OUTSIDE, Probe
from components.planning.inventory import Inventory
from tests.unit.audit.conftest import alive, all_right, answers_of, planned_probes


def judged(inventory: Inventory, **changed: str) -> dict[str, str]:
    """Row → verdict, when the given targets answer otherwise."""
    planned = planned_probes(inventory)
    found = matrix.outcomes(planned, answers_of(planned, **changed), {}, alive(planned))
    return {row.name: row.verdict for row in matrix.rows(found)}


def target(inventory: Inventory, source: str, destination: str, expected: str, protocol: str = "tcp") -> str:
    found = (
        p.target
        for p in planned_probes(inventory)
        if (p.source, p.destination, p.expected, p.protocol) == (source, destination, expected, protocol)
    )
    return next(found)


def test_a_stack_that_keeps_its_promises_passes(inventory: Inventory) -> None:
    assert set(judged(inventory).values()) == {"pass"}


@pytest.mark.parametrize(
    ("row", "pair", "kind", "answer"),
    [
        ("declared flows connect", ("backup", "vault"), ("open", "tcp"), "blocked"),
        ("undeclared pairs are blocked", ("vault", "backup"), ("blocked", "tcp"), "open"),
        ("undeclared pairs are blocked", ("vault", "backup"), ("blocked", "tcp"), "refused"),
        ("UDP between services is blocked", ("vault", "backup"), ("blocked", "udp"), "answered"),
        ("UDP between services is blocked", ("vault", "backup"), ("blocked", "udp"), "refused"),
        ("clients reach the published ports", (CLIENTS, "load-balancer"), ("open", "tcp"), "refused"),
        (
            "other hosts find published ports where they should",
            (OUTSIDE, "load-balancer"),
            ("closed", "tcp"),
            "open",
        ),
        ("other hosts reach no container directly", (OUTSIDE, "vault"), ("blocked", "tcp"), "open"),
        ("containers do not reach the host", ("vault", HOST), ("blocked", "tcp"), "open"),
        ("containers do not reach the metadata address", ("vault", "metadata"), ("blocked", "tcp"), "open"),
        ("containers do not reach the internet", ("load-balancer", "internet"), ("blocked", "tcp"), "open"),
        ("containers do not reach other hosts", ("load-balancer", OUTSIDE), ("blocked", "tcp"), "open"),
    ],
)
def test_one_wrong_answer_fails_its_row_and_no_other(
    inventory: Inventory, row: str, pair: tuple[str, str], kind: tuple[str, str], answer: str
) -> None:
    planned = planned_probes(inventory)
    answers = answers_of(planned)
    answers[pair[0]][kind[1]][target(inventory, *pair, *kind)] = answer
    found = matrix.outcomes(planned, answers, {}, alive(planned))
    assert [r.name for r in matrix.rows(found) if r.verdict == "fail"] == [row]


def test_a_datagram_that_arrived_unanswered_is_open(inventory: Inventory) -> None:
    planned = planned_probes(inventory)
    where = target(inventory, "vault", "backup", "blocked", "udp")
    found = matrix.outcomes(planned, answers_of(planned), {"vault": frozenset({where})}, alive(planned))
    assert [o.probe.target for o in found if not o.right] == [where]


def test_silence_without_a_listener_is_no_pass(inventory: Inventory) -> None:
    planned = planned_probes(inventory)
    where = target(inventory, "vault", "backup", "blocked")
    live = alive(planned)
    live["tcp"] = live["tcp"] - {where}
    found = matrix.outcomes(planned, answers_of(planned), {}, live)
    assert {o.seen for o in found if not o.right} == {"unknown"}
    assert {r.verdict for r in matrix.rows(found) if r.name == "undeclared pairs are blocked"} == {"fail"}


def test_an_answer_that_never_came_is_no_pass(inventory: Inventory) -> None:
    planned = planned_probes(inventory)
    answers = answers_of(planned)
    del answers["vault"]
    found = matrix.outcomes(planned, answers, {}, alive(planned))
    assert not any(o.right for o in found if o.probe.source == "vault")


def test_a_failure_names_who_and_where(inventory: Inventory) -> None:
    planned = planned_probes(inventory)
    answers = answers_of(planned)
    answers["backup"]["tcp"][target(inventory, "backup", "vault", "open")] = "blocked"
    found = matrix.outcomes(planned, answers, {}, alive(planned))
    (row,) = [r for r in matrix.rows(found) if r.verdict == "fail"]
    assert "backup to vault tcp/8000 in backup is blocked" in row.detail
    assert row.fix


def test_without_probes_a_row_is_not_checked() -> None:
    assert {row.verdict for row in matrix.rows([])} == {"not checked"}


def test_controls_fail_with_the_reason_of_the_first_silent_listener() -> None:
    live = {"tcp": frozenset({"10.0.0.1:80"}), "udp": frozenset[str]()}
    row = matrix.controls({"vault": ["10.0.0.1:80"]}, live, {"udp 10.0.0.1:80": "in use"})
    assert row.verdict == "fail"
    assert "vault udp 10.0.0.1:80 (in use)" in row.detail


def test_controls_pass_when_every_listener_answered() -> None:
    both = frozenset({"10.0.0.1:80"})
    assert matrix.controls({"vault": ["10.0.0.1:80"]}, {"tcp": both, "udp": both}, {}).verdict == "pass"


@pytest.mark.parametrize(
    ("addresses", "state", "verdict"),
    [
        ([], "blocked", "pass"),
        (["fe80::1 eth0"], "blocked", "fail"),
        ([], "open", "fail"),
        ([], "refused", "fail"),
    ],
)
def test_ipv6_is_neither_had_nor_used(addresses: list[str], state: str, verdict: str) -> None:
    probe = Probe("vault", "IPv6", "", "tcp", "[2001:db8::2]:80", "blocked")
    found = matrix.outcomes([probe], {"vault": {"tcp": {probe.target: state}}}, {}, {"tcp": frozenset()})
    assert matrix.ipv6(found, {"vault": addresses}, control=True).verdict == verdict


def test_an_ipv6_probe_without_a_control_says_so(inventory: Inventory) -> None:
    assert "prove nothing" in matrix.ipv6(all_right(inventory), {"vault": []}, control=False).detail
