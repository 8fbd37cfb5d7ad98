"""Write a result into MLflow: its runs, then its files. What is there already is not made again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.tracking.rows import DIGEST, PARENT, PART, RUN, Row, rows

EXPERIMENT = "benchmark"
Result = dict[str, Any]
Run = dict[str, Any]  # as MLflow describes it


class Recorder:
    """Records one benchmark run. What MLflow has of it, by whichever call, is not sent again."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.experiment = ""
        self.known: dict[str, Run] = {}
        self.digests: dict[str, str] = {}  # by part, as MLflow has them

    def record(self, result: Result) -> dict[str, Any]:
        """Write all runs of the result as it is now; where the benchmark run is. Raises MlflowError."""
        if not self.experiment:
            self.experiment = self.client.ensure_experiment(EXPERIMENT)
            self.known = existing(self.client, self.experiment, result["run_id"])
            self.digests = {part: tags(run).get(DIGEST, "") for part, run in self.known.items()}
        for row in rows(result):
            digest = row.digest()
            if self.digests.get(row.part) == digest:
                continue
            run = self.known.get(row.part) or self._create(row, result["run_id"])
            self.known[row.part] = run
            identifier = run["info"]["run_id"]
            self.client.update_run(identifier, row.status, row.end_ms)
            # The digest comes with the last of what it stands for.
            self.client.log(identifier, row.parameters, {**row.tags, DIGEST: digest}, row.metrics)
            self.digests[row.part] = digest
        parent = self.known[""]["info"]["run_id"]
        return {"experiment": self.experiment, "run": parent, "url": self.page(parent)}

    def record_ids(self, result: Result) -> dict[str, str]:
        """Part to MLflow's run, of all that the result has by now."""
        self.record(result)
        return {part: str(run["info"]["run_id"]) for part, run in self.known.items()}

    def page(self, run: str) -> str:
        return f"{self.client.endpoint}/#/experiments/{self.experiment}/runs/{run}"

    def attach(self, result: Result, folder: Path) -> None:
        """Files of a recorded run: what was configured, and those in its folder. Raises MlflowError."""
        run = self.known[""]
        settings = json.dumps(result["configuration"], indent=1, sort_keys=True).encode()
        self.client.put_artefact(run, "configuration.json", settings)
        for name in ("events.jsonl", "report.html", "comparison.html", "result.json"):
            path = folder / name
            if path.is_file():
                self.client.put_artefact(run, name, path.read_bytes())

    def _create(self, row: Row, run_id: str) -> Run:
        tags = {RUN: run_id, PART: row.part or "run"}
        if row.parent is not None:
            tags[PARENT] = self.known[row.parent]["info"]["run_id"]
        return self.client.create_run(self.experiment, row.name, row.start_ms, tags)


def existing(client: MlflowClient, experiment: str, run_id: str) -> dict[str, Run]:
    """Part to run, of what MLflow has of a benchmark run; the oldest where two were made at once."""
    found: dict[str, Run] = {}
    for run in client.runs(experiment, f"tags.`{RUN}` = '{run_id}'"):
        part = tags(run).get(PART, "")
        found["" if part == "run" else part] = run  # newest first: the oldest stays
    return found


def tags(run: Run) -> dict[str, str]:
    return {t["key"]: t["value"] for t in run["data"].get("tags", [])}
