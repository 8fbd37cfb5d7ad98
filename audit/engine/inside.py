"""Commands inside running containers, as `docker exec` runs them. Effects: asks the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docker.errors import DockerException


def output(client: Any, container: str, command: Sequence[str]) -> str | None:
    """What `command` prints, run as the container's own user; None when it fails or cannot be started."""
    code, text = run(client, container, command)
    return text if code == 0 else None


def run(client: Any, container: str, command: Sequence[str]) -> tuple[int | None, str]:
    """The exit code, and what was printed until then; None when the command could not be started."""
    try:
        created = client.api.exec_create(container, list(command), stderr=False)
        text: bytes = client.api.exec_start(created["Id"])
        code = client.api.exec_inspect(created["Id"])["ExitCode"]
    except DockerException:
        return None, ""
    return code, text.decode(errors="replace")


def start(client: Any, container: str, command: Sequence[str], user: str) -> bool:
    """Start `command` as another user and leave it; whether it could be started. It has to end by itself."""
    try:
        created = client.api.exec_create(container, list(command), user=user, stdout=False, stderr=False)
        client.api.exec_start(created["Id"], detach=True)
    except DockerException:
        return False
    return True
