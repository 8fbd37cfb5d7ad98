"""What services do when their databases are those of an earlier time. Effects on the engine."""

from __future__ import annotations

from docker.errors import DockerException

from components.planning.plan import Plan
from operations.engine.client import Engine
from operations.errors import OperationError

WITHIN = 300  # seconds


def renew(engine: Engine, plan: Plan) -> None:
    """Bring tracking's tables and users to what is declared: passwords may have been rotated since.

    Raises OperationError.
    """
    for service in plan.by_role("tracking-setup"):
        try:
            job = engine.client.containers.get(service.container)
            job.start()
            code = job.wait(timeout=WITHIN)["StatusCode"]
        except (DockerException, OSError) as error:
            raise OperationError(f"{service.container}: {error}") from None
        if code != 0:
            raise OperationError(
                f"{service.container} failed on the restored databases with exit code {code}; "
                f"fix: `docker logs {service.container}`"
            )
