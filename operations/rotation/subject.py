"""What a rotation works on: a running stack, with its current and its previous values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from docker.errors import DockerException

from components.load_balancer import endpoints
from components.planning import secrets
from components.planning.plan import Plan
from components.planning.rotation import Generations
from operations.engine.client import Engine
from operations.errors import OperationError


@dataclass(frozen=True)
class Session:
    """Temporary credentials that the object store gives to an identity for its key."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)


@dataclass(frozen=True)
class Subject:
    """`ca_file` holds the trusted certificates, `derived` a session made with each previous S3 key."""

    plan: Plan
    engine: Engine
    seed: str = field(repr=False)
    generations: Generations
    ca_file: str = ""
    derived: Mapping[str, Session] = field(default_factory=dict)

    def value(self, name: str) -> str:
        return secrets.password(self.seed, name, self.generations.of(name))

    def old(self, name: str) -> str:
        return secrets.password(self.seed, name, self.generations.before(name))

    def endpoint(self, name: str) -> str:
        return str(endpoints(self.plan)[name])

    def container(self, service: str) -> str:
        return self.plan.service(service).container

    def run(
        self, container: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """Exit code and output of a command; 1 where the container cannot be asked, as while it restarts."""
        try:
            return self.engine.run(container, command, environment)
        except (DockerException, OperationError) as error:
            return 1, str(error)
