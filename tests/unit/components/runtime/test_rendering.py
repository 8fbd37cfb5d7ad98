"""Rendered files against golden ones. `UPDATE_GOLDEN=1 pytest` rewrites them: review the diff then."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from components import firewall, load_balancer
from components.planning import bucket_documents, buckets, databases, grants
from components.planning.config import StackConfig
from components.planning.plan import make_plan
from components.runtime.rendering import render

GOLDEN = Path(__file__).parents[1] / "golden"
PLAN = make_plan("dev", StackConfig())
FILES: dict[str, Callable[[], str]] = {
    "nftables.conf": lambda: firewall.ruleset(PLAN),
    "postgresql.conf": lambda: databases.server_settings(PLAN.config.database),
    "pg_hba.conf": lambda: databases.access_rules(["10.77.6.0/23"]),
    "database-roles": databases.declared,
    "haproxy.cfg": lambda: load_balancer.configuration(PLAN),
    "buckets": lambda: bucket_documents.listing(PLAN.buckets),
    **{f"s3-policy-{user}.json": partial(grants.policy, user, PLAN.buckets) for user in buckets.IDENTITIES},
}


@pytest.mark.parametrize("name", FILES)
def test_file_is_as_reviewed(name: str) -> None:
    text, golden = FILES[name](), GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_missing_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("haproxy.cfg.j2")


def test_every_flow_has_its_rule() -> None:
    text = firewall.ruleset(PLAN)
    assert all(f"counter name {flow.name} accept" in text for flow in PLAN.flows)


def test_rules_for_published_ports_admit_only_what_was_translated() -> None:
    lines = [x for x in firewall.ruleset(PLAN).splitlines() if "iifname != @bridges ip daddr" in x]
    assert lines
    assert all("ct status dnat" in line for line in lines)


@pytest.mark.parametrize("name", ["inference", "s3", "ray"])
def test_every_frontend_wants_bodies_with_a_length(name: str) -> None:
    section = load_balancer.configuration(PLAN).split(f"\nfrontend {name}\n")[1].split("\n\n")[0]
    assert "status 411 if chunked" in section
    assert "deny_status 400 if has_length !good_length" in section


def test_s3_is_refused_unless_the_script_lets_it_pass() -> None:
    """A script that fails sets nothing: only its word opens."""
    lines = load_balancer.configuration(PLAN).splitlines()
    action = lines.index("  http-request lua.s3_edge")
    refusal = next(line for line in lines[action:] if "return status 403" in line)
    assert refusal.endswith("unless { var(txn.s3_edge) -m str pass }")
