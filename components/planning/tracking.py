"""Who logs in to experiment tracking, and under which names it is reached. Pure."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from components.planning.flows import TRACKING

if TYPE_CHECKING:
    from components.planning.plan import Plan

ADMIN, BENCHMARK, JOBS = "admin", "benchmark", "jobs"
# The operator, who may do everything; the benchmark, and the jobs on the compute nodes: each sees and changes
# what it made itself.
USERS = (ADMIN, BENCHMARK, JOBS)


def secret_of(user: str) -> str:
    """The name of a user's password among the stack's secrets."""
    return f"tracking/{user}"


def authorization(user: str, password: str) -> str:
    """The value of the header Authorization with which `user` logs in."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def authorization_digest(user: str, password: str) -> str:
    """A line with the SHA-256 of that header: by it a service knows the login, and not the password."""
    return hashlib.sha256(authorization(user, password).encode()).hexdigest() + "\n"


def balancer_names(plan: Plan) -> tuple[str, ...]:
    """The names in the load balancer's certificate: clients that verify it use no others."""
    names = ("localhost", "127.0.0.1", str(plan.config.load_balancer.bind), "load-balancer")
    return tuple(dict.fromkeys(names))


def hosts(plan: Plan) -> tuple[str, ...]:
    """What the header Host may say: each name with the published port, and with that in the container."""
    ports = dict.fromkeys((plan.config.load_balancer.ports.tracking, TRACKING))
    return tuple(f"{name}:{port}" for port in ports for name in balancer_names(plan))
