"""The workflow that users copy: few permissions, pinned parts, commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.planning.issues import Issue
from components.planning.paths import ROOT
from operations.commands import policy
from policies.settings import bundle, documents

FILE = ROOT / ".github" / "workflows" / "policy.yml"
# YAML 1.1 reads the key `on` as a truth.
ON = True
PIN = re.compile(r"uses: (?P<action>[\w.-]+(/[\w.-]+)+)@(?P<commit>\S+)(  # (?P<version>v\d+\.\d+\.\d+))?$")


@pytest.fixture(scope="module")
def workflow() -> Any:
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def job(workflow: Any) -> Any:
    (found,) = workflow["jobs"].values()
    return found


@pytest.fixture(scope="module")
def commands(job: Any) -> list[list[str]]:
    return [shlex.split(line) for step in job["steps"] for line in step.get("run", "").splitlines()]


def test_no_key_is_there_twice() -> None:
    issues: list[Issue] = []
    documents.read(FILE, issues)
    assert issues == []


def test_it_runs_on_pull_requests_without_their_secrets(workflow: Any) -> None:
    assert set(workflow[ON]) == {"pull_request", "push"}
    assert workflow[ON]["push"] == {"branches": ["main"]}
    assert not re.search(r"\$\{\{[^}]*secrets", FILE.read_text(encoding="utf-8"))


def test_its_rights_are_the_least(workflow: Any, job: Any) -> None:
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read", "security-events": "write"}


def test_nothing_of_a_pull_request_is_put_into_a_command(job: Any) -> None:
    """A title or a branch name in `${{ }}` would be run; the stacks come from the file itself."""
    for step in job["steps"]:
        assert set(re.findall(r"\$\{\{\s*([\w.]+)", step.get("run", ""))) <= {"matrix.stack"}


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    uses = [line for line in FILE.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert len(uses) == 3
    for line in uses:
        match = PIN.search(line.strip().removeprefix("- "))
        assert match, line
        assert re.fullmatch(r"[0-9a-f]{40}", match["commit"]), line
        assert match["version"], line


def test_the_checkout_leaves_no_token_behind(job: Any) -> None:
    (checkout,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


def test_machine_and_python_are_pinned(job: Any) -> None:
    assert re.fullmatch(r"ubuntu-\d+\.\d+", job["runs-on"])
    (python,) = [step for step in job["steps"] if step.get("uses", "").startswith("actions/setup-python@")]
    assert python["with"]["python-version"] == "3.11"
    assert job["timeout-minutes"] <= 10


def test_it_checks_the_committed_stacks(job: Any) -> None:
    assert job["strategy"]["matrix"]["stack"] == ["dev", "test"]
    assert {"dev", "test"} <= bundle.stacks()


def test_it_installs_by_hash_only(commands: list[list[str]]) -> None:
    (install,) = [command for command in commands if "pip" in command]
    assert "--require-hashes" in install
    file = ROOT / install[install.index("--requirement") + 1]
    pinned = re.findall(r"^\S+==\S+ .*\\\n    --hash=sha256:", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^\S+==", file.read_text(encoding="utf-8"), re.MULTILINE)) > 20


def test_it_installs_the_versions_of_the_host(commands: list[list[str]]) -> None:
    def versions(path: Path) -> set[str]:
        return set(re.findall(r"^[\w.-]+==\S+", path.read_text(encoding="utf-8"), re.MULTILINE))

    assert versions(ROOT / "policies" / "requirements.txt") <= versions(ROOT / "requirements.txt")


def test_the_check_is_a_command_that_exists(job: Any, commands: list[list[str]], tmp_path: Path) -> None:
    (check,) = [command for command in commands if "operations" in command]
    assert check[:4] == ["python", "-m", "operations", "policy"]
    stack, *_ = job["strategy"]["matrix"]["stack"]
    arguments = [stack if word.startswith("${{") else word for word in _joined(check[4:])]
    assert policy.main([*arguments, "--out", str(tmp_path)]) == 0


def _joined(words: list[str]) -> list[str]:
    """An expression in `${{ }}` is one word to the runner."""
    return re.sub(r"\$\{\{ (\S+) \}\}", r"${{\1}}", " ".join(words)).split()


def test_the_upload_is_of_what_the_check_writes(job: Any) -> None:
    upload = job["steps"][-1]
    assert upload["uses"].startswith("github/codeql-action/upload-sarif@")
    assert upload["with"]["sarif_file"] == str(policy.OUT / "policy.sarif")
    assert "!cancelled()" in upload["if"], "a failed check has the findings that matter most"
