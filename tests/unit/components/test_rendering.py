"""Rendered files against golden ones. `UPDATE_GOLDEN=1 pytest` writes them anew: read the diff then."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from components import backup, firewall, grants, load_balancer
from components.config import StackConfig
from components.plan import make_plan
from components.rendering import render

GOLDEN = Path(__file__).parent / "golden"
PLAN = make_plan("dev", StackConfig())
FILES: dict[str, Callable[[], str]] = {
    "nftables.conf": lambda: firewall.ruleset(PLAN),
    "haproxy.cfg": lambda: load_balancer.configuration(PLAN),
    "rclone.conf": backup.source_configuration,
    **{f"s3-policy-{user}.json": partial(grants.policy, user) for user in grants.GRANTS},
}


@pytest.mark.parametrize("name", FILES)
def test_file_is_as_reviewed(name: str) -> None:
    text, golden = FILES[name](), GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_missing_name_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("rclone.conf.j2")


def test_every_flow_has_its_rule() -> None:
    text = firewall.ruleset(PLAN)
    assert all(f"counter name {flow.name} accept" in text for flow in PLAN.flows)


def test_rules_for_published_ports_admit_only_what_was_translated() -> None:
    lines = [x for x in firewall.ruleset(PLAN).splitlines() if "iifname != @bridges ip daddr" in x]
    assert lines
    assert all("ct status dnat" in line for line in lines)
