"""A fake tracking server and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmark.cluster.mlflow_api import MlflowClient
from tests.unit.benchmark.fake_mlflow import FakeMlflow, running


@pytest.fixture
def server() -> FakeMlflow:
    return FakeMlflow()


@pytest.fixture
def client(server: FakeMlflow) -> Iterator[MlflowClient]:
    with running(server) as found:
        yield found
