"""Names asked from inside: what an answer means, and where a query may be seen."""

from __future__ import annotations

import pytest

from audit.reachability import names
from audit.reachability.names import Sighting

INNER = frozenset({"dc-edge", "veth1"})
CONTROL = Sighting("control", "other")


@pytest.mark.parametrize(
    ("said", "is_resolved"),
    [
        ("silent", False),
        ("code 2, 0 answers", False),
        ("code 5, 0 answers", False),
        ("code 0, 0 answers", False),
        ("code 0, 1 answers", True),
        # Only somebody who asked the outside knows that a name does not exist.
        ("code 3, 0 answers", True),
    ],
)
def test_what_an_answer_means(said: str, is_resolved: bool) -> None:
    assert names.resolved(said) is is_resolved
    row = names.answered({"vault": {"127.0.0.11": said}})
    assert row.verdict == ("fail" if is_resolved else "pass")


def test_a_query_on_the_uplink_is_a_leak() -> None:
    row = names.leaked([CONTROL, Sighting("a", "eth0")], {"a": "vault"}, INNER, "control")
    assert (row.verdict, "vault's query on eth0" in row.detail) == ("fail", True)


def test_a_query_to_the_hosts_own_resolver_is_a_leak() -> None:
    assert names.leaked([CONTROL, Sighting("a", "lo")], {"a": "vault"}, INNER, "control").verdict == "fail"


def test_a_query_that_is_refused_on_the_bridge_is_none() -> None:
    row = names.leaked([CONTROL, Sighting("a", "veth1")], {"a": "vault"}, INNER, "control")
    assert (row.verdict, "1 packet seen" in row.detail) == ("pass", True)


def test_a_capture_that_missed_its_control_proves_nothing() -> None:
    assert names.leaked([], {"a": "vault"}, INNER, "control").verdict == "not checked"


def test_inner_interfaces_are_the_bridges_and_their_ports() -> None:
    masters = {"veth1": "dc-edge", "veth2": "docker0"}
    assert names.inner_interfaces(["dc-edge"], masters) == {"dc-edge", "veth1"}


def test_name_servers_are_read_from_resolv_conf() -> None:
    assert names.nameservers("search x\nnameserver 127.0.0.11\n# nameserver 9.9.9.9\noptions ndots:0\n") == [
        "127.0.0.11"
    ]


def test_labels_of_two_sources_do_not_contain_each_other() -> None:
    labels = [names.label("ab", index) for index in range(12)]
    assert not [(a, b) for a in labels for b in labels if a != b and a in b]
