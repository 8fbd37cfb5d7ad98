"""Versions of trained models in MLflow's registry, and the aliases that say what they are for.

`champion` is served, `canary` beside it for a share of the requests, `previous` was the champion before,
`candidate` is the newest version whose verdicts passed.
A version is what the object store holds, named by key and hash: MLflow keeps no copy of the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.checkpoints.artefact import card_key
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import ConfigError, StackError
from benchmark.core.suggest import near
from benchmark.tracking import rows

CHAMPION, PREVIOUS, CANDIDATE, CANARY = "champion", "previous", "candidate", "canary"
ALIASES = (CHAMPION, PREVIOUS, CANDIDATE, CANARY)
# What a version must say of itself before it can be served.
CARD, SHA256 = "card", "sha256"
# Of a canary: the percentage of the requests that it gets.
SHARE = "share"
Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Version:
    model: str
    number: int
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def served(self) -> dict[str, str]:
        """As a replica is told of it; StackError for a version that somebody else registered."""
        missing = [name for name in (CARD, SHA256) if not self.tags.get(name)]
        if missing:
            raise StackError(
                f"{self.model} version {self.number}: tag {', '.join(missing)}: missing: it cannot be served"
            )
        return {CARD: self.tags[CARD], SHA256: self.tags[SHA256], "version": str(self.number)}

    @property
    def admitted(self) -> bool:
        """Whether a replica can be told of it. What a user's own job registers has to be checked first.

        A card is in the bucket that no outside client writes, whatever a tag says.
        """
        return self.tags.get(CARD, "").startswith(f"models/{self.model}/") and bool(self.tags.get(SHA256))


Catalogue = dict[str, list[Version]]  # newest first


def catalogue(client: MlflowClient) -> Catalogue:
    """All models with all their versions, by name."""
    found: Catalogue = {}
    for model in sorted(client.models(), key=lambda m: str(m["name"])):
        aliases: dict[int, list[str]] = {}
        for row in model.get("aliases", []):
            aliases.setdefault(int(row["version"]), []).append(str(row["alias"]))
        found[model["name"]] = [
            Version(
                model=model["name"],
                number=int(raw["version"]),
                aliases=tuple(sorted(aliases.get(int(raw["version"]), []))),
                tags={t["key"]: t["value"] for t in raw.get("tags", [])},
            )
            for raw in client.versions(model["name"])
        ]
    return found


def with_alias(versions: Iterable[Version], alias: str) -> Version | None:
    return next((v for v in versions if alias in v.aliases), None)


def choose(known: Catalogue, model: str, wanted: str) -> Version:
    """A version by its number or alias; ConfigError says which there are."""
    if model not in known:
        there = ", ".join(known) or "none: `make bench` trains and registers some"
        raise ConfigError([f"MODEL: {model!r}: not registered; registered: {there}{near(model, known)}"])
    versions = known[model]
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

    `seed_runs`: part to MLflow's run. A version that exists for the same weights and run is left as it is.
    """
    found = {}
    for name, settings in result["configuration"]["workloads"].items():
        seed = settings["seeds"][0]
        run = next((r for r in result["training"] if (r["workload"], r["seed"]) == (name, seed)), None)
        if run is None or not run.get("model"):
            continue
        tags = tags_of(result, run["model"])
        client.ensure_model(name)
        known = next(
            (
                v
                for v in client.versions(name)
                if {t["key"]: t["value"] for t in v.get("tags", [])}.items() >= _identity(tags).items()
            ),
            None,
        )
        if known is None:
            source = f"s3://{run['model']['key'].rpartition('/')[0]}"
            known = client.create_version(name, source, seed_runs[rows.seed_part(name, seed)], tags)
        found[name] = Version(model=name, number=int(known["version"]), tags=tags)
    return found


def tags_of(result: Result, card: Mapping[str, Any]) -> dict[str, str]:
    environment = result["environment"]
    return {
        **_identity({"run": result["run_id"], "stack": result["stack"], SHA256: card["sha256"]}),
        CARD: card_key(card),
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
