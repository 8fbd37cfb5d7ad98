"""Commands inside running containers, as `docker exec` runs them. Effects: asks the engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from docker.errors import DockerException

# The engine may record an exit code a moment after the output has ended.
LATE_S = 2.0


def output(client: Any, container: str, command: Sequence[str]) -> str | None:
    """What `command` prints, run as the container's own user; None when it fails or cannot be started."""
    code, text = run(client, container, command)
    return text if code == 0 else None


def run(client: Any, container: str, command: Sequence[str]) -> tuple[int | None, str]:
    """The exit code, and what was printed until then; None when the command could not be started."""
    try:
        created = client.api.exec_create(container, list(command), stderr=False)
        text: bytes = client.api.exec_start(created["Id"])
        code = _exit_code(client, created["Id"])
    except DockerException:
        return None, ""
    return code, text.decode(errors="replace")


def _exit_code(client: Any, command: str) -> int | None:
    """None when the engine has recorded none after LATE_S."""
    end = time.monotonic() + LATE_S
    while True:
        code: int | None = client.api.exec_inspect(command)["ExitCode"]
        if code is not None or time.monotonic() > end:
            return code
        time.sleep(0.05)


def start(client: Any, container: str, command: Sequence[str], user: str) -> bool:
    """Start `command` as another user and leave it; whether it could be started. It has to end by itself."""
    try:
        created = client.api.exec_create(container, list(command), user=user, stdout=False, stderr=False)
        client.api.exec_start(created["Id"], detach=True)
    except DockerException:
        return False
    return True
