"""The front door: it shows the stack behind a login, changes nothing, and says what does not answer."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest
import requests
import testinfra

from components.planning.inventory import Inventory
from operations.polling import poll
from operations.status_document import Status

# A scrape and a reading, each half a minute apart, and what a busy machine adds.
TOLD_WITHIN = 180


@pytest.fixture(scope="module")
def door(inventory: Inventory) -> str:
    return str(inventory.endpoints["home"])


def look(viewer: requests.Session, door: str) -> Status:
    answer = viewer.get(f"{door}/status.json", timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    return Status.model_validate(answer.json())


def test_every_service_of_a_healthy_stack_is_judged(
    viewer: requests.Session, door: str, inventory: Inventory
) -> None:
    wanted = {s.name for s in inventory.services if not s.role.endswith("-setup")} - {"vault"}

    def missing() -> set[str]:
        return wanted - {row.name for row in look(viewer, door).services if row.healthy}

    assert not poll(missing, TOLD_WITHIN, 2.0, until=lambda left: not left)
    page = viewer.get(f"{door}/", timeout=30)
    assert all(name in page.text for name in wanted)
    assert str(inventory.endpoints["tracking"]) in page.text


def test_the_page_may_run_nothing_and_holds_no_secret(
    viewer: requests.Session, door: str, access: dict[str, Any]
) -> None:
    answer = viewer.get(f"{door}/", timeout=30)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    for secret in (access["monitoring"]["viewer"], access["ray_token"], access["s3"]["secret_key"]):
        assert secret not in answer.text + viewer.get(f"{door}/status.json", timeout=30).text


@pytest.mark.parametrize("login", [None, ("viewer", ""), ("viewer", "wrong"), ("home", "wrong")], ids=str)
def test_without_the_password_nothing_is_shown(
    door: str, ca_file: str, login: tuple[str, str] | None
) -> None:
    for path in ("/", "/status.json", "/health", "/x"):
        answer = requests.get(door + path, auth=login, verify=ca_file, timeout=30)
        assert answer.status_code == 401, path
        assert "firewall" not in answer.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_reading_methods_are_let_through(viewer: requests.Session, door: str, method: str) -> None:
    assert viewer.request(method, f"{door}/", timeout=30).status_code == 405


# In the container of the front door: what its own login opens at the load balancer.
ASK = """
import base64, ssl, urllib.error, urllib.request
login = base64.b64encode(b"home:" + open("/etc/aidc/password", "rb").read().strip()).decode()
context = ssl.create_default_context(cafile="/etc/aidc/ca.crt")
for path in ("query?query=up", "series?match[]=up", "status/tsdb"):
    asked = urllib.request.Request("https://load-balancer:7443/prometheus/api/v1/" + path,
                                   headers={"Authorization": "Basic " + login})
    try:
        print(urllib.request.urlopen(asked, timeout=20, context=context).status)
    except urllib.error.HTTPError as error:
        print(error.code)
"""


def test_its_own_login_reads_figures_alone(inventory: Inventory) -> None:
    host = testinfra.get_host(f"docker://{inventory.by_role('home')[0].container}")
    done = host.run("python3 -c %s", ASK)
    assert done.stdout.split() == ["200", "404", "404"], done.stderr


def test_its_own_login_opens_nothing_from_outside(inventory: Inventory, ca_file: str) -> None:
    host = testinfra.get_host(f"docker://{inventory.by_role('home')[0].container}")
    password = host.file("/etc/aidc/password").content_string.strip()
    for endpoint in ("monitoring", "home"):
        url = f"{inventory.endpoints[endpoint]}/status.json"
        assert requests.get(url, auth=("home", password), verify=ca_file, timeout=30).status_code == 401


def test_a_connection_that_says_nothing_does_not_keep_others_waiting(
    viewer: requests.Session, door: str, ca_file: str
) -> None:
    place = door.removeprefix("https://").rpartition(":")
    context = ssl.create_default_context(cafile=ca_file)
    raw = socket.create_connection((place[0], int(place[2])), timeout=30)
    with raw, context.wrap_socket(raw, server_hostname=place[0]):
        assert look(viewer, door).stack
