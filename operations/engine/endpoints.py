"""Whether the load balancer's ports lead somewhere: its own health says nothing about what is behind it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

# What answers without a model being served. Inference does not: until `make bench` nothing is behind it.
ALWAYS = ("s3", "ray")
NOBODY = (502, 503, 504)
TIMEOUT = 5.0


def fault_of(url: str, ca_pem: str) -> str | None:
    """Why nobody answers at `url` over verified TLS, or None. The load balancer's own 503 is no answer."""
    place = urlsplit(url)
    context = ssl.create_default_context(cadata=ca_pem)
    connection = HTTPSConnection(place.hostname or "", place.port, timeout=TIMEOUT, context=context)
    try:
        connection.request("GET", "/")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
    return f"the load balancer finds no healthy server behind it ({status})" if status in NOBODY else None


def wait(
    endpoints: Mapping[str, str | None],
    ca_pem: str,
    timeout: float,
    probe: Callable[[str, str], str | None] = fault_of,
) -> dict[str, str]:
    """Poll until each of ALWAYS answers; what does not within `timeout` seconds comes back with its fault."""
    deadline = time.monotonic() + timeout
    while True:
        wanted = {name: url for name, url in endpoints.items() if url and name in ALWAYS}
        faults = {name: fault for name, url in wanted.items() if (fault := probe(url, ca_pem))}
        if not faults or time.monotonic() > deadline:
            return faults
        time.sleep(0.5)
