"""Two ways to run a job: as a Ray job in the stack, or under torchrun on this host.

Both write the same objects to a store, and `collect` reads them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmark.cluster import children
from benchmark.cluster.ray_api import LOST, PATIENCE_S, RayClient, message_of
from benchmark.core import events
from benchmark.core.documents import get_document, get_json, put_json
from benchmark.core.errors import BenchmarkError, StoreError
from benchmark.core.store import Store
from benchmark.training.spec import Spec

TIMEOUT_S = 4 * 3600
SUBMISSIONS = 3
LOG_TAIL = 12
OnMessage = Callable[[str, dict[str, Any]], None]


def in_stack(spec: Spec, ray: RayClient, store: Store, on_message: OnMessage) -> str | None:
    """Run as a Ray job; what went wrong, or None.

    A job that is lost, because its driver's node died or the head forgot it, is submitted again: the new one
    skips the seeds that have a result and resumes from the last checkpoint.
    """
    key, name = f"{spec.prefix}/spec.json", f"{spec.run_id}-{spec.workload.name}"
    put_json(store, key, spec.model_dump(mode="json"))
    listener = _Listener(on_message)
    entrypoint, identifier = f"python3 -m benchmark.training.ray_train {key} {spec.store}", name
    for number in range(1, SUBMISSIONS + 1):
        if number > 1:
            with suppress(BenchmarkError):  # what may be left of it must not train beside its successor
                ray.stop(identifier)
            identifier = f"{name}-{number}"
            stage = f"job lost with its node, submitted again ({number} of {SUBMISSIONS})"
            on_message("progress", {"workload": spec.workload.name, "stage": stage, "submission": number})
        patience = PATIENCE_S if number > 1 else 0
        ray.submit(entrypoint, identifier, patience_s=patience, without=spec.without)
        status = ray.follow(identifier, listener.line, TIMEOUT_S)
        if status == "SUCCEEDED":
            return None
        if status != LOST:
            return listener.explain(f"Ray job {identifier}: {status}")
    return listener.explain(f"Ray job {identifier}: lost like the {SUBMISSIONS - 1} before it")


def on_host(spec: Spec, on_message: OnMessage) -> str | None:
    """Run under torchrun over loopback with the same ranks and threads; what went wrong, or None."""
    listener = _Listener(on_message)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.json")
        path.write_text(spec.model_dump_json())
        torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
        command = [
            *torchrun,
            f"--nproc-per-node={spec.world_size}",
            "-m",
            "benchmark.training.job",
            str(path),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": str(spec.threads), "GLOO_SOCKET_IFNAME": "lo"}
        with children.deferred():
            process = subprocess.Popen(
                command,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                bufsize=1,
                start_new_session=True,  # we pass Ctrl-C on: once, and to all of them
            )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                listener.line(line.rstrip("\n"))
            code = process.wait()
        except BaseException:
            children.end(process)  # torchrun passes it on to its ranks
            raise
    return None if code == 0 else listener.explain(f"torchrun ended with {code}")


class _Listener:
    """Sorts a job's log into messages, the first error and the last plain lines."""

    def __init__(self, on_message: OnMessage) -> None:
        self.on_message = on_message
        self.error: str | None = None
        self.seen: set[str] = set()
        self.tail: list[str] = []

    def line(self, text: str) -> None:
        message = message_of(text)
        if message is None:
            self.tail = [*self.tail[-LOG_TAIL:], text]
            return
        kind, content = message
        key = f"{kind} {content}"
        if key in self.seen:
            return  # Ray may forward a worker's line more than once
        self.seen.add(key)
        if kind == "error" and self.error is None:
            self.error = f"{content.get('type', 'error')}: {content.get('message', '')}"
        self.on_message(kind, content)

    def explain(self, otherwise: str) -> str:
        return self.error or "\n".join([otherwise, *self.tail])


def collect(spec: Spec, store: Store) -> dict[str, Any]:
    """The output of a job in the store, complete or not."""
    output: dict[str, Any] = {"runs": [], "events": [], "problems": []}
    for name in ("manifest", "machine", "probes"):
        try:
            output[name] = get_json(store, f"{spec.prefix}/{name}.json")
        except StoreError:
            output[name] = None
    for seed in spec.workload.seeds:
        try:
            output["runs"].append(get_json(store, f"{spec.prefix}/seed-{seed}.json"))
            log = events.parse(get_document(store, f"{spec.prefix}/seed-{seed}.events.jsonl").decode())
        except (BenchmarkError, ValueError):
            continue  # the job's own error says why it is missing
        output["events"].extend(log)
        output["problems"].extend(f"{spec.workload.name}/seed-{seed}: {p}" for p in events.check(log))
    return output


def copy_data(source: Store, destination: Store, prefix: str) -> None:
    """Copy a prepared data set; the manifest last, as it makes the data set exist."""
    keys = source.list(f"{prefix}/")
    if f"{prefix}/manifest.json" not in keys:
        raise StoreError(
            f"{prefix}/manifest.json: no such object in {source.describe()}; run the benchmark there first"
        )
    for key in sorted(keys, key=lambda k: k.endswith("/manifest.json")):
        destination.put(key, source.get(key))
