"""The reviews of `toolchain/advisories.yaml` against the pins and against what is installed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from audit.records import Advisories, PinRecord
from audit.supply_chain.contents import Component
from audit.verdicts import Part, Row, judged, plural, shortened
from policies.model import Resource
from policies.rules.advisories import pin_reviewed, review_fresh

REVIEWED = "every pin has a review of its known advisories"
INSTALLED = "what is installed is what was reviewed"
FRESH = "no review is older than 90 days"


def check(pins: Sequence[Resource], installed: Mapping[str, Iterable[Component]]) -> Part:
    """`pins` are the plan's; `installed` are the packages of each image."""
    faults = [f"{pin.name}: {text}" for pin in pins for text in pin_reviewed.check(pin)]
    old = [f"{pin.name}: {text}" for pin in pins for text in review_fresh.check(pin)]
    reviewed = {pin.name.partition(":")[2]: pin.text("reviewedVersion") for pin in pins if _of_debian(pin)}
    others = sorted({text for image, found in installed.items() for text in _others(image, found, reviewed)})
    bad, fix = plural(len(faults), "fault"), pin_reviewed.remediation
    rows = [
        judged(REVIEWED, faults, plural(len(pins), "pin"), bad, fix),
        judged(INSTALLED, others, plural(len(reviewed), "package"), plural(len(others), "difference"), fix),
    ]
    if old:
        rows.append(Row(FRESH, "warn", shortened(old), review_fresh.remediation))
    else:
        rows.append(Row(FRESH, "pass", plural(len(pins), "pin")))
    records = [PinRecord.model_validate({"name": pin.name, **pin.props}) for pin in pins]
    return Part(tuple(rows), Advisories(pins=records))


def _of_debian(pin: Resource) -> bool:
    return pin.get("ecosystem") == "debian" and bool(pin.text("reviewedVersion"))


def _others(image: str, found: Iterable[Component], reviewed: Mapping[str, str]) -> Iterator[str]:
    """Packages of an image whose source has another version than the one that was reviewed."""
    for component in found:
        wanted = reviewed.get(component.name)
        if component.ecosystem == "deb" and wanted and component.source_version != wanted:
            yield f"{image.partition(':')[0]}: {component.name} {component.source_version}, reviewed {wanted}"
