"""Logs: a line of a real service is found, a secret is not, nobody forges one, who reads adds nothing."""

from __future__ import annotations

import json
import socket
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
import testinfra

from components.planning.flows import COLLECTOR
from components.planning.inventory import Inventory
from operations.polling import poll
from tests.acceptance.commands import aidc
from tests.acceptance.conftest import STACK

# The collector stores within a second or two, VictoriaLogs shows it soon after; a busy machine needs more.
FOUND_WITHIN = 90
SECRET = "Tr0ub4dor-and-3"


@pytest.fixture(scope="module")
def page(inventory: Inventory) -> str:
    return str(inventory.endpoints["logs"])


@pytest.fixture(scope="module")
def reader(access: dict[str, Any], ca_file: str) -> requests.Session:
    session = requests.Session()
    session.auth, session.verify = ("reader", access["logs"]["reader"]), ca_file
    session.trust_env = False
    return session


def find(reader: requests.Session, page: str, query: str) -> list[dict[str, str]]:
    form = {"query": f"_time:1h {query}", "limit": "20"}
    answer = reader.post(f"{page}/select/logsql/query", data=form, timeout=30)
    assert answer.status_code == 200, answer.text[:300]
    return [json.loads(row) for row in answer.text.splitlines()]


def say(host: testinfra.host.Host, service: str, text: str) -> None:
    """As the service's first process says it: into its own output."""
    container = f"aidc-{STACK}-{service}"
    assert (
        host.run('docker exec -i %s sh -c \'printf "%%s\\n" "$1" >/proc/1/fd/1\' sh %s', container, text).rc
        == 0
    )


@pytest.fixture
def host() -> testinfra.host.Host:
    return testinfra.get_host("local://")


def test_line_is_found_with_its_service_and_its_secret_is_not(
    host: testinfra.host.Host, reader: requests.Session, page: str
) -> None:
    mark = uuid.uuid4().hex
    say(host, "tracking", f'{mark} level=warning service="database" password={SECRET} end')
    found = poll(lambda: find(reader, page, mark), FOUND_WITHIN)
    assert [row["service"] for row in found] == ["tracking"]
    assert found[0]["role"] == "tracking"
    assert found[0]["container"] == f"aidc-{STACK}-tracking"
    assert found[0]["level"] == "warning"
    assert found[0]["_msg"].endswith("password=[redacted] end")
    assert find(reader, page, f'"{SECRET}"') == []
    # The engine keeps the newest lines beside: `make logs` reads them.
    assert mark in host.check_output("docker logs --tail 50 aidc-%s-tracking 2>&1", STACK)


def test_every_service_that_speaks_is_there(
    host: testinfra.host.Host, reader: requests.Session, page: str, inventory: Inventory
) -> None:
    quiet = {
        "firewall",
        "home",
    }  # the firewall's lines stay with the engine; the front door says nothing when all is well
    mark = uuid.uuid4().hex
    expected = {s.name for s in inventory.services if not s.role.endswith("-setup")} - quiet
    for service in expected:
        say(host, service, mark)
    found = poll(
        lambda: {row["service"] for row in find(reader, page, f"{mark} | limit 100")},
        FOUND_WITHIN,
        until=lambda seen: seen >= expected,
    )
    assert found >= expected


def test_service_beside_the_logs_cannot_forge_a_line(
    host: testinfra.host.Host, reader: requests.Session, page: str, inventory: Inventory
) -> None:
    mark = uuid.uuid4().hex
    address = next(s for s in inventory.services if s.name == "logs").addresses["monitor"]
    # Of this moment: a line is stored under the time in its header, and looked for in the last hour.
    head = f"<30>1 {datetime.now(UTC).isoformat(timespec='microseconds')} host database 1 database - "
    send = (
        "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
        f" s.sendto(sys.argv[1].encode(), ('{address}', {COLLECTOR}))"
    )
    # From the same segment, and from the container of the logs itself, which no firewall is before.
    for service in ("home", "logs"):
        forged = f"{head}{mark} from {service}"
        host.check_output("docker exec aidc-%s-%s python3 -c %s %s", STACK, service, send, forged)
    # From this host, as the engine's own lines come, such a datagram is taken: only the sender was wrong.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as engine:
        engine.sendto(f"{head}{mark} from the host".encode(), (address, COLLECTOR))

    def both(rows: list[dict[str, str]]) -> bool:
        return {row["service"] for row in rows} >= {"database", "tracking"}

    # What comes after them is there: so what was sent before has been judged.
    say(host, "tracking", f"{mark} after them")
    found = poll(lambda: find(reader, page, mark), FOUND_WITHIN, until=both)
    assert {(row["service"], row["_msg"]) for row in found} == {
        ("database", f"{mark} from the host"),
        ("tracking", f"{mark} after them"),
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/insert/jsonline?_stream_fields=service"),
        ("POST", "/insert/loki/api/v1/push"),
        ("GET", "/insert/jsonline"),
        ("POST", "/select/vmui/"),
        ("GET", "/select/vmui/../../metrics"),
        ("GET", "/delete/run_task?filter=*"),
        ("GET", "/internal/force_merge"),
        ("GET", "/internal/select/query"),
        ("GET", "/internal/partition/list"),
        ("GET", "/select/logsql%2fquery?query=*"),
        ("GET", "/metrics"),
        ("GET", "/flags"),
        ("GET", "/debug/pprof/cmdline"),
        ("DELETE", "/select/logsql/query"),
    ],
)
def test_who_reads_adds_and_deletes_nothing(
    reader: requests.Session, page: str, method: str, path: str
) -> None:
    request = requests.Request(method, page, auth=reader.auth).prepare()
    request.url = page + path  # as it is written: dots and encoded letters stay
    answer = reader.send(request, verify=reader.verify, timeout=30, allow_redirects=False)
    assert answer.status_code in (404, 405)


def test_nobody_reads_without_the_password(page: str, ca_file: str) -> None:
    for login in (None, ("reader", "wrong"), ("viewer", "wrong")):
        answer = requests.get(f"{page}/select/vmui/", auth=login, verify=ca_file, timeout=30)
        assert answer.status_code == 401


def test_storage_is_bounded(host: testinfra.host.Host) -> None:
    said = host.check_output("docker top aidc-%s-logs -o pid,args", STACK)
    assert "-retention.maxDiskSpaceUsageBytes=" in said
    assert "-retentionPeriod=" in said


def test_the_command_searches_one_service_and_names_what_is_no_query(host: testinfra.host.Host) -> None:
    mark = uuid.uuid4().hex
    say(host, "tracking", f"{mark} from tracking")
    say(host, "database", f"{mark} from database")

    def searched() -> list[str]:
        return aidc("logs", "--find", mark).stdout.splitlines()

    lines = poll(searched, FOUND_WITHIN, until=lambda found: len(found) == 2)
    assert [line.split()[1] for line in lines] == ["tracking", "database"]
    alone = aidc("logs", "--find", f"{mark} or nothing", "--service", "database")
    assert alone.returncode == 0
    assert alone.stdout.split()[1:] == ["database", mark, "from", "database"]
    nothing = aidc("logs", "--find", uuid.uuid4().hex, "--since", "5m")
    assert (nothing.returncode, nothing.stdout) == (
        1,
        "nothing within 5m; SINCE=7d looks further back; what jobs print is in `make logs JOB=…`\n",
    )
    wrong = aidc("logs", "--find", "((")
    assert wrong.returncode == 2
    assert "FIND" in wrong.stderr
    assert "Traceback" not in wrong.stderr
