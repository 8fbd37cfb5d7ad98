"""How a rotation runs commands in containers that may be restarting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from operations.errors import OperationError
from operations.rotation.subject import Subject


@pytest.mark.parametrize("error", [APIError("is not running"), OperationError("does not say")])
def test_a_container_that_cannot_be_asked_is_a_failed_command(error: Exception) -> None:
    def run(*_arguments: Any) -> tuple[int, str]:
        raise error

    nothing: Any = None
    engine: Any = SimpleNamespace(run=run)
    assert Subject(nothing, engine, "", nothing).run("c", ["true"]) == (1, str(error))
