"""The loaded rules against the planned ones, in the spelling of either side, and the counters."""

from __future__ import annotations

import json

import pytest

from audit.reachability import counters
from audit.reachability.matrix import Outcome
from audit.reachability.probes import Probe
from components.firewall import ruleset
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from policies.sources import stacks

PLANNED = ruleset(make_plan("test", StackConfig()))
# LISTED is SMALL as `nft --stateless list table` spells it: one address without braces, a long set broken.
SMALL = """
table inet aidc_x
delete table inet aidc_x
table inet aidc_x {
  set bridges {
    type ifname
    elements = { "dc-b", "dc-a" }
  }
  counter a_b_edge_80 { }
  chain forward {
    type filter hook forward priority filter - 10; policy accept;
    iifname != @bridges oifname != @bridges accept
    ip saddr { 10.0.0.2 } ip daddr { 10.0.0.4, 10.0.0.3 } tcp dport 80 ct state new counter name a_b_edge_80 accept comment "a to b: { why }"
    counter name refused drop
  }
}
"""  # noqa: E501
LISTED = """
table inet aidc_x {
	set bridges {
		type ifname
		elements = { "dc-a",
			"dc-b" }
	}

	counter a_b_edge_80 {
	}

	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		iifname != @bridges oifname != @bridges accept
		ip saddr 10.0.0.2 ip daddr { 10.0.0.3, 10.0.0.4 } tcp dport 80 ct state new counter name "a_b_edge_80" accept comment "a to b: { why }"
		counter name "refused" drop
	}
}
"""  # noqa: E501


def test_the_two_spellings_are_equal() -> None:
    assert counters.differences(SMALL, LISTED) == []
    assert counters.rules(SMALL, LISTED).verdict == "pass"


def test_the_planned_rule_set_is_read_whole() -> None:
    found = counters.blocks(PLANNED)
    assert list(found) == ["set bridges", "chain forward", "chain input"]
    assert sum(" accept comment " in line for line in found["chain forward"]) == PLANNED.count(
        " accept comment "
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ct state new counter", "counter", "lacks"),
        ('\t\tcounter name "refused" drop\n', "", "lacks: counter name refused drop"),
        ("tcp dport 80", "tcp dport 81", "has unplanned"),
        ("10.0.0.2 ip", "{ 10.0.0.2, 10.0.0.9 } ip", "10.0.0.9"),
        ('"dc-a",\n\t\t\t"dc-b"', '"dc-a"', "set bridges"),
        ("chain forward {", "chain forwarding {", "chain forward is missing"),
        ("policy accept;\n", "policy accept;\n\t\taccept\n", "has unplanned: accept"),
    ],
)
def test_every_change_is_a_difference(old: str, new: str, said: str) -> None:
    assert old in LISTED
    row = counters.rules(SMALL, LISTED.replace(old, new))
    assert row.verdict == "fail"
    assert any(said in fault for fault in counters.differences(SMALL, LISTED.replace(old, new)))


def test_the_order_of_rules_matters() -> None:
    lines = LISTED.splitlines()
    drop = next(line for line in lines if "drop" in line)
    lines.remove(drop)
    lines.insert(next(i for i, line in enumerate(lines) if "type filter" in line) + 1, drop)
    assert counters.differences(SMALL, "\n".join(lines)) == ["chain forward has its rules in another order"]


def test_a_table_that_is_not_listed_fails() -> None:
    assert counters.rules(SMALL, None).verdict == "fail"


def seen(flow: str, times: int, state: str = "open") -> list[Outcome]:
    probe = Probe("a", "b", "edge", "tcp", "10.0.0.3:80", "open", flow)
    return [Outcome(probe, "open" if state == "open" else "blocked")] * times


def test_counters_must_rise_by_every_open_connection() -> None:
    before, found = {"flow": 5, "refused": 1}, seen("flow", 3)
    assert counters.risen(before, {"flow": 8, "refused": 2}, found).verdict == "pass"
    short = counters.risen(before, {"flow": 7, "refused": 2}, found)
    assert (short.verdict, "flow rose by 2, 3 connections opened" in short.detail) == ("fail", True)


def test_refusals_must_rise_too() -> None:
    row = counters.risen({"flow": 0, "refused": 1}, {"flow": 1, "refused": 1}, seen("flow", 1))
    assert row.verdict == "fail"


def test_a_counter_that_is_gone_stood_still() -> None:
    assert counters.risen({}, {"refused": 9}, seen("flow", 1)).verdict == "fail"


def test_without_a_listing_or_an_open_flow_there_is_no_pass() -> None:
    assert counters.risen(None, {}, seen("flow", 1)).verdict == "fail"
    assert counters.risen({}, {}, seen("flow", 1, "blocked")).verdict == "not checked"


def test_counters_are_read_from_nfts_json() -> None:
    listing = {"nftables": [{"metainfo": {}}, {"counter": {"name": "refused", "packets": 7, "bytes": 420}}]}
    assert counters.counters(json.dumps(listing)) == {"refused": 7}
    assert counters.rises({"refused": 3}, {"refused": 7, "new": 1}) == {"refused": 4, "new": 1}


def test_the_planned_rule_set_is_found() -> None:
    assert "table inet aidc_test {" in counters.planned_rules(stacks.program("test"))
