"""Figures that a health check leaves for the metrics, without waiting for them."""

from __future__ import annotations

import contextlib
import subprocess


def leave(service: str, command: str) -> None:
    """Have `backup COMMAND` written where the metrics read it.

    That they cannot be left is no fault of the service: an alert says that they are old.
    """
    with contextlib.suppress(OSError):
        subprocess.Popen(
            ["readings", service, "backup", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
