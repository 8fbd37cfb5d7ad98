"""Experiment tracking: two doors that ask for a login, what each user may do, and runs that come back."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import testinfra

from components.planning.flows import MLFLOW
from components.planning.inventory import Inventory
from tests.acceptance.http_by_hand import status, tls
from tests.acceptance.waiting import eventually

API = "/api/2.0/mlflow"
SEARCH = f"{API}/experiments/search?max_results=1"
ARTEFACTS = "/api/2.0/mlflow-artifacts/artifacts"
# A request from inside the server's container, which no balancer guards; prints status and body.
INSIDE = f"""
import os, ssl, sys
from http.client import HTTPSConnection
context = ssl.create_default_context(cafile="/etc/aidc/ca.crt")
connection = HTTPSConnection("localhost", {MLFLOW}, timeout=20, context=context)
headers = dict(line.split(": ", 1) for line in os.environ["HEADERS"].splitlines())
connection.request(sys.argv[1], sys.argv[2], os.environ["BODY"] or None, headers)
answer = connection.getresponse()
print(answer.status, answer.read(2000).decode(errors="replace"))
"""


@dataclass
class Client:
    """One user's requests through the load balancer, or straight to the server."""

    endpoint: str
    ca_file: str
    container: str
    user: str
    password: str = field(repr=False)

    @property
    def login(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

    def ask(self, method: str, path: str, **more: Any) -> requests.Response:
        headers = {"Authorization": self.login, **more.pop("headers", {})}
        return requests.request(
            method, self.endpoint + path, headers=headers, verify=self.ca_file, timeout=60, **more
        )

    def call(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer of an API call that must succeed."""
        sent = {"params": body} if method == "GET" else {"json": body}
        answer = self.ask(method, API + path, **sent)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def inside(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, str]:
        """Status and text. The login goes by the environment, and so is no argument."""
        lines = "\n".join(f"{name}: {value}" for name, value in headers.items())
        command = ["docker", "exec", "--env", "HEADERS", "--env", "BODY", self.container]
        found = subprocess.run(
            [*command, "python3", "-c", INSIDE, method, path],
            env={**os.environ, "HEADERS": lines, "BODY": body},
            capture_output=True,
            text=True,
            check=True,
        )
        number, _, text = found.stdout.partition(" ")
        return int(number), text.strip()


@pytest.fixture(scope="module")
def clients(inventory: Inventory, access: dict[str, Any], ca_file: str) -> dict[str, Client]:
    container, endpoint = inventory.by_role("tracking")[0].container, str(inventory.endpoints["tracking"])
    return {
        user: Client(endpoint, ca_file, container, user, password)
        for user, password in access["tracking"].items()
    }


@pytest.fixture(scope="module")
def benchmark(clients: dict[str, Client]) -> Client:
    return clients["benchmark"]


@pytest.fixture(scope="module")
def admin(clients: dict[str, Client]) -> Client:
    return clients["admin"]


@pytest.fixture(scope="module")
def experiment(benchmark: Client) -> Iterator[str]:
    made = benchmark.call("POST", "/experiments/create", {"name": f"acceptance {uuid.uuid4()}"})
    yield made["experiment_id"]
    benchmark.call("POST", "/experiments/delete", {"experiment_id": made["experiment_id"]})


@pytest.fixture(scope="module")
def run(benchmark: Client, experiment: str) -> dict[str, Any]:
    """A run with a parameter, a metric of three steps, a tag, and an artefact of 3 MB."""
    begun = benchmark.call(
        "POST", "/runs/create", {"experiment_id": experiment, "start_time": int(time.time() * 1000)}
    )["run"]["info"]
    run_id = begun["run_id"]
    benchmark.call(
        "POST",
        "/runs/log-batch",
        {
            "run_id": run_id,
            "params": [{"key": "rate", "value": "0.1"}],
            "tags": [{"key": "commit", "value": "abc"}],
            "metrics": [
                {"key": "loss", "value": 1.0 / (1 + step), "timestamp": 1000 + step, "step": step}
                for step in range(3)
            ],
        },
    )
    content = os.urandom(3_000_000)
    path = begun["artifact_uri"].partition("mlflow-artifacts:")[2]
    put = benchmark.ask("PUT", f"{ARTEFACTS}{path}/weights.bin", data=content)
    assert put.status_code == 200, put.text
    return {"id": run_id, "path": f"{path}/weights.bin", "content": content}


@pytest.fixture
def model(benchmark: Client) -> Iterator[str]:
    name = f"acceptance-{uuid.uuid4()}"
    benchmark.call("POST", "/registered-models/create", {"name": name})
    yield name
    assert benchmark.ask("DELETE", f"{API}/registered-models/delete", json={"name": name}).ok


def test_a_run_comes_back_whole(benchmark: Client, run: dict[str, Any]) -> None:
    data = benchmark.call("GET", "/runs/get", {"run_id": run["id"]})["run"]["data"]
    history = benchmark.call("GET", "/metrics/get-history", {"run_id": run["id"], "metric_key": "loss"})
    assert {p["key"]: p["value"] for p in data["params"]} == {"rate": "0.1"}
    assert [m["value"] for m in history["metrics"]] == [1.0, 0.5, 1 / 3]
    assert benchmark.ask("GET", ARTEFACTS + run["path"]).content == run["content"]


def test_the_artefact_lies_in_its_bucket(inventory: Inventory, run: dict[str, Any]) -> None:
    """As the backup's read-only identity sees it."""
    keeper = testinfra.get_host(f"docker://{inventory.by_role('backup')[0].container}")
    asked = (
        "import boto3\n"
        "store = boto3.client('s3', endpoint_url='https://object-store:9000', verify='/etc/aidc/ca.crt',"
        " region_name='us-east-1')\n"
        f"print(store.head_object(Bucket='tracking', Key={run['path'].lstrip('/')!r})['ContentLength'])"
    )
    found = keeper.run("python3 -c %s", asked)
    assert found.stdout.strip() == "3000000", found.stderr


def test_an_empty_artefact_passes(benchmark: Client, run: dict[str, Any]) -> None:
    """Python's clients send it in chunks, without a length."""
    path = ARTEFACTS + run["path"].replace("weights.bin", "empty.txt")
    assert benchmark.ask("PUT", path, data=iter(())).status_code == 200
    assert benchmark.ask("GET", path).content == b""


@pytest.mark.parametrize("headers", [{}, {"Upgrade": "websocket"}], ids=["plain", "with an upgrade"])
def test_chunks_of_unknown_length_are_refused(
    benchmark: Client, run: dict[str, Any], headers: dict[str, str]
) -> None:
    answer = benchmark.ask("PUT", ARTEFACTS + run["path"], data=iter([b"more"]), headers=headers)
    assert answer.status_code == 411


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic " + base64.b64encode(b"admin:password1234").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"admin:").decode()},
        {"Authorization": "Bearer admin"},
    ],
    ids=["none", "empty", "the old default", "no password", "another scheme"],
)
@pytest.mark.parametrize(
    "path", ["/", "/health", "/version", SEARCH, "/api/3.0/mlflow/server-info", "/graphql"]
)
def test_without_the_right_password_nothing_is_served(
    benchmark: Client, path: str, header: dict[str, str]
) -> None:
    answer = requests.get(benchmark.endpoint + path, headers=header, verify=benchmark.ca_file, timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", SEARCH),
        ("GET", "/ajax-api/3.0/jobs/search"),
        ("POST", "/v1/traces"),
        ("PUT", f"{ARTEFACTS}/0/x"),
        ("POST", "/graphql"),
        ("POST", "/api/2.0/mlflow/users/create"),
    ],
)
@pytest.mark.parametrize("login", [None, "admin:password1234"])
def test_the_server_itself_refuses_a_request_without_a_login(
    benchmark: Client, method: str, path: str, login: str | None
) -> None:
    given = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
    number, text = benchmark.inside(method, path, {**given, "Content-Type": "application/json"})
    assert number == 401, text


def test_the_server_itself_takes_the_right_login(benchmark: Client) -> None:
    assert benchmark.inside("GET", SEARCH, {"Authorization": benchmark.login})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5000", "169.254.169.254", "localhost:1"])
def test_a_request_for_another_host_is_refused(benchmark: Client, host: str) -> None:
    assert benchmark.inside("GET", SEARCH, {"Authorization": benchmark.login, "Host": host})[0] == 403
    with tls(benchmark.endpoint, benchmark.ca_file) as connection:
        head = f"GET {SEARCH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {benchmark.login}\r\n\r\n"
        connection.sendall(head.encode())
        assert status(connection.recv(65536)) == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:3000", "null"])
def test_a_page_of_another_origin_is_refused(benchmark: Client, origin: str) -> None:
    body = {"name": f"forged {uuid.uuid4()}"}
    answer = benchmark.ask("POST", f"{API}/experiments/create", json=body, headers={"Origin": origin})
    assert answer.status_code == 403


def test_its_own_page_may_write(benchmark: Client, run: dict[str, Any]) -> None:
    tag = {"run_id": run["id"], "key": "seen", "value": "yes"}
    own = {"Origin": f"https://{urlsplit(benchmark.endpoint).netloc}"}
    assert benchmark.ask("POST", f"{API}/runs/set-tag", json=tag, headers=own).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/users/create", {"username": "other", "password": "a long password 1"}),
        ("PATCH", "/users/update-admin", {"username": "benchmark", "is_admin": True}),
        ("PATCH", "/users/update-password", {"username": "admin", "password": "a long password 1"}),
        ("DELETE", "/users/delete", {"username": "admin"}),
        ("POST", "/experiments/update", {"experiment_id": "0", "new_name": "taken"}),
        ("POST", "/experiments/delete", {"experiment_id": "0"}),
    ],
)
def test_the_benchmark_administers_nothing(
    benchmark: Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    assert benchmark.ask(method, API + path, json=body).status_code == 403


def test_what_others_made_is_hidden_from_the_benchmark(admin: Client, benchmark: Client) -> None:
    made = admin.call("POST", "/experiments/create", {"name": f"private {uuid.uuid4()}"})["experiment_id"]
    try:
        seen = benchmark.ask("GET", f"{API}/experiments/get", params={"experiment_id": made})
        put = benchmark.ask("PUT", f"{ARTEFACTS}/{made}/x/artifacts/forged.txt", data=b"forged")
        assert (seen.status_code, put.status_code) == (403, 403)
    finally:
        admin.call("POST", "/experiments/delete", {"experiment_id": made})


def test_the_benchmark_registers_models_and_moves_aliases(
    benchmark: Client, run: dict[str, Any], model: str
) -> None:
    for _ in range(2):
        made = {"name": model, "source": f"runs:/{run['id']}/weights.bin", "run_id": run["id"]}
        version = benchmark.call("POST", "/model-versions/create", made)["model_version"]["version"]
        moved = {"name": model, "alias": "champion", "version": version}
        benchmark.call("POST", "/registered-models/alias", moved)
    found = benchmark.call("GET", "/registered-models/alias", {"name": model, "alias": "champion"})
    assert found["model_version"]["version"] == "2"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/2.0/mlflow-artifacts/mpu/create/1/x"),
        ("POST", "/ajax-api/2.0/mlflow-artifacts//mpu/create/1/x"),
        ("POST", "/api/2.0/mlflow%2Dartifacts/mpu/create/1/x"),
        ("GET", "/api/2.0/mlflow-artifacts/presigned/1/x"),
        ("POST", "/api/2.0/mlflow/webhooks"),
        ("POST", "/ajax-api/3.0/mlflow/scorer/invoke"),
        ("GET", "/ajax-api/3.0/jobs/search"),
        ("POST", "/gateway/x/mlflow/invocations"),
        ("POST", "/api/2.0/mlflow/gateway-proxy"),
        ("POST", "/ajax-api/3.0/mlflow/assistant/message"),
    ],
)
def test_what_is_not_used_is_closed(admin: Client, method: str, path: str) -> None:
    """Even to the administrator: the load balancer refuses it."""
    answer = admin.ask(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 403
    assert "mlflow" not in answer.text.lower()


@pytest.mark.parametrize("field", ["artifact_location", "artifactLocation"])
@pytest.mark.parametrize(
    "location", ["file:///etc/aidc", "/etc/aidc", "http://object-store:9000/x", "s3://tracking/1", "dbfs:/x"]
)
def test_no_experiment_reads_from_anywhere_else(benchmark: Client, field: str, location: str) -> None:
    """Neither files of the server nor other buckets, nor what others keep in this one."""
    body = {"name": f"elsewhere {uuid.uuid4()}", field: location}
    assert benchmark.ask("POST", f"{API}/experiments/create", json=body).status_code == 400


@pytest.mark.parametrize(
    "source", ["file:///etc/aidc", "/etc/aidc", "http://object-store:9000/x", "s3://tracking/1", "dbfs:/x"]
)
def test_no_version_reads_from_anywhere_else(benchmark: Client, model: str, source: str) -> None:
    made = {"name": model, "source": source}
    assert benchmark.ask("POST", f"{API}/model-versions/create", json=made).status_code == 400


def test_rows_and_artefacts_outlive_a_restart(benchmark: Client, run: dict[str, Any], local: Any) -> None:
    local.check_output("docker restart --time 40 %s", benchmark.container)
    assert eventually(lambda: benchmark.ask("GET", SEARCH).status_code == 200)
    assert benchmark.call("GET", "/runs/get", {"run_id": run["id"]})["run"]["info"]["run_id"] == run["id"]
    assert benchmark.ask("GET", ARTEFACTS + run["path"]).content == run["content"]


def test_the_server_may_change_rows_and_no_tables(benchmark: Client) -> None:
    asked = (
        "from tracker import schemas, settings; import os; os.environ.update(settings.LIBPQ)\n"
        "schemas.connect('tracking', 'app').execute('CREATE TABLE other (id int)')"
    )
    command = ["docker", "exec", "--env", "PYTHONPATH=/usr/local/lib/aidc", benchmark.container]
    found = subprocess.run(
        [*command, "python3", "-B", "-c", asked], capture_output=True, text=True, check=False
    )
    assert "permission denied for schema tracking" in found.stderr


def test_no_secret_is_in_what_the_engine_shows(
    access: dict[str, Any], inventory: Inventory, local: Any
) -> None:
    containers = [s.container for role in ("tracking", "tracking-setup") for s in inventory.by_role(role)]
    shown = json.dumps([local.docker(name).inspect() for name in containers])
    logged = "".join(local.check_output("docker logs %s 2>&1", name) for name in containers)
    top = local.check_output("docker top %s", containers[0])
    assert logged
    for password in access["tracking"].values():
        assert password not in shown + logged + top
