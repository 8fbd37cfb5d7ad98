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

from benchmark.checkpoints.artefact import card_digest, card_key
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError, MlflowError, StackError
from benchmark.core.suggest import near
from benchmark.tracking import rows, serving_record
from benchmark.tracking.serving_record import Entry, Record, State

CHAMPION, PREVIOUS, CANDIDATE, CANARY = "champion", "previous", "candidate", "canary"
ALIASES = (CHAMPION, PREVIOUS, CANDIDATE, CANARY)
RECORDED = (CHAMPION, PREVIOUS, CANARY)
# What a version must say of itself before it can be served.
CARD, SHA256 = "card", "sha256"
CARD_SHA256 = "card_sha256"
# Of a canary: the percentage of the requests that it gets.
SHARE = "share"
Result = dict[str, Any]


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


def register(client: MlflowClient, result: Result, seed_runs: Mapping[str, str]) -> dict[str, Version]:
    """A version for each workload's model of the first seed, which is the one that is served.

    `seed_runs`: part to MLflow's run. A version that exists for the same weights and run is left as it is, if
    the serving record knows it. StackError where the name of a workload belongs to somebody else.
    """
    found = {}
    record = serving_record.read(client)
    for name, settings in result["configuration"]["workloads"].items():
        seed = settings["seeds"][0]
        run = next((r for r in result["training"] if (r["workload"], r["seed"]) == (name, seed)), None)
        if run is None or not run.get("model"):
            continue
        tags = tags_of(result, run["model"])
        try:
            found[name] = _registered(client, record, name, tags, seed_runs)
        except MlflowError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            raise StackError(
                f"{name}: a registered model of this name belongs to somebody else, so the workload's "
                "version cannot be registered; fix: rename or delete that model on MLflow's page as `admin`"
            ) from error
        serving_record.admit(client, record, name, found[name].entry, f"trained in run {result['run_id']}")
    return found


def _registered(
    client: MlflowClient, record: Record, name: str, tags: Mapping[str, str], seed_runs: Mapping[str, str]
) -> Version:
    client.ensure_model(name)
    known = None
    for raw in client.versions(name):
        entry = record.admitted.get((name, int(raw["version"])))
        said = {t["key"]: t["value"] for t in raw.get("tags", [])}
        # By its tags alone anybody's version could pass for this one.
        if entry and entry.sha256 == tags[SHA256] and said.items() >= _identity(tags).items():
            known = raw if entry.created == str(raw.get("creation_timestamp", "")) else None
        if known:
            break
    if known is None:
        source = f"s3://{tags[CARD].rpartition('/')[0]}"
        known = client.create_version(name, source, seed_runs[rows.seed_part(name, int(tags["seed"]))], tags)
    created = str(known.get("creation_timestamp", ""))
    return Version(model=name, number=int(known["version"]), tags=tags, created=created)


def tags_of(result: Result, card: Mapping[str, Any]) -> dict[str, str]:
    environment = result["environment"]
    return {
        **_identity({"run": result["run_id"], "stack": result["stack"], SHA256: card["sha256"]}),
        CARD: card_key(card),
        CARD_SHA256: card_digest(card),
        "metric": card["metric"],
        "quality": f"{card['quality']:g}",
        "seed": str(card["seed"]),
        "tier": result["tier"],
        "data_sha256": card["data_sha256"],
        "image": rows.images(result).get("compute", "-"),
        "git_commit": str(environment.get("git_commit") or "-"),
        "source_sha256": str(environment.get("source_sha256") or "-"),
    }


def _identity(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: tags[name] for name in ("run", "stack", SHA256)}


def judge(client: MlflowClient, result: Result, versions: Mapping[str, Version]) -> None:
    """Tag each version with its verdicts; the newest that passed becomes the candidate."""
    for name, version in versions.items():
        verdicts = rows.verdicts_on(result, name)
        passed = passes(verdicts, name)
        tags = {"verdicts": rows.outcome(verdicts), "passed": "yes" if passed else "no"}
        client.tag_version(name, str(version.number), tags)
        if passed:
            candidate = with_alias(catalogue(client)[name], CANDIDATE)
            if candidate is None or candidate.number < version.number:
                client.set_alias(name, CANDIDATE, str(version.number))


def passes(verdicts: list[dict[str, str]], workload: str) -> bool:
    """Its quality and its answers were judged and passed, and nothing about it failed.

    A latency that other programs on the machine made inconclusive says nothing against the model.
    """
    said = {v["name"]: v["verdict"] for v in verdicts}
    needed = (f"quality of {workload}", f"{workload} as served equals as trained")
    return all(said.get(name) == "pass" for name in needed) and "fail" not in said.values()
