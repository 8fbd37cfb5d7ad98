"""images/object-store/identities: who is removed, and that no id is an argument of a program."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "images" / "object-store" / "identities"
URL = "https://store:9000"
# The client answers from files, and both tools write down their arguments and what comes by standard input.
CLIENT = """
echo "minio-client $*" >>"$WORK/arguments"
case "$*" in
*"user ls"*) cat "$WORK/users" ;;
*--svcacc-only*) cat "$WORK/services" ;;
*--temp-only*) cat "$WORK/sessions" ;;
*) cat >>"$WORK/given" ;;
esac
"""
CURL = """
echo "curl $*" >>"$WORK/arguments"
cat >>"$WORK/given"
exit "$(cat "$WORK/code")"
"""


def line(**values: object) -> str:
    return json.dumps(values, separators=(",", ":")) + "\n"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A store that knows the declared users and nobody else."""
    files = tmp_path / "etc"
    (files / "certs" / "CAs").mkdir(parents=True)
    for name, content in {"root-user": "ROOTID", "root-password": "ROOTKEY", "certs/CAs/ca.crt": ""}.items():
        (files / name).write_text(content)
    for user in ("client", "compute"):
        (files / "users" / user).mkdir(parents=True)
        (files / "users" / user / "id").write_text(f"ID{user}")
        (files / "users" / user / "key").write_text(f"KEY{user}")
    known = [line(accessKey=f"ID{user}", policyName=user) for user in ("client", "compute")]
    (tmp_path / "users").write_text("".join(known))
    for name in ("services", "sessions", "arguments", "given"):
        (tmp_path / name).write_text("")
    (tmp_path / "code").write_text("0")
    for name, lines in {"minio-client": CLIENT, "curl": CURL}.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{lines}")
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def run(work: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(action: str, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{work}:{os.environ['PATH']}",
            "WORK": str(work),
            "AIDC_FILES": str(work / "etc"),
            **variables,
        }
        command = [str(SCRIPT), action, URL, *more]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def asked(work: Path) -> list[str]:
    """The requests that were made of the store's own interface, without its address."""
    urls = [text.partition('"')[2].rstrip('"') for text in given(work) if text.startswith("url = ")]
    return [url.removeprefix(f"{URL}/minio/admin/v3/") for url in urls]


def given(work: Path) -> list[str]:
    return (work / "given").read_text().splitlines()


def test_nobody_is_removed_who_is_declared(work: Path, run: Callable[..., object]) -> None:
    run("sweep", str(work / "etc" / "users"))
    assert asked(work) == []


def test_users_that_are_not_declared_are_removed(work: Path, run: Callable[..., object]) -> None:
    with (work / "users").open("a") as file:
        file.write(line(accessKey="client", policyName="client") + line(accessKey="IDclien"))
    run("sweep", str(work / "etc" / "users"))
    assert asked(work) == ["remove-user?accessKey=client", "remove-user?accessKey=IDclien"]


def test_without_a_list_no_user_is_removed(work: Path, run: Callable[..., object]) -> None:
    (work / "users").write_text(line(accessKey="client"))
    run("sweep")
    assert asked(work) == []


def test_service_accounts_and_sessions_of_all_are_removed(work: Path, run: Callable[..., object]) -> None:
    accounts = [{"accessKey": "SVC1", "parentUser": ""}, {"accessKey": "SVC2"}]
    (work / "services").write_text(line(user="IDclient", stsKeys=None, svcaccs=accounts))
    (work / "sessions").write_text(line(user="ROOTID", stsKeys=[{"accessKey": "STS1"}], svcaccs=None))
    run("sweep")
    assert asked(work) == [
        "delete-service-account?accessKey=SVC1",
        "delete-service-account?accessKey=SVC2",
        "revoke-tokens/builtin?fullRevoke=true&user=ROOTID",
    ]


def test_a_removal_that_is_refused_fails(
    work: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (work / "users").write_text(line(accessKey="client"))
    (work / "code").write_text("22")
    assert run("sweep", str(work / "etc" / "users")).returncode != 0


def test_each_user_gets_its_key_and_the_policy_of_its_name(work: Path, run: Callable[..., object]) -> None:
    run("make", str(work / "etc" / "users"))
    assert sorted(asked(work)) == [
        f"set-user-or-group-policy?isGroup=false&policyName={user}&userOrGroup=ID{user}"
        for user in ("client", "compute")
    ]
    assert {"IDclient", "KEYclient", "IDcompute", "KEYcompute"} <= set(given(work))


def test_a_user_that_cannot_be_made_fails(
    work: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (work / "code").write_text("22")
    assert run("make", str(work / "etc" / "users")).returncode != 0


def test_the_list_has_a_line_for_each(
    work: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (work / "services").write_text(line(user="IDclient", svcaccs=[{"accessKey": "SVC1"}]))
    (work / "sessions").write_text(line(user="ROOTID", stsKeys=[{"accessKey": "STS1"}]))
    assert run("list").stdout.splitlines() == [
        "user IDclient client",
        "user IDcompute compute",
        "service SVC1",
        "session ROOTID",
    ]


def test_a_store_that_does_not_answer_gives_no_list(
    work: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    (work / "minio-client").write_text("#!/bin/bash\nexit 1\n")
    assert run("list").returncode != 0


@pytest.mark.parametrize(
    ("action", "more"),
    [("sweep", ["users"]), ("make", ["users"]), ("list", []), ("session", []), ("try", [])],
)
def test_no_id_and_no_key_is_an_argument(
    action: str, more: list[str], work: Path, run: Callable[..., object]
) -> None:
    (work / "services").write_text(line(user="IDclient", svcaccs=[{"accessKey": "IDservice"}]))
    (work / "sessions").write_text(line(user="ROOTID", stsKeys=[{"accessKey": "IDsession"}]))
    with (work / "users").open("a") as file:
        file.write(line(accessKey="IDforeign"))
    folder = [str(work / "etc" / part) for part in more]
    run(action, *folder, ID="IDown", KEY="KEYown", BUCKET="datasets", TOKEN="TOKENown")
    arguments = (work / "arguments").read_text()
    assert arguments
    # Folders that mktemp makes have any letters in their names.
    words = re.sub(r"tmp\.\w{10}", "", arguments)
    assert not [word for word in ("ID", "KEY", "TOKEN") if word in words]


def test_a_session_comes_as_three_lines(
    work: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    answer = "<AccessKeyId>A</AccessKeyId><SecretAccessKey>B</SecretAccessKey><SessionToken>C</SessionToken>"
    (work / "curl").write_text(f"#!/bin/bash\necho '<x>{answer}</x>'\n")
    assert run("session", ID="i", KEY="k").stdout.split() == ["A", "B", "C"]
