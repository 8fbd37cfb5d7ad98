"""The live stack under test: `make test` brings it up, runs these tests, and destroys it.

Everything is read from the exported inventory, so that the tests know only what users know. To run them on a
stack that is up: `eval "$(make -s env)"`, then `pytest tests/acceptance`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import testinfra
from botocore.config import Config

from benchmark.cluster import stack as stacks
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.stack import Stack
from components.planning.inventory import Inventory, ServiceEntry, load
from tests.acceptance.s3_requests import Store
from tests.acceptance.waiting import settle

ROOT = Path(__file__).parents[2]
STACK = os.environ.get("STACK", "test")
OUT = ROOT / "out" / STACK


@cache
def output(name: str) -> Any:
    """A stack output, secrets in plain."""
    command = ["pulumi", "stack", "output", name, "--json", "--show-secrets", "--stack", STACK]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        pytest.exit(f"stack {STACK!r} is not up: {found.stderr.strip()}; fix: make up STACK={STACK}", 2)
    return json.loads(found.stdout)


def stack_inventory() -> Inventory:
    return load(output("inventory"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`service` stands for each running service, `endpoint` for each published one."""
    if "service" in metafunc.fixturenames:
        services = [s for s in stack_inventory().services if not s.role.endswith("-setup")]
        metafunc.parametrize("service", services, ids=lambda s: s.name)
    if "endpoint" in metafunc.fixturenames:
        urls = {name: url for name, url in stack_inventory().endpoints.items() if url}
        metafunc.parametrize("endpoint", urls.values(), ids=urls.keys())


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    return stack_inventory()


@pytest.fixture(scope="module", autouse=True)
def settled(inventory: Inventory) -> None:
    """Each module begins with a healthy stack, whichever was before it and whatever that did."""
    settle(inventory)


# Not for the session: a rotation gives new ones.
@pytest.fixture(scope="module")
def access() -> dict[str, Any]:
    """CA certificate, Ray token and S3 keys of the outside user."""
    return dict(output("access"))


@pytest.fixture(scope="module")
def ca_file(access: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    return written_ca(access, tmp_path_factory)


def written_ca(access: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with the stack's authority."""
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    path.write_text(access["ca_pem"])
    return str(path)


@pytest.fixture(scope="module")
def viewer(access: dict[str, Any], ca_file: str) -> requests.Session:
    """Logged in as who looks at the metrics and at the front door."""
    session = requests.Session()
    session.auth, session.verify = ("viewer", access["monitoring"]["viewer"]), ca_file
    session.trust_env = False
    return session


@pytest.fixture
def inside(service: ServiceEntry) -> Any:
    """testinfra's view from inside the container of `service`."""
    return testinfra.get_host(f"docker://{service.container}")


@pytest.fixture(scope="session")
def local() -> Any:
    """testinfra's view of this machine."""
    return testinfra.get_host("local://")


@pytest.fixture(scope="module")
def s3(inventory: Inventory, access: dict[str, Any], ca_file: str) -> Any:
    """S3 as the outside user `client`, through the load balancer."""
    return s3_client(inventory, access["s3"]["access_key"], access["s3"]["secret_key"], ca_file)


@pytest.fixture(scope="module")
def store(inventory: Inventory, access: dict[str, Any], ca_file: str) -> Store:
    """The same user's requests by hand."""
    keys, endpoint = access["s3"], inventory.endpoints["s3"]
    assert endpoint is not None
    return Store(endpoint, ca_file, keys["access_key"], keys["secret_key"])


def s3_client(inventory: Inventory, access_key: str, secret_key: str, ca_file: str, attempts: int = 2) -> Any:
    settings = Config(
        s3={"addressing_style": "path"},
        proxies={},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": attempts},
    )
    return boto3.client(
        "s3",
        endpoint_url=inventory.endpoints["s3"],
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        verify=ca_file,
        config=settings,
    )


def benchmark(command: str, *arguments: str) -> int:
    """`python -m benchmark COMMAND` on the stack under test. Its progress goes straight to the terminal."""
    options = [command, "--stack", STACK, "--out", str(OUT), *arguments]
    return subprocess.run([sys.executable, "-m", "benchmark", *options], cwd=ROOT, check=False).returncode


@pytest.fixture(scope="module")
def stack() -> Stack:
    """The stack as the benchmark sees it."""
    return stacks.read(STACK)


@pytest.fixture(scope="module")
def client(stack: Stack) -> MlflowClient:
    """MLflow, as the benchmark's own user."""
    found = stack.tracking()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def result() -> dict[str, Any]:
    """`result.json` of a smoke run."""
    (OUT / "result.json").unlink(missing_ok=True)
    code = benchmark("run", "--tier", "smoke")
    assert (OUT / "result.json").exists(), (
        f"exit code {code}, and no complete run; `make runs` says where it is"
    )
    return dict(json.loads((OUT / "result.json").read_text()))
