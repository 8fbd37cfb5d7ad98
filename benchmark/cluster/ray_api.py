"""A small client of Ray's REST API: submit jobs, follow their logs, deploy an application."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

import requests

from benchmark.core import placement
from benchmark.core.errors import StackError, UnknownJobError
from benchmark.serving.settings import Arguments

ENDED = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
LINE = re.compile(r"@(progress|error) (\{.*\})\s*$")
POLL_S = 1.0
JOB_VARIABLES = {"RAY_DEDUP_LOGS": "0"}
# How long the API may be unavailable before a job is given up: a killed head returns within a minute or two.
PATIENCE_S = 240.0
TRIES = 3
UPLOAD_S = 300.0
LOG_RATE = 2e6  # characters per second that following a log may transfer
# A job that ended without a report of its driver: the driver's node is gone, or the head's memory of it.
LOST = "LOST"
LOST_BY = frozenset({f"JOB_SUPERVISOR_ACTOR_{w}" for w in ("DIED", "UNKNOWN_FAILURE", "START_FAILURE")})


class _OverdueError(Exception):
    """A job that has not ended in time."""


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

    def submit(
        self,
        entrypoint: str,
        submission_id: str,
        variables: Mapping[str, str] | None = None,
        patience_s: float = 0,
        without: Collection[str] = (),
    ) -> str:
        """The identifier of the job, whose driver runs on none of the nodes `without`.

        Retries for `patience_s` seconds while the API does not answer.
        """
        return self.submit_body(
            {
                "entrypoint": entrypoint,
                "submission_id": submission_id,
                "entrypoint_num_cpus": 0.1,  # keeps the driver off the head node, which offers none
                "runtime_env": {"env_vars": {**JOB_VARIABLES, **(variables or {})}},
                **({"entrypoint_label_selector": placement.selector(without)} if without else {}),
            },
            patience_s,
        )

    def submit_body(self, body: Mapping[str, Any], patience_s: float = 0) -> str:
        """The same for a whole request; it has to ask for some resource, or its driver runs on the head."""
        submission_id = str(body["submission_id"])
        deadline = time.monotonic() + patience_s
        while True:
            try:
                return str(self._call("POST", "/api/jobs/", json=dict(body))["submission_id"])
            except StackError as error:
                if time.monotonic() >= deadline:
                    raise
                if "already exists" in str(error):  # an earlier attempt arrived, but its answer was lost
                    return submission_id
            time.sleep(POLL_S)

    def status(self, identifier: str) -> dict[str, Any]:
        return self._call("GET", f"/api/jobs/{identifier}")

    def jobs(self) -> list[dict[str, Any]]:
        """All that Ray knows of, in its own order: submitted ones, and drivers that came by other ways."""
        return self._list("/api/jobs/")

    def state(self, kind: str, most: int = 10000, **equal: str) -> list[dict[str, Any]]:
        """Rows of Ray's state API with all columns: `nodes`, `actors`, `placement_groups`, `tasks`.

        `equal`: columns that have these values.
        """
        parameters = {
            "detail": "true",
            "limit": str(most),
            "filter_keys": list(equal),
            "filter_predicates": ["="] * len(equal),
            "filter_values": list(equal.values()),
        }
        found = self._call("GET", f"/api/v0/{kind}", params=parameters)
        rows: list[dict[str, Any]] = found["data"]["result"]["result"]
        return rows

    def upload(self, name: str, content: bytes) -> None:
        """A package that a job's `working_dir` names as gcs://NAME; one that is there is kept."""
        path = f"/api/packages/gcs/{name}"
        try:
            self._send("GET", path)
        except StackError as error:
            if ": 404" not in str(error):
                raise
            self._send("PUT", path, data=content, timeout=UPLOAD_S)

    def logs(self, identifier: str) -> str:
        text: str = self._call("GET", f"/api/jobs/{identifier}/logs").get("logs") or ""
        return text

    def stop(self, identifier: str) -> None:
        self._call("POST", f"/api/jobs/{identifier}/stop")

    def follow(
        self,
        identifier: str,
        on_line: Callable[[str], None],
        timeout_s: float = math.inf,
        *,
        keep: bool = False,
        on_state: Callable[[Mapping[str, Any]], None] = lambda state: None,
    ) -> str:
        """Hand every new log line to `on_line` until the job ends; its final status, or LOST.

        An interruption and a time-out stop the job first, unless it is to be kept. Failed polls are tolerated
        for a while, because the head node may be restarting. `on_state` gets each answer about the job.
        """
        lines = LogLines()
        unknown, silent, asked = 0, 0, -math.inf
        answered = time.monotonic()
        deadline = answered + timeout_s
        try:
            while True:
                state: dict[str, Any] | None = None
                try:
                    state = self.status(identifier)
                    answered, unknown = time.monotonic(), 0
                    on_state(state)
                except UnknownJobError:
                    # Only after several: a head that has just started may not have read its jobs yet.
                    answered, unknown = time.monotonic(), unknown + 1
                    if unknown > TRIES:
                        return LOST
                except StackError:
                    if time.monotonic() - answered > PATIENCE_S:
                        raise
                ended = state is not None and state["status"] in ENDED
                text = None
                if state and (ended or time.monotonic() - asked >= lines.rest_s):
                    text, asked = self._log_or_none(identifier), time.monotonic()
                    silent = silent + 1 if text is None else 0
                for line in lines.new(text or "", ended):
                    on_line(line)
                if state is not None and ended and (text is not None or silent > TRIES):
                    return final(state)
                if time.monotonic() > deadline:
                    raise _OverdueError
                time.sleep(POLL_S)
        except _OverdueError:
            what = f"job {identifier}: has not ended after {timeout_s:.0f} s"
            raise StackError(f"{what}; {self._end_of(identifier, keep)}") from None
        except (KeyboardInterrupt, StackError):
            if not keep:
                with suppress(StackError):  # the first problem is the one to report
                    self.stop(identifier)
            raise

    def _end_of(self, identifier: str, keep: bool) -> str:
        """Stops an overdue job, unless it is to be kept; what became of it."""
        if keep:
            return "it goes on"
        try:
            self.stop(identifier)
        except StackError as error:
            return f"it could not be stopped: {error}; fix: make stop JOB={identifier}"
        return "it was stopped"

    def _log_or_none(self, identifier: str) -> str | None:
        """The log, or None: the node that keeps it may be unavailable while the head answers."""
        try:
            return self.logs(identifier)
        except StackError:
            return None

    def deploy(self, arguments: Mapping[str, Any], timeout_s: float = 180) -> dict[str, Any]:
        """Deploy `benchmark.serving.app` and wait until it runs; its status.

        The models go as `user_config`, the limits as `autoscaling_config`: when nothing else changes, every
        replica loads the new models beside the old ones and then switches, and replicas are added or removed.
        With changed `args` Ray would rebuild the application, leaving the proxies without a replica.
        """
        settings = {k: v for k, v in arguments.items() if k not in ("models", "min_replicas", "max_replicas")}
        autoscaling = Arguments.model_validate(arguments).autoscaling()
        body = {
            "proxy_location": "EveryNode",
            "http_options": {"host": "0.0.0.0", "port": 8000},
            "applications": [
                {
                    "name": "models",
                    "route_prefix": "/",
                    "import_path": "benchmark.serving.app:build",
                    "args": settings,
                    "deployments": [
                        {
                            "name": "models",
                            "user_config": arguments["models"],
                            "autoscaling_config": autoscaling,
                        }
                    ],
                }
            ],
        }
        # The first deployment starts Serve itself, which is slow on a busy machine.
        self._call("PUT", "/api/serve/applications/", json=body, timeout=timeout_s)
        deadline = time.monotonic() + timeout_s
        time.sleep(POLL_S)  # right after a redeployment the old state is still shown
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
        application = self._call("GET", "/api/serve/applications/").get("applications", {}).get("models")
        return dict(application or {})

    def replicas(self) -> list[dict[str, Any]]:
        """The replicas that run: `replica_id`, `node_ip`, `pid` in their container, `start_time_s`, …"""
        members = self.application().get("deployments", {}).get("models", {}).get("replicas", [])
        return sorted(
            (dict(r) for r in members if r.get("state") == "RUNNING"), key=lambda r: str(r["replica_id"])
        )

    def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._send(method, path, **arguments)
        try:
            content = response.json() if response.content else {}
        except ValueError:
            return {"text": response.text}
        return content if isinstance(content, dict) else {"text": content}

    def _list(self, path: str) -> list[dict[str, Any]]:
        try:
            content = self._send("GET", path).json()
        except ValueError as error:
            raise StackError(f"Ray API {self.endpoint}{path}: the answer is not JSON: {error}") from error
        return [row for row in content if isinstance(row, dict)] if isinstance(content, list) else []

    def _send(self, method: str, path: str, **arguments: Any) -> requests.Response:
        url = self.endpoint + path
        try:
            response = self.session.request(method, url, **{"timeout": 30, **arguments})
        except requests.RequestException as error:
            raise StackError(
                f"Ray API {url}: cannot be reached: {error}. Is the stack up (`make status`)?"
            ) from error
        if response.status_code == 404 and path.startswith("/api/jobs/"):
            raise UnknownJobError(f"Ray API {method} {url}: 404: {response.text[:500]}")
        if response.status_code >= 400:
            hint = " (check the token)" if response.status_code in {401, 403} else ""
            said = response.text[:500]
            if response.status_code == 503 and said.lstrip().startswith("<"):  # the load balancer's own page
                said = "Ray's head does not answer. Does it start just now (`make status`)?"
            raise StackError(f"Ray API {method} {url}: {response.status_code}{hint}: {said}")
        return response


class LogLines:
    """The new lines of a log that is fetched as a whole each time, because Ray's API offers no parts."""

    def __init__(self) -> None:
        self.seen = 0  # characters

    @property
    def rest_s(self) -> float:
        """Pause before the next fetch: following a log costs the same traffic however long it is."""
        return self.seen / LOG_RATE

    def new(self, text: str, ended: bool = False) -> list[str]:
        """Complete lines that were not there before; the last one too, once the job has ended.

        Only a line feed ends a line. Text that a carriage return has overwritten is dropped.
        """
        if len(text) < self.seen:  # of another attempt, or it could not be fetched
            return []
        end = len(text) if ended else text.rfind("\n") + 1
        part, self.seen = text[self.seen : end], max(end, self.seen)
        return (
            [line.rstrip("\r").rpartition("\r")[2] for line in part.removesuffix("\n").split("\n")]
            if part
            else []
        )


def final(state: Mapping[str, Any]) -> str:
    """The status of an ended job; LOST if it failed without its driver's exit."""
    lost = state["status"] == "FAILED" and state.get("driver_exit_code") is None
    return LOST if lost and state.get("error_type") in LOST_BY else str(state["status"])


def message_of(line: str) -> tuple[str, dict[str, Any]] | None:
    """("progress" or "error", its content) if a log line carries one, whatever Ray has put before it."""
    match = LINE.search(line)
    if not match:
        return None
    try:
        return match.group(1), json.loads(match.group(2))
    except (ValueError, RecursionError):
        return None
