"""`make notebook` on the live stack: closed before, used over its websocket, saved, and closed again."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from benchmark.jobs.notebook import welcome
from components.planning.inventory import Inventory
from components.planning.notebook import USER
from components.planning.tracking import authorization
from operations.polling import poll
from tests.acceptance.commands import aidc, jobs
from tests.acceptance.http_by_hand import PATIENCE, tls
from tests.acceptance.websocket_by_hand import Websocket

# In Pulumi.test.yaml.
PORT = 18888
SAVED_S = 60
# After the cells of the welcome, so that it starts no run of its own.
CODE = """
import boto3, mlflow
s3 = boto3.client("s3")
s3.put_object(Bucket="results", Key="probe/notebook.txt", Body=b"from a kernel")
print(s3.get_object(Bucket="results", Key="probe/notebook.txt")["Body"].read().decode())
mlflow.log_metric("probe", 0.5)
print("metric", mlflow.get_run(mlflow.active_run().info.run_id).data.metrics["probe"])
print(6 * 7)
"""


WELCOME = [cell["source"] for cell in json.loads(welcome.text())["cells"] if cell["cell_type"] == "code"]


def port_answers(inventory: Inventory) -> bool:
    """Whether anything listens at the notebook's port of the test stack."""
    host = urlsplit(str(inventory.endpoints["s3"])).hostname
    with socket.socket() as probe:
        return probe.connect_ex((host, PORT)) == 0


def nodes(inventory: Inventory) -> list[str]:
    names = [node.container for node in inventory.by_role("compute")]
    command = ["docker", "inspect", "--format", "{{.Id}} {{.State.StartedAt}}", *names]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


@pytest.fixture(scope="module")
def started(inventory: Inventory) -> Iterator[dict[str, Any]]:
    """The notebook, begun by the one command, and how all was before."""
    before = {"open": port_answers(inventory), "nodes": nodes(inventory)}
    done = aidc("notebook", "--cpus", "0.5")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield {**before, "url": done.stdout.split("/lab ")[0].split()[-1]}
    finally:
        closed = aidc("notebook", "--off")
        assert closed.returncode == 0, closed.stdout + closed.stderr


@pytest.fixture(scope="module")
def login(access: dict[str, Any]) -> str:
    return authorization(USER, access["notebook"][USER])


@pytest.fixture(scope="module")
def lab(started: dict[str, Any], login: str, ca_file: str) -> requests.Session:
    """A session as a browser has one: logged in, with Jupyter's cookie against requests of other pages."""
    session = requests.Session()
    session.verify, session.trust_env, session.headers["Authorization"] = ca_file, False, login
    assert session.get(f"{started['url']}/lab", timeout=PATIENCE).status_code == 200
    session.headers["X-XSRFToken"] = session.cookies["_xsrf"]
    return session


def channel(url: str, ca_file: str, path: str, headers: dict[str, str]) -> Websocket:
    wire = tls(url, ca_file)
    wire.settimeout(120)
    return Websocket(wire, urlsplit(url).netloc, path, headers)


def test_it_is_off_until_somebody_asks_and_no_node_is_replaced(
    started: dict[str, Any], inventory: Inventory
) -> None:
    assert not started["open"]
    assert nodes(inventory) == started["nodes"]
    assert started["url"] == f"https://{urlsplit(str(inventory.endpoints['s3'])).hostname}:{PORT}"


def test_only_the_login_opens_it(
    started: dict[str, Any], login: str, access: dict[str, Any], ca_file: str
) -> None:
    others = [None, authorization(USER, "x"), f"token {access['notebook'][USER]}", "Bearer " + login]
    others += [authorization("viewer", access["monitoring"]["viewer"])]
    for header in others:
        given = {"Authorization": header} if header else {}
        answer = requests.get(f"{started['url']}/api/status", headers=given, verify=ca_file, timeout=PATIENCE)
        assert answer.status_code == 401


@pytest.fixture(scope="module")
def kernel(started: dict[str, Any], lab: requests.Session) -> str:
    """The path of a kernel's channels."""
    made = lab.post(f"{started['url']}/api/kernels", json={}, timeout=PATIENCE)
    assert made.status_code == 201
    return f"/api/kernels/{made.json()['id']}/channels"


def test_a_page_of_another_origin_gets_no_kernel(
    started: dict[str, Any], kernel: str, login: str, ca_file: str
) -> None:
    with pytest.raises(AssertionError, match=r"^HTTP/1[.]1 403 "):
        channel(started["url"], ca_file, kernel, {"Authorization": login, "Origin": "https://other.example"})


def test_a_request_without_the_cookie_s_token_changes_nothing(
    started: dict[str, Any], login: str, ca_file: str
) -> None:
    answer = requests.post(
        f"{started['url']}/api/kernels",
        json={},
        headers={"Authorization": login},
        verify=ca_file,
        timeout=PATIENCE,
    )
    assert answer.status_code == 403


def test_a_kernel_computes_reads_data_and_records(
    started: dict[str, Any], kernel: str, login: str, ca_file: str
) -> None:
    opened = channel(started["url"], ca_file, kernel, {"Authorization": login, "Origin": started["url"]})
    content = {
        "code": "\n".join([*WELCOME, CODE]), "silent": False, "store_history": False, "user_expressions": {},
        "allow_stdin": False, "stop_on_error": True,
    }  # fmt: skip
    identifier = uuid.uuid4().hex
    header = {
        "msg_id": identifier, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex,
        "version": "5.3", "date": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    opened.send(
        {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    )
    said, deadline = "", time.monotonic() + 120
    while time.monotonic() < deadline:
        message = opened.receive()
        if message["parent_header"].get("msg_id") != identifier:
            continue
        said += message["content"].get("text", "")
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            break
    shapes, accuracy, *others = said.splitlines()
    assert shapes == "{'pictures': (1797, 64), 'digits': (1797,)}"
    found = re.fullmatch(r"([0-9.]+)% of 300 pictures .*", accuracy)
    assert found
    assert float(found[1]) > 90
    assert others == ["from a kernel", "metric 0.5", "42"]


def test_a_terminal_has_the_python_of_the_jobs(
    started: dict[str, Any], lab: requests.Session, login: str, ca_file: str
) -> None:
    made = lab.post(f"{started['url']}/api/terminals", json={}, timeout=PATIENCE)
    assert made.status_code == 200
    path = f"/terminals/websocket/{made.json()['name']}"
    opened = channel(started["url"], ca_file, path, {"Authorization": login, "Origin": started["url"]})
    program = "import torch; print('six times', torch.tensor(6) * 7)"
    opened.send(["stdin", f'python -c "{program}"; ls; echo end of $0\r'])
    said, deadline = "", time.monotonic() + 120
    # The line that is typed comes back, too; it does not hold the answers.
    while "end of /bin/bash" not in said and time.monotonic() < deadline:
        kind, *text = opened.receive()
        said += text[0] if kind == "stdout" else ""
    assert "six times tensor(42)" in said
    assert welcome.NAME in said


def test_what_is_saved_outlasts_the_notebook(started: dict[str, Any], lab: requests.Session, s3: Any) -> None:
    name = f"note-{uuid.uuid4().hex}.txt"
    body = {"type": "file", "format": "text", "content": "kept"}
    stored = f"notebook/{name}"
    made = lab.put(f"{started['url']}/api/contents/{name}", json=body, timeout=PATIENCE)
    assert made.status_code == 201

    def listing() -> list[str]:
        found = s3.list_objects_v2(Bucket="results", Prefix=stored).get("Contents", [])
        return [entry["Key"] for entry in found]

    assert poll(listing, SAVED_S, every=0.5, until=bool) == [stored]
    assert s3.get_object(Bucket="results", Key=stored)["Body"].read() == b"kept"
    assert aidc("notebook", "--stop").returncode == 0
    again = aidc("notebook", "--cpus", "0.5")
    assert again.returncode == 0, again.stdout + again.stderr
    answer = lab.get(f"{started['url']}/api/contents/{name}", timeout=PATIENCE)
    assert answer.json()["content"] == "kept"
    gone = lab.delete(f"{started['url']}/api/contents/{name}", timeout=PATIENCE)
    assert gone.status_code == 204
    assert poll(listing, SAVED_S, every=0.5, until=lambda found: not found) == []


def test_started_twice_it_is_shown_again(started: dict[str, Any]) -> None:
    again = aidc("notebook")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    running = [row for row in jobs().values() if row["name"] == "notebook" and row["state"] == "running"]
    assert len(running) == 1


def test_the_login_is_in_no_process_and_in_no_metadata(
    started: dict[str, Any], access: dict[str, Any], inventory: Inventory
) -> None:
    secret = access["notebook"][USER]
    script = (
        "import glob,sys\nwanted=sys.stdin.read().encode()\n"
        "read=lambda p: open(p,'rb').read()\n"
        "found=[]\n"
        "for p in glob.glob('/proc/[0-9]*/cmdline')+glob.glob('/proc/[0-9]*/environ'):\n"
        "    try:\n        found.append(wanted in read(p))\n    except OSError:\n        pass\n"
        "print(len(found) > 10, any(found))"
    )
    for node in inventory.by_role("compute"):
        command = ["docker", "exec", "--interactive", node.container, "python3", "-c", script]
        done = subprocess.run(command, input=secret, check=True, capture_output=True, text=True)
        assert done.stdout.split() == ["True", "False"]
    assert secret not in json.dumps(jobs())


def test_off_closes_the_way(started: dict[str, Any], inventory: Inventory) -> None:
    done = aidc("notebook", "--off")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not port_answers(inventory)
