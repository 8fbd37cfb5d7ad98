"""What `audit.json` holds of each part, as typed records. Pure.

Renaming a field or changing its meaning needs a new `audit.document.SCHEMA`; a new field needs only a new
docs/schemas/audit.json.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# `warn` is a pass that somebody should look at soon; `not checked` says in its detail why.
Verdict = Literal["pass", "warn", "fail", "not checked"]
VERDICTS: tuple[Verdict, ...] = ("pass", "warn", "fail", "not checked")
Protocol = Literal["tcp", "udp"]
# `closed` is anything but open: whether a packet was dropped or answered with a reset does not matter there.
Expected = Literal["open", "blocked", "closed"]
# `unknown`: nothing listened at the target, so silence proves nothing.
Seen = Literal["open", "refused", "blocked", "unknown"]
AttackResult = Literal["refused", "succeeded", "not possible"]
RuleStatus = Literal["passed", "failed", "waived"]


class Record(BaseModel):
    """Base of all records: unknown fields are mistakes, and nothing changes once it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class NoData(Record):
    """A part that could not be checked, or that has nothing beside its verdicts."""


class Place(Record):
    """A row and column of the reachability matrix. `note` says what is special about it."""

    name: str
    kind: Literal["service", "place"]
    role: str
    note: str


class ProbeRecord(Record):
    """One connection that was tried. `segment` is empty for addresses that are in none of ours."""

    source: str
    destination: str
    segment: str
    protocol: Protocol
    target: str = Field(description="address:port")
    expected: Expected
    seen: Seen
    right: bool


class Reachability(Record):
    """`counters`: name of a firewall counter → packets that it counted during the probes."""

    places: list[Place]
    probes: list[ProbeRecord]
    counters: dict[str, int]


class Difference(Record):
    """One field of one resource. `planned` and `live` are text for a reader and hold no secret."""

    resource: str
    field: str
    planned: str
    live: str
    fix: str

    def __str__(self) -> str:
        return f"{self.resource}: {self.field} is {self.live}, planned {self.planned}"


class NotCompared(Record):
    """Something that a plan without secrets cannot tell."""

    what: str
    why: str


class Drift(Record):
    """`compared` fields of `resources` containers, networks and volumes."""

    differences: list[Difference]
    compared: int
    resources: int
    not_compared: list[NotCompared]


class SourceStatus(Record):
    """A rule on one source. `failed` and `waived` name resources."""

    status: RuleStatus
    failed: list[str]
    waived: list[str]


class RuleRecord(Record):
    """One rule on every source: `plan`, `state` and `live`."""

    rule: str
    severity: str
    level: str
    description: str
    sources: dict[str, SourceStatus]
    disagreements: list[str]


class Policies(Record):
    rules: list[RuleRecord]


class Attempted(Record):
    """One attempt in one service. `detail`: the error that refused it, or why it could not be tried."""

    service: str
    attempt: str
    result: AttackResult
    detail: str


class Attacks(Record):
    """`titles`: name of an attempt → what it tries."""

    attempts: list[Attempted]
    titles: dict[str, str]


class CertificateRecord(Record):
    """What a listener showed. `name` is what it was asked for, `names` what its certificate is valid for."""

    service: str
    target: str = Field(description="address:port")
    name: str
    names: list[str]
    days_left: int | None = Field(description="whole days; negative once it has expired")
    protocol: str
    fault: str = Field(description="why it does not verify; empty when it does")


class Certificates(Record):
    certificates: list[CertificateRecord]


class BucketDifference(Record):
    """One setting of a bucket, or of the policy of an identity, that is not as declared."""

    where: str
    setting: str
    declared: str
    live: str


class DamagedObject(Record):
    """An object or version with shards that are not well. `states`: node → state of its shard."""

    place: str = Field(description="bucket/key, with the version where there is one")
    states: dict[str, str]
    lost: bool = Field(description="too few shards are left to restore the others")


class Storage(Record):
    """The object store. `scanned`: objects and versions whose shards were read and compared."""

    buckets: list[str]
    undeclared: list[str]
    differences: list[BucketDifference]
    scanned: int
    complete: bool = Field(description="every object was scanned in the time that an audit takes for it")
    damaged: list[DamagedObject]


class WaiverRecord(Record):
    """An exception from a rule. `age_days` is null if git does not know the line."""

    rule: str
    resource: str
    reason: str
    owner: str
    expires: date
    days_left: int
    age_days: int | None


class Waivers(Record):
    waivers: list[WaiverRecord]


class PackageFinding(Record):
    """A vulnerability of an installed Debian package. `fixed` is empty while there is no fix."""

    image: str
    package: str
    version: str
    cve: str
    fixed: str
    urgency: str


class Packages(Record):
    """`images`: reference → number of source packages."""

    images: dict[str, int]
    findings: list[PackageFinding]


class PinRecord(Record):
    """A pinned dependency and its review. `version` is empty where the distribution decides."""

    name: str
    ecosystem: str
    version: str
    pinned: bool
    reviewed_version: str | None = Field(default=None, alias="reviewedVersion")
    age_days: int | None = Field(default=None, alias="ageDays", description="days since the review")
    review_place: str | None = Field(default=None, alias="reviewPlace", description="file:line")


class Advisories(Record):
    pins: list[PinRecord]


class Sbom(Record):
    """`images`: reference → number of components in its bill of materials."""

    images: dict[str, int]


class PythonFinding(Record):
    """A vulnerability of a locked Python package. `fixed` lists versions; empty while there is no fix."""

    package: str
    version: str
    id: str
    fixed: str


class Python(Record):
    """`packages`: how many locked packages were looked up."""

    findings: list[PythonFinding]
    packages: int


class Restorable(Record):
    """The newest drill of the stack's own service; without one the other fields are null."""

    state: Literal["passed", "failed", "stale", "waiting"] = Field(
        description="`waiting`: the first one is not due yet; `stale`: two in a row did not come"
    )
    finished: str | None = Field(description="RFC 3339")
    snapshot: str | None
    seconds: float | None = Field(description="from the restore's begin until everything was compared")
