"""Third-party parts: whether their known advisories were reviewed, and recently."""

from __future__ import annotations

from collections.abc import Iterator

from policies.model import Resource
from policies.rule import resource_rule

# Days after which a review must be renewed.
FRESH = 90


@resource_rule(
    "pin",
    severity="high",
    level="mandatory",
    fix="look up its advisories and record them in toolchain/advisories.yaml",
)
def pin_reviewed(pin: Resource) -> Iterator[str]:
    """Checks whether the known advisories of each part were reviewed for the pinned version."""
    reviewed, version = pin.text("reviewedVersion"), pin.text("version")
    if not pin.get("pinned"):
        yield "it is reviewed, but not pinned anywhere"
    elif not reviewed:
        yield "its known advisories were never reviewed"
    elif version and version != reviewed:
        yield f"version {version} is pinned, but {reviewed} was reviewed"
    elif pin.number("ageDays") < 0:
        yield "its review has a date in the future"


@resource_rule(
    "pin",
    severity="low",
    level="advisory",
    fix="review it again and update the date in toolchain/advisories.yaml",
)
def review_fresh(pin: Resource) -> Iterator[str]:
    """Checks whether the last review of a part is at most 90 days old."""
    age = pin.number("ageDays")
    if pin.get("pinned") and age > FRESH:
        yield f"its last review is {age:.0f} days old"
