"""The job's run in MLflow: opened before the script starts, ended with it. A job runs without one, too.

The login is read from the file where MLflow's client finds it, so no variable holds it.
"""

from __future__ import annotations

import configparser
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests

from benchmark.jobs.environment import EXPERIMENT

API = "/api/2.0/mlflow"
# After `API`, whose last part is another one.
ARTEFACTS = "-artifacts/artifacts"
LOGIN = Path("~/.mlflow/credentials")
TIMEOUT_S = 10.0
JOB = "aidc.job"  # the tag with the job's name
TEXT = 5000  # characters of a parameter or a tag


class TrackingError(Exception):
    """MLflow cannot be reached, or refuses."""


class Run:
    """One run; `identifier` and `experiment` are MLflow's ids, `place` is where its artefacts are."""

    def __init__(self, server: Server, identifier: str, experiment: str, place: str = "") -> None:
        self.server, self.identifier, self.experiment, self.place = server, identifier, experiment, place

    def end(self, status: str) -> None:
        """`status`: FINISHED, FAILED or KILLED. Raises TrackingError."""
        body = {"run_id": self.identifier, "status": status, "end_time": _now()}
        self.server.call("POST", "/runs/update", json=body)

    def attach(self, name: str, content: bytes) -> None:
        """Add an artefact. Raises TrackingError."""
        scheme, _, path = self.place.partition(":/")
        if scheme != "mlflow-artifacts":
            raise TrackingError(f"the server takes no artefacts at {self.place!r}")
        self.server.call("PUT", f"{ARTEFACTS}/{path.strip('/')}/{name}", data=content)


class Server:
    def __init__(self, url: str, user: str, password: str, authority: str) -> None:
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth, self.session.verify = (user, password), authority

    def open(self, name: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> Run:
        """A new run of the experiment `jobs`; earlier ones of this job end. Raises TrackingError."""
        experiment = self._experiment()
        with suppress(TrackingError):
            self._end_left(experiment, tags)
        body = {
            "experiment_id": experiment,
            "run_name": name,
            "start_time": _now(),
            "tags": [{"key": k, "value": v[:TEXT]} for k, v in tags.items()],
        }
        made = self.call("POST", "/runs/create", json=body)["run"]["info"]
        identifier = str(made["run_id"])
        found = [{"key": k, "value": v[:TEXT]} for k, v in parameters.items()]
        self.call("POST", "/runs/log-batch", json={"run_id": identifier, "params": found})
        return Run(self, identifier, experiment, str(made.get("artifact_uri", "")))

    def _end_left(self, experiment: str, tags: Mapping[str, str]) -> None:
        """End the runs that are open since their driver was killed: no two jobs of a name run at a time."""
        job = tags.get(JOB, "").replace("'", "")
        query = f"attributes.status = 'RUNNING' and tags.`{JOB}` = '{job}'"
        found = self.call("POST", "/runs/search", json={"experiment_ids": [experiment], "filter": query})
        for run in found.get("runs", []):
            Run(self, str(run["info"]["run_id"]), experiment).end("KILLED")

    def _experiment(self) -> str:
        path, query = "/experiments/get-by-name", {"experiment_name": EXPERIMENT}
        try:
            return str(self.call("GET", path, params=query)["experiment"]["experiment_id"])
        except TrackingError:
            return str(self.call("POST", "/experiments/create", json={"name": EXPERIMENT})["experiment_id"])

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        try:
            answer = self.session.request(method, self.url + API + path, timeout=TIMEOUT_S, **arguments)
            found = answer.json() if answer.content else {}
        except (requests.RequestException, ValueError) as error:
            raise TrackingError(f"{self.url}: {error}") from error
        if answer.status_code != 200 or not isinstance(found, dict):
            raise TrackingError(f"{self.url}{API}{path}: {answer.status_code}: {answer.text[:200]}")
        return found


def server(environment: Mapping[str, str] = os.environ, login: Path = LOGIN) -> Server:
    """As MLflow's client would find it. Raises TrackingError where something is missing."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(login.expanduser())
    try:
        user = settings["mlflow"]["mlflow_tracking_username"]
        password = settings["mlflow"]["mlflow_tracking_password"]
        url, authority = environment["MLFLOW_TRACKING_URI"], environment["MLFLOW_TRACKING_SERVER_CERT_PATH"]
    except KeyError as error:
        raise TrackingError(f"no {error} on this node") from None
    return Server(url, user, password, authority)


def _now() -> int:
    return int(time.time() * 1000)
