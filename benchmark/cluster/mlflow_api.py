"""A small client of MLflow's REST API: experiments, runs, artefacts, registered models."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any
from urllib.parse import quote

import requests

from benchmark.core.errors import MlflowError

API = "/api/2.0/mlflow"
ARTEFACTS = "/api/2.0/mlflow-artifacts/artifacts"
PAGE = 200
TIMEOUT_S = 30.0
# The load balancer limits requests per second, and a server that restarts is away for a moment.
BUSY = frozenset({429, 502, 503, 504})
PAUSES_S = (0.5, 1.0, 2.0, 4.0)
# What one batch may hold, by MLflow's own limits.
METRICS, ENTRIES, PARAMETER_CHARACTERS, TAG_CHARACTERS = 800, 100, 6000, 5000
Pairs = Mapping[str, str]
Metric = tuple[str, float, int, int]  # key, value, time in ms, step


class MlflowClient:
    """Calls as one user. A refusal raises MlflowError, whose `code` is MLflow's own word for it."""

    def __init__(self, endpoint: str, user: str, password: str, ca_path: str | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.session = requests.Session()
        # Else REQUESTS_CA_BUNDLE or ~/.netrc of the user's shell would take the place of what is given here.
        self.session.trust_env = False
        self.session.auth = (user, password)
        if ca_path:
            self.session.verify = ca_path

    def experiment(self, name: str) -> str | None:
        """The id of an experiment; None where there is none. MlflowError where it was deleted."""
        found = self._maybe("GET", "/experiments/get-by-name", params={"experiment_name": name})
        if found is None:
            return None
        experiment = found["experiment"]
        if experiment.get("lifecycle_stage") != "active":
            raise MlflowError(
                f"MLflow: experiment {name!r} was deleted there; fix: restore it on the page of experiments"
            )
        return str(experiment["experiment_id"])

    def ensure_experiment(self, name: str) -> str:
        identifier = self.experiment(name)
        if identifier is None:
            try:
                identifier = str(
                    self._call("POST", "/experiments/create", json={"name": name})["experiment_id"]
                )
            except MlflowError as error:
                if error.code != "RESOURCE_ALREADY_EXISTS":
                    raise
                identifier = self.experiment(name)
        assert identifier is not None
        return identifier

    def runs(self, experiment: str, condition: str) -> Iterator[dict[str, Any]]:
        """The runs that meet a condition in MLflow's own words, newest first."""
        body: dict[str, Any] = {
            "experiment_ids": [experiment],
            "filter": condition,
            "max_results": PAGE,
            "order_by": ["attributes.start_time DESC"],
        }
        while True:
            found = self._call("POST", "/runs/search", json=body)
            yield from found.get("runs", [])
            if not found.get("next_page_token"):
                return
            body["page_token"] = found["next_page_token"]

    def create_run(self, experiment: str, name: str, start_ms: int, tags: Pairs) -> dict[str, Any]:
        body = {
            "experiment_id": experiment,
            "run_name": name,
            "start_time": start_ms,
            "tags": _entries(tags, TAG_CHARACTERS),
        }
        run: dict[str, Any] = self._call("POST", "/runs/create", json=body)["run"]
        return run

    def log(self, run: str, parameters: Pairs, tags: Pairs, metrics: Sequence[Metric]) -> None:
        """In as few batches as it takes. A parameter that has another value already is refused."""
        rows = [{"key": k, "value": v, "timestamp": t, "step": s} for k, v, t, s in metrics]
        parts = zip_longest(
            _parts(_entries(parameters, PARAMETER_CHARACTERS), ENTRIES),
            _parts(_entries(tags, TAG_CHARACTERS), ENTRIES),
            _parts(rows, METRICS),
            fillvalue=(),
        )
        for some_parameters, some_tags, some_metrics in parts:
            batch = {"params": some_parameters, "tags": some_tags, "metrics": some_metrics}
            self._call("POST", "/runs/log-batch", json={"run_id": run, **batch})

    def update_run(self, run: str, status: str, end_ms: int | None) -> None:
        end = {} if end_ms is None else {"end_time": end_ms}
        self._call("POST", "/runs/update", json={"run_id": run, "status": status, **end})

    def put_artefact(self, run: Mapping[str, Any], name: str, data: bytes) -> None:
        self._send("PUT", self._artefact(run, name), data=data)

    def get_artefact(self, run: Mapping[str, Any], name: str) -> bytes:
        return bytes(self._send("GET", self._artefact(run, name)).content)

    def ensure_model(self, name: str) -> None:
        try:
            self._call("POST", "/registered-models/create", json={"name": name})
        except MlflowError as error:
            if error.code != "RESOURCE_ALREADY_EXISTS":
                raise

    def models(self) -> list[dict[str, Any]]:
        """All registered models, each with its aliases."""
        return self._pages("/registered-models/search", "registered_models", {})

    def versions(self, name: str) -> list[dict[str, Any]]:
        """All versions of a model, newest first; none where its name cannot stand in a condition."""
        if set("'\"`\\") & set(name):
            return []
        found = self._pages("/model-versions/search", "model_versions", {"filter": f"name='{name}'"})
        return sorted(found, key=lambda v: int(v["version"]), reverse=True)

    def create_version(self, name: str, source: str, run: str, tags: Pairs) -> dict[str, Any]:
        body = {"name": name, "source": source, "run_id": run, "tags": _entries(tags, TAG_CHARACTERS)}
        version: dict[str, Any] = self._call("POST", "/model-versions/create", json=body)["model_version"]
        return version

    def tag_version(self, name: str, version: str, tags: Pairs) -> None:
        for entry in _entries(tags, TAG_CHARACTERS):
            body = {"name": name, "version": version, **entry}
            self._call("POST", "/model-versions/set-tag", json=body)

    def delete_version(self, name: str, version: str) -> None:
        self._call("DELETE", "/model-versions/delete", json={"name": name, "version": version})

    def delete_model(self, name: str) -> None:
        """With all its versions."""
        self._call("DELETE", "/registered-models/delete", json={"name": name})

    def set_alias(self, name: str, alias: str, version: str) -> None:
        body = {"name": name, "alias": alias, "version": version}
        self._call("POST", "/registered-models/alias", json=body)

    def delete_alias(self, name: str, alias: str) -> None:
        """One that is not there stays away."""
        self._call("DELETE", "/registered-models/alias", json={"name": name, "alias": alias})

    def _artefact(self, run: Mapping[str, Any], name: str) -> str:
        root = str(run["info"]["artifact_uri"])
        scheme, _, path = root.partition(":")
        if scheme != "mlflow-artifacts":
            raise MlflowError(f"MLflow: artefacts of the run are at {root}: the server does not pass them on")
        return f"{ARTEFACTS}/{quote(path.lstrip('/'))}/{quote(name)}"

    def _pages(self, path: str, key: str, parameters: Pairs) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            found = self._call("GET", path, params={**parameters, "max_results": str(PAGE), **token})
            rows += found.get(key, [])
            if not found.get("next_page_token"):
                return rows
            token = {"page_token": found["next_page_token"]}

    def _maybe(self, method: str, path: str, **arguments: Any) -> dict[str, Any] | None:
        try:
            return self._call(method, path, **arguments)
        except MlflowError as error:
            if error.code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._send(method, API + path, **arguments)
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise MlflowError(f"MLflow {method} {path}: the answer is not JSON: {response.text[:200]}")
        return content

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        url = self.endpoint + path
        for pause in (*PAUSES_S, None):
            try:
                response = self.session.request(
                    method, url, timeout=TIMEOUT_S, allow_redirects=False, **arguments
                )
            except requests.RequestException as error:
                raise MlflowError(
                    f"MLflow {url}: cannot be reached: {error}. Is the stack up (`make status`)?"
                ) from error
            if response.status_code not in BUSY or pause is None:
                break
            time.sleep(pause)
        if response.status_code < 300:
            return response
        raise _refusal(method, path, response)


def _refusal(method: str, path: str, response: requests.Response) -> MlflowError:
    try:
        content = response.json()
    except ValueError:
        content = None
    found = content if isinstance(content, dict) else {}
    hint = " (check the password)" if response.status_code in {401, 403} else ""
    message = str(found.get("message") or response.text)[:300]
    return MlflowError(
        f"MLflow {method} {path}: {response.status_code}{hint}: {message}", str(found.get("error_code", ""))
    )


def _entries(pairs: Pairs, characters: int) -> list[dict[str, str]]:
    return [{"key": key, "value": value[:characters]} for key, value in pairs.items()]


def _parts(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (rows[first : first + size] for first in range(0, len(rows), size))
