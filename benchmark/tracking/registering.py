"""What a run of the benchmark has trained, as versions in MLflow's registry: registered, admitted, judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.checkpoints.artefact import card_digest, card_key
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core.errors import MlflowError, StackError
from benchmark.tracking import rows, serving_record
from benchmark.tracking.registry import (
    CANDIDATE,
    CARD,
    CARD_SHA256,
    SHA256,
    Version,
    catalogue,
    with_alias,
)
from benchmark.tracking.serving_record import Record

Result = dict[str, Any]


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
