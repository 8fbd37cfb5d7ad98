"""Earlier runs of a stack as MLflow has them: a fresh checkout sees those of others."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmark.analysis import runs
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.core import files
from benchmark.core.errors import ConfigError, MlflowError
from benchmark.core.suggest import near
from benchmark.tracking.recording import EXPERIMENT, tags
from benchmark.tracking.rows import PART, RUN

PLACE = "MLflow"


def recorded(client: MlflowClient, stack: str) -> dict[str, dict[str, Any]]:
    """Run id to MLflow's run, of the benchmark runs of this stack, newest first."""
    experiment = client.experiment(EXPERIMENT)
    if experiment is None:
        return {}
    found = client.runs(experiment, f"tags.`{PART}` = 'run' and tags.`stack` = '{stack}'")
    return {tags(run)[RUN]: run for run in found}


def row(run: dict[str, Any]) -> dict[str, str]:
    """What the list of runs shows of it."""
    said = tags(run)
    parameters = {p["key"]: p["value"] for p in run["data"].get("params", [])}
    commit = said.get("git_commit", "-")[:10] + ("+" if said.get("git_dirty") == "yes" else "")
    return {
        "run": said[RUN],
        "started": said.get("started", "-").replace("T", " ").replace("+00:00", ""),
        "commit": commit,
        "tier": said.get("tier", "-"),
        "workloads": parameters.get("workloads") or "-",
        "complete": said.get("complete", "-"),
        "verdicts": said.get("verdicts", "-"),
        "path": PLACE,
    }


def merged(here: Iterable[dict[str, str]], there: Iterable[dict[str, str]]) -> list[dict[str, str]]:
    """Newest first, those without a time last. A run of this machine is shown with its own path."""
    found = {r["run"]: r for r in there}
    found.update({r["run"]: r for r in here})
    return sorted(found.values(), key=_age, reverse=True)


def _age(row: dict[str, str]) -> tuple[bool, str, str]:
    return row["started"][:1].isdigit(), row["started"], row["run"]


def result_of(client: MlflowClient | None, stack: str, out: Path, run_id: str) -> Path:
    """The result of a run: of this machine, or else fetched from MLflow into its folder.

    ConfigError where neither has it.
    """
    known = {folder.name: folder for folder in reversed(runs.folders(out))}
    if run_id in known:
        return known[run_id] / runs.RESULT
    there = recorded(client, stack) if client else {}
    if run_id not in there:
        names = [*known, *there]
        raise ConfigError(
            [f"run {run_id!r}: neither in {out} nor in MLflow{near(run_id, names)}; `make runs` lists them"]
        )
    assert client
    path = out / runs.FOLDER / run_id / runs.RESULT
    try:
        content = client.get_artefact(there[run_id], runs.RESULT).decode()
    except MlflowError as error:
        raise ConfigError([f"run {run_id!r}: {error}"]) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write(path, content)
    return path
