"""Services by their short names."""

from __future__ import annotations

from typing import Any

import pytest

from components.runtime.labels import KIND
from operations.engine.choice import chosen
from operations.engine.client import EngineResource
from operations.errors import RefusedError


class Fake:
    def __init__(self, *names: str) -> None:
        self.names = names

    def containers(self, stack: str) -> list[EngineResource]:
        found = [
            EngineResource("container", f"aidc-{stack}-{n}", n, {KIND: "service"}, True) for n in self.names
        ]
        return [*found, EngineResource("container", f"aidc-{stack}-seed", "seed", {KIND: "seed"})]


ENGINE: Any = Fake("tracking", "load-balancer")


@pytest.mark.parametrize("name", ["tracking", "aidc-dev-tracking"])
def test_a_service_is_found_by_its_short_and_its_long_name(name: str) -> None:
    assert chosen(ENGINE, "dev", name).name == "aidc-dev-tracking"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trakcing", "did you mean 'tracking'"),
        ("xyz", "one of load-balancer, tracking"),
        (None, "no service"),
        ("seed", "one of"),
    ],
)
def test_any_other_name_is_refused_with_what_there_is(name: str | None, words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        chosen(ENGINE, "dev", name)


def test_a_stack_that_is_not_up_is_told_so() -> None:
    nothing: Any = Fake()
    with pytest.raises(RefusedError, match="is not up"):
        chosen(nothing, "dev", "tracking")
