"""As much of MLflow's REST API as the client calls. Shapes and error codes are those of MLflow 3.17.2."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmark.cluster.mlflow_api import MlflowClient

MISSING = (404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "there is none"})
EXISTS = (400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "already exists"})
Answer = tuple[int, Any]


class FakeMlflow:
    """Keeps all in memory. `refuse`: path to the status that is answered there instead, once each."""

    def __init__(self) -> None:
        # The set-up makes it, before the server starts.
        self.experiments: dict[str, dict[str, Any]] = {
            "aidc-serving": {"experiment_id": "1", "lifecycle_stage": "active"}
        }
        self.runs: dict[str, dict[str, Any]] = {}
        self.artefacts: dict[str, bytes] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.clock = 0
        self.refuse: dict[str, list[int]] = {}

    def answer(self, method: str, url: str, body: bytes) -> Answer:
        parts = urlsplit(url)
        self.calls.append(parts.path)
        if self.refuse.get(parts.path):
            return self.refuse[parts.path].pop(0), {"error_code": "REFUSED", "message": "not now"}
        artefact = parts.path.partition("/mlflow-artifacts/artifacts/")[2]
        if artefact:
            if method == "PUT":
                self.artefacts[artefact] = body
                return 200, {}
            return (200, self.artefacts[artefact]) if artefact in self.artefacts else MISSING
        content = json.loads(body) if body else dict(parse_qsl(parts.query))
        name = parts.path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_")
        found: Answer = getattr(self, f"{method}_{name}")(content)
        return found

    def GET_experiments_get_by_name(self, asked: Any) -> Answer:  # noqa: N802
        found = self.experiments.get(asked["experiment_name"])
        return (200, {"experiment": found}) if found else MISSING

    def POST_experiments_create(self, asked: Any) -> Answer:  # noqa: N802
        identifier = str(len(self.experiments) + 1)
        self.experiments[asked["name"]] = {"experiment_id": identifier, "lifecycle_stage": "active"}
        return 200, {"experiment_id": identifier}

    def POST_runs_create(self, asked: Any) -> Answer:  # noqa: N802
        identifier = f"{len(self.runs):032x}"
        root = f"mlflow-artifacts:/{asked['experiment_id']}/{identifier}/artifacts"
        info = {
            "run_id": identifier,
            "experiment_id": asked["experiment_id"],
            "artifact_uri": root,
            "run_name": asked["run_name"],
            "status": "RUNNING",
        }
        self.runs[identifier] = {"info": info, "tags": {}, "params": {}, "metrics": set()}
        self.POST_runs_log_batch({"run_id": identifier, "tags": asked["tags"]})
        return 200, {"run": self._run(identifier)}

    def POST_runs_log_batch(self, asked: Any) -> Answer:  # noqa: N802
        run = self.runs[asked["run_id"]]
        for row in asked.get("params", []):
            if run["params"].setdefault(row["key"], row["value"]) != row["value"]:
                return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Changing param values"}
        run["tags"].update({row["key"]: row["value"] for row in asked.get("tags", [])})
        run["metrics"] |= {tuple(sorted(row.items())) for row in asked.get("metrics", [])}
        return 200, {}

    def POST_runs_update(self, asked: Any) -> Answer:  # noqa: N802
        self.runs[asked["run_id"]]["info"]["status"] = asked["status"]
        return 200, {}

    def POST_runs_search(self, asked: Any) -> Answer:  # noqa: N802
        wanted = [part.split("'")[1] for part in asked["filter"].split(" and ")]
        keys = [part.split("`")[1] for part in asked["filter"].split(" and ")]
        pairs = dict(zip(keys, wanted, strict=True))
        found = [
            i
            for i, run in self.runs.items()
            if run["tags"].items() >= pairs.items()
            and run["info"]["experiment_id"] in asked["experiment_ids"]
        ]
        first = int(asked.get("page_token", 0))
        page = list(reversed(found))[first : first + 2]  # short, so that there are several
        more = {"next_page_token": str(first + 2)} if first + 2 < len(found) else {}
        return 200, {"runs": [self._run(i) for i in page], **more}

    def _run(self, identifier: str) -> dict[str, Any]:
        run = self.runs[identifier]
        return {"info": run["info"], "data": {"tags": _rows(run["tags"]), "params": _rows(run["params"])}}

    def POST_registered_models_create(self, asked: Any) -> Answer:  # noqa: N802
        if asked["name"] in self.models:
            return EXISTS
        self.models[asked["name"]] = {"name": asked["name"], "versions": [], "aliases": {}}
        return 200, {}

    def GET_registered_models_search(self, asked: Any) -> Answer:  # noqa: N802
        rows = [
            {"name": m["name"], "aliases": [{"alias": a, "version": v} for a, v in m["aliases"].items()]}
            for m in self.models.values()
        ]
        return 200, {"registered_models": rows}

    def GET_model_versions_search(self, asked: Any) -> Answer:  # noqa: N802
        return 200, {"model_versions": self.models[asked["filter"].split("'")[1]]["versions"]}

    def POST_model_versions_create(self, asked: Any) -> Answer:  # noqa: N802
        versions = self.models[asked["name"]]["versions"]
        self.clock += 1
        version = {**asked, "version": str(len(versions) + 1), "creation_timestamp": self.clock}
        versions.append(version)
        return 200, {"model_version": version}

    def DELETE_model_versions_delete(self, asked: Any) -> Answer:  # noqa: N802
        model = self.models[asked["name"]]
        model["versions"] = [v for v in model["versions"] if v["version"] != asked["version"]]
        model["aliases"] = {a: v for a, v in model["aliases"].items() if v != asked["version"]}
        return 200, {}

    def DELETE_registered_models_delete(self, asked: Any) -> Answer:  # noqa: N802
        del self.models[asked["name"]]
        return 200, {}

    def POST_model_versions_set_tag(self, asked: Any) -> Answer:  # noqa: N802
        version = self.models[asked["name"]]["versions"][int(asked["version"]) - 1]
        kept = [t for t in version["tags"] if t["key"] != asked["key"]]
        version["tags"] = [*kept, {"key": asked["key"], "value": asked["value"]}]
        return 200, {}

    def DELETE_registered_models_alias(self, asked: Any) -> Answer:  # noqa: N802
        self.models[asked["name"]]["aliases"].pop(asked["alias"], None)
        return 200, {}

    def POST_registered_models_alias(self, asked: Any) -> Answer:  # noqa: N802
        self.models[asked["name"]]["aliases"][asked["alias"]] = asked["version"]
        return 200, {}


def _rows(pairs: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": k, "value": v} for k, v in pairs.items()]


@contextmanager
def running(fake: FakeMlflow) -> Iterator[MlflowClient]:
    """A client of the fake over HTTP."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = fake.answer(self.command, self.path, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield MlflowClient(f"http://127.0.0.1:{server.server_port}", "benchmark", "secret")
        finally:
            server.shutdown()
