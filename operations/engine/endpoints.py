"""Whether the load balancer's ports reach a server: its own health check says nothing about the backends."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from http import HTTPStatus

from components.runtime import tls
from operations.polling import poll

# The endpoints that answer although no model is served. Inference has no backend until `make bench`.
ALWAYS = ("s3", "ray", "tracking")
# What the load balancer itself answers when no backend does.
OWN_ANSWERS = (502, 503, 504)
TIMEOUT = 5.0


def fault_of(url: str, ca_pem: str, login: str = "") -> str | None:
    """Why no server answers at `url` over verified TLS, or None. The load balancer's own 503 is none.

    `login`: the header Authorization, where the load balancer answers everything else itself.
    """
    context = tls.verifying(ca_pem=ca_pem)
    try:
        status = tls.status(url, context, TIMEOUT, headers={"Authorization": login} if login else None)
    except tls.NO_ANSWER as error:
        return str(error) or type(error).__name__
    if login and status == HTTPStatus.UNAUTHORIZED:
        return "the login is refused"
    if status in OWN_ANSWERS:
        return f"the load balancer finds no healthy server behind it ({status})"
    return None


def wait(
    endpoints: Mapping[str, str | None],
    ca_pem: str,
    timeout: float,
    logins: Mapping[str, str],
    probe: Callable[[str, str, str], str | None] = fault_of,
) -> dict[str, str]:
    """Poll until each of ALWAYS answers; the faults of those that did not within `timeout` seconds.

    `logins`: endpoint → the header Authorization, where one is needed.
    """
    wanted = {name: url for name, url in endpoints.items() if url and name in ALWAYS}

    def faults() -> dict[str, str]:
        return {
            name: fault for name, url in wanted.items() if (fault := probe(url, ca_pem, logins.get(name, "")))
        }

    return poll(faults, timeout, every=0.5, until=operator.not_)
