"""Versions of trained models in MLflow's registry, and the aliases that say what they are for.

`champion` is served, `canary` beside it for a share of the requests, `previous` was the champion before,
`candidate` is the newest version whose verdicts passed.
A version is what the object store holds, named by key and hash: MLflow keeps no copy of the weights.

Whoever owns a model may set its aliases and tags in MLflow, and jobs own models. Which version is what, and
with which hash one was admitted, is therefore taken from the serving record alone (`serving_record`); what
MLflow shows is set for people to look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError, StackError
from benchmark.core.suggest import near
from benchmark.tracking import serving_record
from benchmark.tracking.serving_record import Entry, Record, State

CHAMPION, PREVIOUS, CANDIDATE, CANARY = "champion", "previous", "candidate", "canary"
ALIASES = (CHAMPION, PREVIOUS, CANDIDATE, CANARY)
RECORDED = (CHAMPION, PREVIOUS, CANARY)
# What a version must say of itself before it can be served.
CARD, SHA256 = "card", "sha256"
CARD_SHA256 = "card_sha256"
# Of a canary: the percentage of the requests that it gets.
SHARE = "share"


@dataclass(frozen=True, kw_only=True)
class Version:
    model: str
    number: int
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    claimed: tuple[str, ...] = ()
    """Aliases of RECORDED that MLflow shows, whatever the record says."""

    @property
    def served(self) -> dict[str, str]:
        """As a replica is told of it; StackError for a version that somebody else registered."""
        missing = [name for name in (CARD, SHA256) if not self.tags.get(name)]
        if missing:
            raise StackError(
                f"{self.model} version {self.number}: tag {', '.join(missing)}: missing: it cannot be served"
            )
        digest = {CARD_SHA256: self.tags[CARD_SHA256]} if self.tags.get(CARD_SHA256) else {}
        return {CARD: self.tags[CARD], SHA256: self.tags[SHA256], "version": str(self.number), **digest}

    @property
    def entry(self) -> Entry:
        """As the serving record has it; StackError as for `served`."""
        told = self.served
        return Entry(
            version=self.number,
            card=told[CARD],
            sha256=told[SHA256],
            card_sha256=told.get(CARD_SHA256, ""),
            created=self.created,
        )

    @property
    def admitted(self) -> bool:
        """Whether a replica can be told of it. What a user's own job registers has to be checked first.

        A card is in the bucket that no outside client writes, whatever a tag says.
        """
        return self.tags.get(CARD, "").startswith(f"models/{self.model}/") and bool(self.tags.get(SHA256))


Catalogue = dict[str, list[Version]]  # newest first


def catalogue(client: MlflowClient, record: Record | None = None) -> Catalogue:
    """All models with all their versions, by name; what is served as the serving record has it."""
    record = record or serving_record.read(client)
    found: Catalogue = {name: [] for name in record.served}
    for model in client.models():
        name = str(model["name"])
        aliases: dict[int, list[str]] = {}
        for row in model.get("aliases", []):
            aliases.setdefault(int(row["version"]), []).append(str(row["alias"]))
        found[name] = [
            _believed(name, raw, aliases.get(int(raw["version"]), []), record)
            for raw in client.versions(name)
        ]
    for name, state in record.served.items():
        # What answers is known even where its owner took it out of the registry.
        there = {(v.number, v.created) for v in found[name]}
        for entry in dict.fromkeys((state.champion, state.canary, state.previous)):
            if entry and (entry.version, entry.created) not in there:
                found[name].append(_version(name, entry, state))
    return {name: found[name] for name in sorted(found)}


def _believed(name: str, raw: Mapping[str, Any], shown: Iterable[str], record: Record) -> Version:
    """A version of the registry, without what it says of itself that only the record may say."""
    number, created = int(raw["version"]), str(raw.get("creation_timestamp", ""))
    tags = {str(t["key"]): str(t["value"]) for t in raw.get("tags", [])}
    for tag in (CARD, SHA256, CARD_SHA256, SHARE):
        tags.pop(tag, None)
    entry = record.admitted.get((name, number))
    version = Version(
        model=name,
        number=number,
        aliases=tuple(sorted(set(shown) - set(RECORDED))),
        tags=tags,
        created=created,
        claimed=tuple(sorted(set(shown) & set(RECORDED))),
    )
    if entry is None or entry.created != created:
        return version
    told = _version(name, entry, record.state(name))
    return replace(
        version, aliases=tuple(sorted({*version.aliases, *told.aliases})), tags={**tags, **told.tags}
    )


def _version(name: str, entry: Entry, state: State) -> Version:
    parts = {CHAMPION: state.champion, PREVIOUS: state.previous, CANARY: state.canary}
    tags = {CARD: entry.card, SHA256: entry.sha256, CARD_SHA256: entry.card_sha256}
    if entry == state.canary:
        tags[SHARE] = str(state.share)
    return Version(
        model=name,
        number=entry.version,
        aliases=tuple(sorted(alias for alias, part in parts.items() if part == entry)),
        tags={name: value for name, value in tags.items() if value},
        created=entry.created,
    )


def differences(known: Catalogue, models: Iterable[str] | None = None) -> list[str]:
    """Each alias that MLflow shows elsewhere than the serving record has it, with what to do."""
    found = []
    for name in known if models is None else models:
        versions = known.get(name, [])
        for alias in RECORDED:
            true = with_alias(versions, alias)
            for version in versions:
                if alias in version.claimed and version != true:
                    said = f"version {true.number}" if true else "no version"
                    found.append(
                        f"{name}: MLflow shows version {version.number} as {alias}, but by the serving "
                        f"record it is {said}: somebody set the alias, and it changes nothing; fix: "
                        f"`make promote MODEL={name} VERSION={version.number}` if it is meant"
                        + (f", else `make promote MODEL={name} VERSION=champion`" if true else "")
                    )
    return found


def with_alias(versions: Iterable[Version], alias: str) -> Version | None:
    return next((v for v in versions if alias in v.aliases), None)


def choose(known: Catalogue, model: str, wanted: str) -> Version:
    """A version by its number or alias; ConfigError says which there are."""
    if model not in known:
        there = ", ".join(known) or "none: `make bench` trains and registers some"
        raise ConfigError([f"MODEL: {model!r}: not registered; registered: {there}{near(model, known)}"])
    versions = known[model]
    if not versions:
        fix = "fix: `make bench` registers the workloads' models, and a job of yours its own"
        raise ConfigError([f"MODEL: {model!r}: has no version yet; {fix}"])
    found = next((v for v in versions if wanted in (str(v.number), *v.aliases)), None)
    if found is None:
        numbers = [str(v.number) for v in versions]
        aliases = [alias for v in versions for alias in v.aliases]
        there = ", ".join([*numbers, *aliases]) or "none"
        hint = near(wanted, [*numbers, *aliases, *ALIASES])
        raise ConfigError([f"VERSION: {wanted!r}: {model} has no such version; it has {there}{hint}"])
    return found


def default(known: Catalogue, model: str) -> str:
    """The version that is promoted where none is named: the canary, the candidate, or a user's newest."""
    versions = known.get(model, [])
    named = next((alias for alias in (CANARY, CANDIDATE) if with_alias(versions, alias)), None)
    # What the benchmark registers says in which run it was judged.
    own = bool(versions) and "run" not in versions[0].tags
    return named or (str(versions[0].number) if own else CANDIDATE)
