"""A small client of Ray's REST API: submit jobs, follow their logs, deploy an application."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import requests

from benchmark.errors import StackError

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
LINE = re.compile(r"@(progress|error) (\{.*\})\s*$")
POLL_S = 1.0


class RayClient:
    def __init__(self, endpoint: str, token: str | None = None, ca_path: str | None = None) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.session = requests.Session()
        # Else REQUESTS_CA_BUNDLE of the user's shell would take the place of the stack's own authority.
        self.session.trust_env = False
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"
        if ca_path:
            self.session.verify = ca_path

    def submit(self, entrypoint: str, submission_id: str, variables: Mapping[str, str] | None = None) -> str:
        body = {
            "entrypoint": entrypoint,
            "submission_id": submission_id,
            "entrypoint_num_cpus": 0.1,  # keeps the driver off the head node, which offers none
            "runtime_env": {"env_vars": {"RAY_DEDUP_LOGS": "0", **(variables or {})}},
        }
        identifier: str = self._call("POST", "/api/jobs/", json=body)["submission_id"]
        return identifier

    def status(self, identifier: str) -> dict[str, Any]:
        return self._call("GET", f"/api/jobs/{identifier}")

    def logs(self, identifier: str) -> str:
        text: str = self._call("GET", f"/api/jobs/{identifier}/logs").get("logs") or ""
        return text

    def stop(self, identifier: str) -> None:
        self._call("POST", f"/api/jobs/{identifier}/stop")

    def follow(self, identifier: str, on_line: Callable[[str], None], timeout_s: float) -> str:
        """Hand every new log line to `on_line` until the job ends; its final status.

        Ctrl-C and a timeout stop the job before they go on. A few failed polls are forgiven: the
        head node may be restarting.
        """
        seen, failures, deadline = 0, 0, time.monotonic() + timeout_s
        try:
            while True:
                try:
                    state, text = self.status(identifier), self.logs(identifier)
                    failures = 0
                except StackError:
                    failures += 1
                    if failures > 30:
                        raise
                    time.sleep(POLL_S)
                    continue
                lines = text.splitlines(keepends=True)
                for line in lines[seen:]:
                    if line.endswith("\n") or state["status"] in ENDED:
                        on_line(line.rstrip("\n"))
                        seen += 1
                if state["status"] in ENDED:
                    status: str = state["status"]
                    return status
                if time.monotonic() > deadline:
                    raise StackError(
                        f"job {identifier}: still {state['status']} after {timeout_s:.0f} s; stopped"
                    )
                time.sleep(POLL_S)
        except (KeyboardInterrupt, StackError):
            with suppress(StackError):  # the first problem is the one to report
                self.stop(identifier)
            raise

    def deploy(self, arguments: Mapping[str, Any], timeout_s: float = 180) -> dict[str, Any]:
        """Make `benchmark.serve` the cluster's application and wait until it runs; its status.

        The models go as `user_config`: when nothing else changes, every replica loads the new ones beside
        the old ones and then changes over. Changed `args` would have Ray build the application anew, for
        which time it names no replica to the proxies.
        """
        settings = {k: v for k, v in arguments.items() if k != "models"}
        body = {
            "proxy_location": "EveryNode",
            "http_options": {"host": "0.0.0.0", "port": 8000},
            "applications": [
                {
                    "name": "models",
                    "route_prefix": "/",
                    "import_path": "benchmark.serve:build",
                    "args": settings,
                    "deployments": [{"name": "models", "user_config": arguments["models"]}],
                }
            ],
        }
        # The first deployment starts Serve itself, which takes its time on a busy machine.
        self._call("PUT", "/api/serve/applications/", json=body, timeout=timeout_s)
        deadline = time.monotonic() + timeout_s
        time.sleep(POLL_S)  # the old state of a re-deployment is still there at once
        while True:
            application = self.application()
            status = application.get("status", "NOT_STARTED")
            if status == "RUNNING":
                return application
            if status in {"DEPLOY_FAILED", "UNHEALTHY"} or time.monotonic() > deadline:
                raise StackError(f"serving application: {status}: {application.get('message', '')[-1500:]}")
            time.sleep(POLL_S)

    def application(self) -> dict[str, Any]:
        """Ray Serve's description of the application; empty where none is deployed."""
        found = self._call("GET", "/api/serve/applications/").get("applications", {}).get("models")
        return dict(found or {})

    def replicas(self) -> list[dict[str, Any]]:
        """The replicas that run: `replica_id`, `node_ip`, `pid` in their container, `start_time_s`, …"""
        members = self.application().get("deployments", {}).get("models", {}).get("replicas", [])
        return sorted(
            (dict(r) for r in members if r.get("state") == "RUNNING"), key=lambda r: str(r["replica_id"])
        )

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        url = self.endpoint + path
        try:
            response = self.session.request(method, url, **{"timeout": 30, **arguments})
        except requests.RequestException as error:
            raise StackError(
                f"Ray API {url}: cannot be reached: {error}. Is the stack up (`make status`)?"
            ) from error
        if response.status_code >= 400:
            hint = " (check the token)" if response.status_code in {401, 403} else ""
            raise StackError(f"Ray API {method} {url}: {response.status_code}{hint}: {response.text[:500]}")
        try:
            content = response.json() if response.content else {}
        except ValueError:
            return {"text": response.text}
        return content if isinstance(content, dict) else {"text": content}


def message_of(line: str) -> tuple[str, dict[str, Any]] | None:
    """("progress" or "error", its content) if a log line carries one, whatever prefix Ray put before it."""
    match = LINE.search(line)
    if not match:
        return None
    try:
        return match.group(1), json.loads(match.group(2))
    except ValueError:
        return None
