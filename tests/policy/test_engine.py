"""The pack under the real engine: a violating program fails its preview, a clean one passes.

Components stand in for the Docker resources, under their type tokens and with their properties: the engine
hands them to the pack in the same way, and neither a provider nor Docker is needed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.planning.paths import ROOT
from policies.model import REGISTERED

pytestmark = pytest.mark.skipif(shutil.which("pulumi") is None, reason="needs the pulumi CLI: make setup")

PROGRAM = """
import json, pathlib, pulumi
for item in json.loads(pathlib.Path("resources.json").read_text()):
    props = item["props"]
    if props.get("envs"):
        props["envs"] = [pulumi.Output.secret(value) for value in props["envs"]]
    resource = pulumi.ComponentResource(item["type"], item["key"], props)
    resource.register_outputs(props)
"""


def preview(plant: Any, folder: Path, pack: Path = ROOT / "policies") -> subprocess.CompletedProcess[str]:
    """`pulumi preview` of the plant's resources with the pack, on a separate backend."""
    (folder / "state").mkdir()
    virtualenv = Path(sys.executable).parent.parent
    options = {"toolchain": "pip", "virtualenv": str(virtualenv)}
    project = {"name": "aidc", "runtime": {"name": "python", "options": options}}
    (folder / "Pulumi.yaml").write_text(json.dumps(project), encoding="utf-8")
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    resources = [
        {"key": key, "type": plant.resource(key).type, "props": plant[key]}
        for key, kind in plant.kinds.items()
        if kind in REGISTERED
    ]
    (folder / "resources.json").write_text(json.dumps(resources), encoding="utf-8")
    environment = os.environ | {
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "1",
    }
    environment.pop("PULUMI_CONFIG_PASSPHRASE_FILE", None)

    def pulumi(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300, check=False
        )

    assert pulumi("stack", "init", "test").returncode == 0
    return pulumi("preview", "--policy-pack", str(pack))


@pytest.fixture
def guarded(plant: Any) -> Any:
    """The clean stack with a firewall, so that its waivers are used."""
    firewall = {
        **plant["backup"],
        "name": "aidc-test-firewall",
        "user": "0",
        "networkMode": "host",
        "networksAdvanced": [],
        "capabilities": {"drops": ["ALL"], "adds": ["CAP_NET_ADMIN"]},
        "labels": [
            {"label": "aidc.stack", "value": "test"},
            {"label": "aidc.role", "value": "firewall"},
            {"label": "aidc.kind", "value": "service"},
        ],
    }
    plant.add("firewall", "container", firewall)
    plant.add("firewall-limit", "limit", {**plant["backup-limit"], "container": firewall["name"]})
    return plant


def test_a_clean_program_passes(guarded: Any, tmp_path: Path) -> None:
    result = preview(guarded, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "✅ aidc@" in result.stdout


def test_a_violating_program_fails_and_says_why(guarded: Any, tmp_path: Path) -> None:
    guarded["vault"].update(privileged=True, envs=["ROOT_PASSWORD=hunter2"])
    guarded["store"]["networksAdvanced"].append({"name": "aidc-test-backup", "ipv4Address": "10.78.8.99"})
    result = preview(guarded, tmp_path)
    output = result.stdout + result.stderr
    assert result.returncode != 0
    assert "[mandatory] [severity: critical]  no-privileged" in output
    assert "aidc-test-vault: privileged is set. Fix: remove privileged" in output
    assert "aidc-test-object-store-1: it joins backup, which none of its flows needs" in output
    assert "hunter2" not in output


def test_a_level_of_the_stack_is_in_force(guarded: Any, tmp_path: Path) -> None:
    """A copy of the pack with another level: what was advisory fails the preview of this stack."""
    copy = tmp_path / "copy"
    for part in ("policies", "components"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / ".venv").symlink_to(Path(sys.executable).parent.parent)
    (copy / "Pulumi.test.yaml").touch()
    (copy / "policies" / "levels.yaml").write_text("test: {cpu-limit: mandatory}\n", encoding="utf-8")
    del guarded["vault"]["cpus"]
    result = preview(guarded, tmp_path, copy / "policies")
    assert result.returncode != 0
    assert "[mandatory] [severity: medium]  cpu-limit" in result.stdout + result.stderr
