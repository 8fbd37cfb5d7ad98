"""Whether the server answers over verified TLS; the figures of the container are left for the metrics."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
from http.client import HTTPException, HTTPSConnection

from .settings import FILES, PORT

TIMEOUT = 3.0


def fault() -> str:
    """Why it does not; empty when it does."""
    context = ssl.create_default_context(cafile=str(FILES / "ca.crt"))
    connection = HTTPSConnection("localhost", PORT, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/health")
        answer = connection.getresponse()
        if answer.status != 200:
            return f"HTTP {answer.status}"
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    # It is not waited for: an alert says when the figures are old.
    with contextlib.suppress(OSError):
        subprocess.Popen(
            ["readings", "home", "home", "findings"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    return ""
