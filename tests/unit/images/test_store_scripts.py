"""images/object-store/buckets: what is refused, changed and removed, against a made-up store."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.planning.bucket_documents import documents, listing
from components.planning.buckets import Declared, ObjectLock

SCRIPTS = Path(__file__).parents[3] / "images" / "object-store"
URL = "https://store:9000"
# Answers `URL` from the file of that name, 404 without one, and writes down arguments and requests.
CURL = r"""
echo "$*" >>"$WORK/arguments"
echo begun >>"$WORK/running"
config=$(cat)
mapfile -t urls < <(sed -n 's/^url = "\(.*\)"$/\1/p' <<<"$config")
mapfile -t outputs < <(sed -n 's/^output = "\(.*\)"$/\1/p' <<<"$config")
method=GET code=
while (($#)); do
  case $1 in
  --request) method=$2 ;;
  --output) outputs=("$2") ;;
  --write-out) code=$2 ;;
  esac
  shift
done
for index in "${!urls[@]}"; do
  url=${urls[index]} output=${outputs[index]:-/dev/stdout}
  [[ $method == GET ]] || echo "$method ${url#https://store:9000}" >>"$WORK/changes"
  answer="$WORK/answers/$(tr '/?&=' '____' <<<"$method${url#https://store:9000}")"
  if [[ -e $answer ]]; then status=200; cat "$answer" >"$output"; else status=404; : >"$output"; fi
  [[ -e $answer.status ]] && status=$(cat "$answer.status")
  [[ $code ]] && printf "${code/'%{http_code}'/%s}" "$status"
done
echo ended >>"$WORK/running"
exit 0
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    files = tmp_path / "etc"
    (files / "certs" / "CAs").mkdir(parents=True)
    for name, content in {"root-user": "ROOTID", "root-password": "ROOTKEY", "certs/CAs/ca.crt": ""}.items():
        (files / name).write_text(content)
    (tmp_path / "answers").mkdir()
    (tmp_path / "changes").write_text("")
    (tmp_path / "curl").write_text(f"#!/bin/bash\n{CURL}")
    (tmp_path / "curl").chmod(0o755)
    return tmp_path


@pytest.fixture
def run(work: Path) -> Run:
    def run(action: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PATH": f"{work}:{os.environ['PATH']}", "WORK": str(work), "AIDC_FILES": str(work / "etc"),
        }  # fmt: skip
        command = [str(SCRIPTS / "buckets"), action, URL, str(work / "bucket")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def declare(
    work: Path, name: str = "raw", *, versioning: bool = False, lock: ObjectLock | None = None
) -> None:
    """One bucket."""
    folder = work / "bucket" / name
    folder.mkdir(parents=True)
    bucket = Declared(name=name, quota=2**30, versioning=versioning, object_lock=lock)
    for file, text in documents(bucket).items():
        (folder / file).write_text(text)


def has(work: Path, *names: str, **answers: str) -> None:
    """The store has buckets `names`; `answers` are those of GETs of `raw`, by the query."""
    listed = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    (work / "answers" / "GET_").write_text(f"<Owner><DisplayName>minio</DisplayName></Owner>{listed}")
    for query, text in answers.items():
        (work / "answers" / f"GET_raw_{query}_").write_text(text)


def changes(work: Path) -> list[str]:
    return (work / "changes").read_text().splitlines()


LOCK = ObjectLock(mode="compliance", days=7)
LOCKED = documents(Declared(name="raw", quota=1, versioning=True, object_lock=LOCK))["lock.xml"]
ENABLED = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def test_the_buckets_are_those_of_the_list(work: Path, run: Run) -> None:
    has(work, "raw", "a.b")
    assert run("names").stdout.split() == ["raw", "a.b"]


def test_a_lock_on_a_bucket_that_exists_is_refused_and_nothing_changes(work: Path, run: Run) -> None:
    declare(work, versioning=True, lock=LOCK)
    has(work, "raw")
    found = run("check")
    assert (found.returncode, changes(work)) == (1, [])
    assert "only a new bucket can be given one" in found.stdout


def test_a_bucket_with_a_lock_keeps_versions(work: Path, run: Run) -> None:
    declare(work)
    has(work, "raw", **{"object-lock": LOCKED})
    found = run("check")
    assert (found.returncode, "fix: add versioning: true" in found.stdout) == (1, True)


@pytest.mark.parametrize("exists", [True, False])
def test_what_can_be_made_is_not_refused(exists: bool, work: Path, run: Run) -> None:
    declare(work, versioning=True, lock=LOCK)
    has(work, *(["raw"] if exists else []), **({"object-lock": LOCKED} if exists else {}))
    assert run("check").returncode == 0


def test_a_store_that_does_not_tell_of_locks_is_not_changed(work: Path, run: Run) -> None:
    declare(work, versioning=True)
    has(work, "raw")
    (work / "answers" / "GET_raw_object-lock_.status").write_text("503")
    assert run("check").returncode == 1


def test_a_new_bucket_with_a_lock_is_made_with_it(work: Path, run: Run) -> None:
    declare(work, versioning=True, lock=LOCK)
    has(work)
    run("make")
    assert "PUT /raw" in changes(work)
    assert "x-amz-bucket-object-lock-enabled: true" in (work / "arguments").read_text()


def test_a_bucket_that_never_had_versions_is_not_suspended(work: Path, run: Run) -> None:
    declare(work)
    has(work, "raw", versioning="<VersioningConfiguration/>")
    run("make")
    assert "PUT /raw?versioning=" not in changes(work)


def test_versions_are_suspended_and_stay(work: Path, run: Run) -> None:
    declare(work)
    has(work, "raw", versioning=ENABLED)
    assert "the versions that exist stay" in run("make").stdout
    assert "PUT /raw?versioning=" in changes(work)


def test_a_weaker_lock_is_said_to_be_for_new_versions(work: Path, run: Run) -> None:
    declare(work, versioning=True, lock=LOCK.model_copy(update={"days": 1}))
    has(work, "raw", versioning=ENABLED, **{"object-lock": LOCKED})
    assert "retention of new versions is now COMPLIANCE 1" in run("make").stdout
    assert "PUT /raw?object-lock=" in changes(work)


def test_a_bucket_as_declared_is_let_be(work: Path, run: Run) -> None:
    declare(work, versioning=True, lock=LOCK)
    has(work, "raw", versioning=ENABLED, **{"object-lock": LOCKED})
    assert run("make").stdout == ""
    assert not {"PUT /raw", "PUT /raw?versioning=", "PUT /raw?object-lock="} & set(changes(work))


@pytest.mark.parametrize(
    ("status", "said"), [("204", "removed"), ("409", "not empty: it stays"), ("500", "cannot be removed")]
)
def test_what_is_not_declared_is_removed_if_the_store_finds_it_empty(
    status: str, said: str, work: Path, run: Run
) -> None:
    declare(work)
    has(work, "raw", "old")
    (work / "answers" / "DELETE_old.status").write_text(status)
    assert said in run("sweep").stdout
    assert changes(work) == ["DELETE /old"]


@pytest.mark.parametrize("action", ["names", "show", "check", "make", "sweep"])
def test_no_id_and_no_key_is_an_argument(action: str, work: Path, run: Run) -> None:
    declare(work, versioning=True)
    has(work, "raw", "old")
    run(action)
    arguments = (work / "arguments").read_text()
    assert arguments
    assert "ROOT" not in arguments


def test_what_one_bucket_is_told_is_not_mixed_up_with_another_of_a_longer_name(work: Path, run: Run) -> None:
    has(work, "raw", "raw.quota", quota="{}", versioning=ENABLED)
    lines = [line.split("\t")[:3] for line in run("show").stdout.splitlines()]
    settings = ["versioning", "object_lock", "lifecycle", "quota", "policy"]
    assert [line[:2] for line in lines] == [[name, s] for name in ("raw", "raw.quota") for s in settings]
    assert {line[2] for line in lines if line[0] == "raw.quota"} == {"404"}


def test_many_buckets_do_not_take_as_many_processes_at_once(work: Path, run: Run) -> None:
    for number in range(20):
        declare(work, f"bucket-{number}")
    has(work)
    assert run("make").returncode == 0
    running = most = 0
    for line in (work / "running").read_text().split():
        running += 1 if line == "begun" else -1
        most = max(most, running)
    assert most <= 8


def test_a_store_that_answers_in_part_only_is_not_shown(work: Path, run: Run) -> None:
    has(work, "raw")
    (work / "answers" / "GET_raw_policy_.status").write_text("000")
    assert run("show").returncode != 0


def test_a_store_without_buckets_shows_none(work: Path, run: Run) -> None:
    has(work)
    assert (run("show").returncode, run("show").stdout) == (0, "")


def test_the_job_hands_each_bucket_its_documents(work: Path) -> None:
    lock = ObjectLock(mode="compliance", days=7)
    buckets = [
        Declared(name="raw.images", quota=2**30, versioning=True, object_lock=lock),
        Declared(name="results", quota=2**30, versioning=False),
    ]
    (work / "etc" / "bucket-documents").write_text(listing(buckets))
    (work / "etc" / "buckets").write_text("raw.images\nresults\n")
    (work / "etc" / "users").mkdir()
    (work / "etc" / "policies").mkdir()
    (work / "etc" / "policies" / "client.json").write_text("{}")
    kept = {
        "buckets": f'[[ $1 != make ]] || cp -r "$3" {work}/handed',
        "identities": "exit 0",
        "minio-client": "cat >/dev/null </dev/null",
        "curl": "exit 0",
    }
    for name, line in kept.items():
        (work / name).write_text(f"#!/bin/bash\n{line}\n")
        (work / name).chmod(0o755)
    environment = os.environ | {
        "PATH": f"{work}:{os.environ['PATH']}", "AIDC_FILES": str(work / "etc"), "TMPDIR": str(work)
    }  # fmt: skip
    command = [str(SCRIPTS / "setup-object-store"), URL, URL]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    handed = {
        str(path.relative_to(work / "handed")): path.read_text()
        for path in (work / "handed").rglob("*")
        if path.is_file()
    }
    assert handed == {f"{b.name}/{file}": text for b in buckets for file, text in documents(b).items()}
