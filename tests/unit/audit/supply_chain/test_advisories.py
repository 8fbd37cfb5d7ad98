"""The reviews against what is installed."""

from __future__ import annotations

from typing import Any

from audit.supply_chain import advisories
from audit.supply_chain.contents import Component
from policies.model import Resource

INSTALLED = {"aidc-vault:1": [Component("deb", "curl", "8-1+b1", "curl", "8-1")]}


def pin(**changes: Any) -> Resource:
    props = {"ecosystem": "debian", "version": "", "pinned": True, "reviewedVersion": "8-1", "ageDays": 1}
    return Resource("pin", "debian:curl", props | changes)


def verdicts(*pins: Resource, installed: Any = INSTALLED) -> dict[str, str]:
    return {row.name: row.verdict for row in advisories.check(pins, installed).rows}


def test_what_is_reviewed_and_installed_passes() -> None:
    assert set(verdicts(pin()).values()) == {"pass"}


def test_an_unreviewed_pin_fails() -> None:
    assert verdicts(pin(reviewedVersion=""))[advisories.REVIEWED] == "fail"


def test_an_installed_version_that_nobody_reviewed_fails() -> None:
    newer = {"aidc-vault:1": [Component("deb", "curl", "8-2", "curl", "8-2")]}
    part = advisories.check([pin()], newer)
    row = next(row for row in part.rows if row.name == advisories.INSTALLED)
    assert (row.verdict, "aidc-vault: curl 8-2, reviewed 8-1" in row.detail) == ("fail", True)


def test_an_old_review_warns_and_does_not_fail() -> None:
    found = verdicts(pin(ageDays=91))
    assert (found[advisories.FRESH], found[advisories.REVIEWED]) == ("warn", "pass")
