"""A job that Ray has already, as somebody else was faster, is refused in words; other faults stay."""

from __future__ import annotations

from typing import Any, cast

import pytest

from benchmark.cluster.ray_api import RayClient
from benchmark.core.errors import StackError
from operations.errors import RefusedError
from operations.jobs import session
from operations.jobs.capacity import Need
from operations.jobs.package import Package
from operations.jobs.request import Request
from operations.jobs.session import Session


class Ray:
    """Takes no job, and says why."""

    def __init__(self, why: str) -> None:
        self.why = why

    def upload(self, name: str, content: bytes) -> None:
        pass

    def jobs(self) -> list[dict[str, Any]]:
        return []

    def submit_body(self, body: dict[str, Any]) -> str:
        raise StackError(self.why)


@pytest.mark.parametrize(
    ("why", "kind", "said"),
    [
        ("500: Job with submission_id demo already exists", RefusedError, "at the same moment"),
        ("503: no", StackError, "503"),
    ],
)
def test_a_job_of_the_same_moment_is_refused(why: str, kind: type[Exception], said: str) -> None:
    opened = Session(cast("RayClient", Ray(why)), {}, {}, lambda: pytest.fail("the store is not asked"))
    wanted = Request("demo", 1, Need(1), ())
    with pytest.raises(kind, match=said):
        session.start(opened, wanted, Package("train.py", "p.zip", b""))
