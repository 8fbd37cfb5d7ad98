"""The Debian packages of every image against the security tracker. Effects: reads containers, downloads.

Files are read through the archive interface (`docker cp`): nothing runs in a container.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import requests
from docker.errors import DockerException

from audit.engine.snapshot import Snapshot, name_of
from audit.records import PackageFinding, Packages
from audit.supply_chain import debian
from audit.supply_chain.debian import Finding, Package
from audit.verdicts import Part, Row, judged, not_checked, plural

TRACKER = "https://security-tracker.debian.org/tracker/data/json"
# Seconds for the whole download.
LIMIT = 10.0
STATUS, RELEASE = "/var/lib/dpkg/status", "/usr/lib/os-release"
NAME = "image packages have all security fixes"
FIX = "remove the image (docker rmi) and rebuild it: make images, then make up"


class TrackerError(Exception):
    """The tracker's data cannot be fetched; the text says why."""


def tracker(url: str = TRACKER, limit: float = LIMIT) -> dict[str, Any]:
    """Source package → CVE → entry. Raises TrackerError."""
    deadline, chunks = time.monotonic() + limit, []
    try:
        with requests.get(url, stream=True, timeout=limit / 2) as answer:
            answer.raise_for_status()
            for chunk in answer.iter_content(2**18):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise TrackerError(f"the security tracker's data did not arrive within {limit:g} s")
        found: dict[str, Any] = json.loads(b"".join(chunks))
    except requests.RequestException as error:
        raise TrackerError(f"the security tracker is not reachable ({type(error).__name__})") from None
    except ValueError:
        raise TrackerError("the security tracker's answer is not valid JSON") from None
    return found


def lists(client: Any, snapshot: Snapshot) -> dict[str, tuple[str, list[Package]]]:
    """Image → (release, packages), read from one container per image. Without dpkg there are no packages."""
    chosen: dict[str, str] = {}
    for container in snapshot.containers:
        chosen.setdefault(container["Config"]["Image"], name_of(container))
    found = {}
    for image, name in sorted(chosen.items()):
        status, system = file(client, name, STATUS), file(client, name, RELEASE)
        found[image] = (debian.codename(system), debian.installed(status) if status else [])
    return found


def file(client: Any, container: str, path: str) -> str:
    """A file's text, or an empty one if there is no such file."""
    try:
        chunks, _ = client.api.get_archive(container, path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            found = archive.extractfile(next(iter(archive)))
            return found.read().decode(errors="replace") if found else ""
    except (DockerException, KeyError, StopIteration):
        return ""


def check(
    images: Mapping[str, tuple[str, Sequence[Package]]], pending: Future[dict[str, Any]], limit: float = LIMIT
) -> Part:
    """`pending`: the tracker's data, requested when the audit began."""
    counted = {image: len(packages) for image, (_, packages) in images.items()}
    nothing = Packages(images=counted, findings=[])
    try:
        entries = pending.result(timeout=limit)
    except TimeoutError:
        return Part((not_checked(NAME, f"the security tracker did not answer within {limit:g} s"),), nothing)
    except TrackerError as error:
        return Part((not_checked(NAME, str(error)),), nothing)
    found = {image: debian.findings(p, entries, release) for image, (release, p) in images.items() if release}
    findings = [_record(image, f) for image, mine in found.items() for f in mine]
    return Part((judge(counted, found),), Packages(images=counted, findings=findings))


def judge(counted: Mapping[str, int], found: Mapping[str, Sequence[Finding]]) -> Row:
    """Fails on what a rebuild would fix; what has no fix yet is counted."""
    behind = sorted(
        {
            f"{image}: {f.package.source} {f.package.version} ({f.cve}, fixed in {f.fixed})"
            for image, mine in found.items()
            for f in mine
            if f.fixed
        }
    )
    unfixed = len({(f.package.source, f.cve) for mine in found.values() for f in mine if not f.fixed})
    bare = sum(not number for number in counted.values())
    good = f"{plural(sum(counted.values()), 'source package')} in {plural(len(counted) - bare, 'image')}"
    good += f", {plural(unfixed, 'vulnerability')} without a fix yet" if unfixed else ""
    good += "; programs that were built from source are not covered"
    return judged(NAME, behind, good, plural(len(behind), "missing update"), FIX)


def _record(image: str, finding: Finding) -> PackageFinding:
    return PackageFinding(
        image=image,
        package=finding.package.source,
        version=finding.package.version,
        cve=finding.cve,
        fixed=finding.fixed,
        urgency=finding.urgency,
    )
