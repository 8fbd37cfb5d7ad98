"""The front door: it shows the stack behind a login, changes nothing, and says what does not answer."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import testinfra

from components.planning.inventory import Inventory
from operations.engine.client import connect
from operations.front import handed
from operations.front.told import Told
from operations.overview import telling
from operations.polling import poll
from operations.status_document import LastAudit, Status
from tests.acceptance.commands import aidc

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


# What a page must not be able to do, in each way that it could try.
HOSTILE = """<script>document.title = "ran"</script><img src=x onerror="document.title = 'ran'">
<meta http-equiv="refresh" content="0; url=https://example.org/"><form action="https://example.org/"></form>
<iframe src="/status.json"></iframe><base href="https://example.org/">
<link rel=stylesheet href="https://example.org/x">"""


@pytest.fixture
def told(inventory: Inventory) -> Iterator[str]:
    """What a report and an audit hold that were handed over; those of the clone come with its next status."""
    container = inventory.by_role("home")[0].container
    for name, begins in handed.TITLES.items():
        title = begins.format(stack=inventory.stack).removesuffix("</title>")
        text = f"<!doctype html>\n<title>{title}</title>\n{HOSTILE}\n</html>\n"
        header, page = handed.of_page(name, text, datetime.now(UTC).isoformat())
        said: list[str] = []
        assert connect().converse(container, ["home", "take"], header.line() + page, said.append) == 0, said
    yield HOSTILE
    testinfra.get_host(f"docker://{container}").run("rm -f /told/report.html /told/audit.html")


def test_a_report_that_was_handed_over_is_shown_and_can_do_nothing(
    viewer: requests.Session, door: str, told: str
) -> None:
    for name in handed.PAGES:
        answer = viewer.get(f"{door}/{name}", timeout=30)
        assert (answer.status_code, told in answer.text) == (200, True), answer.text[:300]
        rules = {
            rule.split()[0]: rule.split()[1:] for rule in answer.headers["Content-Security-Policy"].split(";")
        }
        assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
        assert rules["sandbox"] == []
        assert "script-src" not in rules
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        head = viewer.head(f"{door}/{name}", timeout=30)
        assert int(head.headers["Content-Length"]) == len(answer.content)

    def linked() -> bool:
        page = viewer.get(f"{door}/", timeout=30).text
        return all(f'href="{name}"' in page for name in handed.PAGES)

    assert poll(linked, 60, 1.0, until=bool)


def test_a_report_is_not_shown_without_the_password(door: str, ca_file: str, told: str) -> None:
    for name in handed.PAGES:
        answer = requests.get(f"{door}/{name}", verify=ca_file, timeout=30)
        assert (answer.status_code, "<title>" in answer.text) == (401, False)


def test_what_was_not_handed_over_does_not_exist(viewer: requests.Session, door: str) -> None:
    for path in ("/told.json", "/.lock", "/comparison.html", "/result.json"):
        assert viewer.get(door + path, timeout=30).status_code == 404, path


def test_an_audit_that_failed_raises_an_alert_until_one_passes(
    viewer: requests.Session, door: str, inventory: Inventory
) -> None:
    def tell(result: Any) -> None:
        audit = LastAudit(result=result, at=datetime.now(UTC).isoformat(), text="by a test", failed=[])
        assert telling.tell(connect(), inventory.stack, Told(last_audit=audit))

    def fires() -> bool:
        found = look(viewer, door)
        return "AuditFailed" in {alert.name for alert in found.alerts or () if alert.state == "firing"}

    tell("failed")
    try:
        assert poll(fires, TOLD_WITHIN, 2.0, until=bool)
    finally:
        tell("passed")
    assert not poll(fires, TOLD_WITHIN, 2.0, until=lambda firing: not firing)


def test_the_number_of_jobs_comes_from_ray_itself(viewer: requests.Session, door: str) -> None:
    def counted() -> bool:
        return " s ago." in viewer.get(f"{door}/", timeout=30).text.partition('id="jobs"')[2][:400]

    assert poll(counted, TOLD_WITHIN, 2.0, until=bool)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[str]:
    """A job that runs until the test has ended."""
    script, name = tmp_path / "sleep.py", f"sleeper-{int(time.time())}"
    script.write_text("import time; print('begun', flush=True); time.sleep(3600)")
    try:
        done = aidc("submit", str(script), "--cpus", "0.1", "--detach", "--name", name)
        assert done.returncode == 0, done.stderr
        yield name
    finally:
        assert aidc("stop", name).returncode == 0


def test_a_job_that_runs_is_counted(viewer: requests.Session, door: str, sleeper: str) -> None:
    """By the page alone: what the workstation told names the job, and does not count."""

    def counted() -> int:
        text = viewer.get(f"{door}/", timeout=30).text
        found = re.search(r"(\d+) jobs? (?:runs? )?now[^.]*, as Ray counted \d+ s ago\.", text)
        return int(found[1]) if found else 0

    assert poll(counted, TOLD_WITHIN, 1.0, until=bool)


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
