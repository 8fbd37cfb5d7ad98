"""Packages of a job on the live stack: two versions of a small one, the second time without an index."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from components.planning.inventory import Inventory
from tests.acceptance.commands import aidc, jobs

SCRIPT = """
import os, sys
import humanize, torch
print("version", humanize.__version__, humanize.naturalsize(10**6), "rank", os.environ["RANK"], flush=True)
print("torch", torch.__file__, "python", sys.version_info[:2])
print("others", sorted(name for name in os.listdir("/var/lib/packages") if len(name) == 64))
"""
# Where nothing listens: whoever asks an index fails.
NO_INDEX = {"UV_DEFAULT_INDEX": "https://127.0.0.1:9/simple", "UV_NO_CACHE": "1", "UV_HTTP_RETRIES": "0"}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("job") / "script.py"
    path.write_text(SCRIPT)
    return str(path)


@pytest.fixture(scope="module")
def name() -> str:
    return f"packed-{int(time.time())}"


@pytest.fixture(scope="module")
def first(script: str, name: str) -> subprocess.CompletedProcess[str]:
    """Two ranks with one version."""
    done = aidc("submit", script, "--pip", "humanize==4.12.0", "--ranks", "2", "--name", name)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_every_rank_imports_the_package_and_the_image_s_torch(
    first: subprocess.CompletedProcess[str],
) -> None:
    for rank in (0, 1):
        assert f"[{rank}] version 4.12.0 1.0 MB rank {rank}" in first.stdout
        assert f"[{rank}] torch /opt/venv/" in first.stdout


def test_the_lock_is_for_the_nodes_python(first: subprocess.CompletedProcess[str]) -> None:
    assert "[0] torch /opt/venv/lib/python3.13/site-packages/torch/__init__.py python (3, 13)" in first.stdout


def test_another_job_has_another_version_from_a_file(
    first: subprocess.CompletedProcess[str], script: str, name: str, tmp_path: Path
) -> None:
    lock = Path(re.findall(r"packages: .*: (/.*packages\.txt)$", first.stdout, re.MULTILINE)[0])
    listed = tmp_path / "requirements.txt"
    listed.write_text("# of another job\nhumanize>=4.11,<4.12\n")
    other = aidc("submit", script, "--requirements", str(listed), "--name", f"{name}-other")
    assert "version 4.11.0" in other.stdout, other.stdout + other.stderr
    assert lock.read_text().startswith("humanize==4.12.0 \\\n    --hash=sha256:")


def test_the_second_time_no_index_is_needed(
    first: subprocess.CompletedProcess[str], script: str, name: str
) -> None:
    again = aidc("submit", script, "--pip", "humanize==4.12.0", "--name", f"{name}-again", more=NO_INDEX)
    assert "from the cache" in again.stdout, again.stdout + again.stderr
    assert "version 4.12.0" in again.stdout


def test_what_was_changed_on_the_nodes_is_not_imported(
    first: subprocess.CompletedProcess[str], inventory: Inventory, script: str, name: str
) -> None:
    digest = jobs()[name]["packages"]
    change = f"cd /var/lib/packages/{digest}*/humanize && chmod u+w . __init__.py && echo 1/0 > __init__.py"
    nodes = [service.container for service in inventory.services if service.role == "compute"]
    changed = [subprocess.run(["docker", "exec", node, "sh", "-c", change], check=False) for node in nodes]
    assert any(done.returncode == 0 for done in changed)
    again = aidc("submit", script, "--pip", "humanize==4.12.0", "--ranks", "2", "--name", f"{name}-mended")
    assert "[0] version 4.12.0" in again.stdout, again.stdout + again.stderr
    assert "[1] version 4.12.0" in again.stdout


def test_the_job_and_its_run_say_which_packages_it_had(
    first: subprocess.CompletedProcess[str],
    inventory: Inventory,
    access: dict[str, Any],
    ca_file: str,
    name: str,
) -> None:
    row = jobs()[name]
    run = re.findall(r"runs/([0-9a-f]{32})", first.stdout)[0]
    base, login = inventory.endpoints["tracking"], ("admin", access["tracking"]["admin"])
    answer = requests.get(
        f"{base}/api/2.0/mlflow/runs/get", params={"run_id": run}, auth=login, verify=ca_file, timeout=30
    ).json()["run"]
    tags = {tag["key"]: tag["value"] for tag in answer["data"]["tags"]}
    assert tags["aidc.packages"][:12] == row["packages"] != ""
    place = answer["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/").strip("/")
    artefact = requests.get(
        f"{base}/api/2.0/mlflow-artifacts/artifacts/{place}/packages.txt",
        auth=login,
        verify=ca_file,
        timeout=30,
    )
    assert artefact.text.startswith("humanize==4.12.0 \\\n    --hash=sha256:")


def test_all_that_cannot_be_had_is_named_before_anything_starts(script: str) -> None:
    before = jobs()
    done = aidc("submit", script, "--pip", "humanize==99 aidc-has-no-such-package")
    assert done.returncode == 2
    assert "humanize==99: there is no such version" in done.stderr
    assert "there is no package 'aidc-has-no-such-package'" in done.stderr
    assert jobs().keys() == before.keys()


def test_an_index_that_cannot_be_reached_is_told_without_its_login(script: str) -> None:
    index = {**NO_INDEX, "UV_DEFAULT_INDEX": "https://me:geheim@127.0.0.1:9/simple"}
    done = aidc("submit", script, "--pip", "humanize==4.10.0", more=index)
    assert done.returncode == 2
    assert "the package index does not answer" in done.stderr
    assert "geheim" not in done.stdout + done.stderr
