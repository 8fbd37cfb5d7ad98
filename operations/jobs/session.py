"""Ray's API of a running stack, for jobs: look at the cluster, find, submit and stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmark.cluster import stack as running
from benchmark.cluster.ray_api import JOB_VARIABLES, RayClient
from benchmark.core.errors import BenchmarkError, ConfigError, StackError, UnknownJobError
from benchmark.core.store import S3Store
from operations.errors import OperationError, RefusedError
from operations.jobs import capacity, request, runs
from operations.jobs.package import Package
from operations.jobs.request import Request
from operations.output import ago

ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


@contextmanager
def reporting() -> Iterator[None]:
    """Errors of the stack's clients as errors of a command."""
    try:
        yield
    except ConfigError as error:
        raise RefusedError(str(error)) from None
    except BenchmarkError as error:
        raise OperationError(str(error)) from None


@dataclass(frozen=True)
class Session:
    """Ray's API; names of the compute nodes by address; what every job is told; the object store."""

    ray: RayClient
    names: Mapping[str, str]
    variables: Mapping[str, str]
    store: Callable[[], S3Store]

    def nodes(self) -> list[capacity.Node]:
        """The compute nodes, with what is taken of them now."""
        state = self.ray.state
        return capacity.nodes(state("nodes"), state("actors"), state("placement_groups"), self.names)


def connect(stack: str) -> Session:
    """Raises OperationError when the stack is not up."""
    with reporting():
        found = running.read(stack)
        services = [s for s in found.inventory.get("services", []) if s["role"] == "compute"]
        names = {address: s["name"] for s in services for address in s["addresses"].values()}
        allowed = [b for b in found.inventory.get("buckets", []) if "compute" in (*b["read"], *b["write"])]
        variables = {
            "AIDC_BUCKETS": ",".join(bucket["name"] for bucket in allowed),
            # For people: the nodes reach the server by another name.
            "AIDC_TRACKING_URL": found.inventory.get("endpoints", {}).get("tracking") or "",
            # MLflow's own line would show that other name.
            "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        }
        return Session(found.ray(), names, variables, found.store)


def find(ray: RayClient, wanted: str) -> Mapping[str, Any]:
    """The job of this run, name or id, as `runs.meant` has it. Raises RefusedError."""
    return runs.meant(wanted, ray.jobs())


def start(session: Session, wanted: Request, package: Package) -> str:
    """Ray's id of the new job. Raises RefusedError where another one of its name was faster."""
    ray = session.ray
    ray.upload(package.name, package.content)
    taken = {str(job.get("submission_id")) for job in ray.jobs()}
    variables = {**JOB_VARIABLES, **session.variables}
    body = request.body(wanted, package.script, package.name, variables)
    identifier = request.identifier(wanted.name, taken)
    try:
        return ray.submit_body({"submission_id": identifier, **body})
    except StackError as error:
        if "already exists" not in str(error):
            raise
        # Somebody else submitted one since the list was read.
        raise RefusedError(
            f"NAME: job {identifier} of this name was submitted at the same moment, and both would write the "
            f"same checkpoints\n    fix: give another name, or `make stop JOB={identifier}`"
        ) from None


def stop(ray: RayClient, identifier: str, within: float = 30.0) -> str:
    """The job's status once it has ended, or its last one."""
    ray.stop(identifier)
    deadline = time.monotonic() + within
    while True:
        try:
            status = str(ray.status(identifier)["status"])
        except UnknownJobError:
            return "STOPPED"
        if status in ENDED or time.monotonic() > deadline:
            return status
        time.sleep(0.5)


def age(job: Mapping[str, Any]) -> str:
    """Since it was submitted."""
    moment = request.submitted(job)
    return ago(moment) if moment else ""
