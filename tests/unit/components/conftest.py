"""Tools that `make setup` builds, for tests that compare our verdict with theirs."""

import os
import shutil
from pathlib import Path

import pytest


def tool(name: str) -> str:
    """The path of a built tool. Only where nothing is set up, as on a pull request, may a test be skipped."""
    cache = os.environ.get("AIDC_CACHE")
    found = shutil.which(
        name, path=f"{Path(cache or '/nonexistent') / 'bin'}{os.pathsep}{os.environ['PATH']}"
    )
    if found is None:
        assert cache is None, f"{name} is not in {cache}/bin: run `make setup`"
        pytest.skip(f"{name} is not built: make setup")
    return found


@pytest.fixture(scope="session")
def supercronic() -> str:
    return tool("supercronic")


@pytest.fixture(scope="session")
def pulumi() -> str:
    return tool("pulumi")
