"""Ready: `pulumi up` returns when every container is healthy, or fails early with the reason.

On an unhealthy or exited container the provider waits for its whole time-out; this resource fails as soon as
nothing can mend it any more, with the name and the last log lines. A job that failed in an earlier run is
started again, as nothing else would do that. It checks new containers only; `make status` checks at any time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.runtime.health import INTERRUPT_FILE, WAITING_FILE, failed_before, wait

LOG_LINES = 15
# When this process began: the provider's comes before the containers of its run.
BEGAN = datetime.now(UTC)


class _ReadyProvider(ResourceProvider):
    """Waits on create and on update; reads and deletes nothing."""

    # Nothing secret is captured, and a plain value keeps the state readable.
    serialize_as_secret_always = False

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        end_with_engine()
        return CheckResult(news, [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        _wait_or_raise(props)
        return CreateResult("ready", {"names": props["names"], "identifiers": props["identifiers"]})

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _wait_or_raise(news)
        return UpdateResult({"names": news["names"], "identifiers": news["identifiers"]})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=olds.get("identifiers") != news.get("identifiers"))


def _wait_or_raise(props: Mapping[str, Any]) -> None:
    import docker as engine  # noqa: PLC0415  (the provider's process needs it, the program's does not)

    client = engine.from_env()
    for name in props["names"]:
        if failed_before(client.api.inspect_container(name), BEGAN):
            client.containers.get(name).start()
    file = os.environ.get(INTERRUPT_FILE)
    problems = wait(
        props["names"],
        float(props["timeout"]),
        client.api.inspect_container,
        interrupted=lambda: file is not None and os.path.exists(file),
        tell=_tell,
    )
    if problems:
        parts = []
        for name, fault in problems.items():
            log = client.containers.get(name).logs(tail=LOG_LINES).decode(errors="replace").rstrip()
            indented = "\n".join(f"    {line}" for line in log.splitlines()) or "    (no output)"
            parts.append(f"{name}: {fault}; its last log lines:\n{indented}")
        raise RuntimeError("\n".join(parts))


def _tell(text: str) -> None:
    """A line for whoever runs Pulumi, which shows nothing of an operation before its end."""
    # A word on the way is not worth a failed run.
    with suppress(KeyError, OSError), open(os.environ[WAITING_FILE], "a", encoding="utf-8") as file:
        file.write(f"{text}\n")


@cache
def end_with_engine() -> None:
    """End this provider's process when Pulumi has ended: when killed, Pulumi would leave it running."""
    try:
        born_of = _ancestors()
    except OSError:  # no /proc here
        return

    def watch() -> None:
        # A parent that has ended has no entry in /proc any more.
        with suppress(OSError):
            while _ancestors() == born_of:
                time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _ancestors() -> tuple[int, int]:
    """Parent and grandparent: Pulumi starts a provider through a shell, which also outlives it."""
    parent = os.getppid()
    after_name = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    return parent, int(after_name.split()[1])


class Ready(Resource, module="readiness", name="Ready"):
    """Depends on `containers` and waits up to `timeout` seconds until each is healthy, a job finished."""

    def __init__(
        self,
        name: str,
        containers: Sequence[docker.Container],
        *,
        timeout: int = 120,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "names": [c.name for c in containers],
            # A replaced container has a new identifier: only then is there anything to wait for.
            "identifiers": [c.id for c in containers],
            "timeout": timeout,
        }
        super().__init__(_ReadyProvider(), name, props, opts)
