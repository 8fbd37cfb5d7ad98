"""Runs every preflight check of a stack, so that all faults are known before anything is created."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from audit.engine import host
from components.planning.config import StackConfig
from components.planning.flows import FLOWS
from components.planning.issues import Issue
from components.planning.paths import ROOT
from components.planning.plan import make_plan
from components.runtime import outside_store, receivers
from components.runtime.host import host_facts
from components.runtime.image import IMAGES, ImageError, reference
from operations.engine import drives
from operations.engine.client import Engine, EngineError, EngineResource, connect
from operations.output import count
from operations.preflight import buckets, checks, machine
from operations.preflight.checks import Check
from operations.stack import state
from operations.stack.file import SEED, StackFile
from operations.stack.pulumi import MISSING, Pulumi, PulumiError

GPU_HOOK = "nvidia-container-runtime-hook"
NEED_ENGINE = (
    *("disk", "memory", "bridge-filtering", "gpu-runtime"),
    *("ports", "subnets", "data", "object-store-size", "buckets", "state"),
)


@dataclass(frozen=True)
class Report:
    """All checks of one stack. `engine` is None when none answers."""

    file: StackFile
    checks: tuple[Check, ...]
    engine: Engine | None
    config: StackConfig | None

    @property
    def issues(self) -> list[Issue]:
        return [issue for check in self.checks for issue in check.issues]

    @property
    def warnings(self) -> list[str]:
        return [warning for check in self.checks for warning in check.warnings]


def examine(file: StackFile, environment: Mapping[str, str] | None = None) -> Report:
    """Check the stack of `file` and this machine. Changes nothing, raises nothing."""
    environment = os.environ if environment is None else environment
    config, mistakes = file.check(host_facts())
    if not file.path.is_file():
        # Without a stack there is nothing else to check.
        return Report(file, (Check("configuration", tuple(mistakes), file.path.name),), None, None)
    found = [
        Check("configuration", tuple(mistakes), file.path.name, warnings=tuple(checks.left_out(config))),
        pulumi_present(environment),
        checks.passphrase(file, backend(environment), environment),
        checks.certificates(file, datetime.now(UTC).date()),
    ]
    wanted = images()
    try:
        engine = connect()
    except EngineError as error:
        found.append(Check("engine", (Issue("engine", error.fault, error.fix),)))
        found.append(checks.images(wanted, None))
        found.append(checks.outside_store(config, _of_outside_store(config), ()))
        found.append(checks.receivers(config, _of_receivers(config), ()))
        found += [Check(name, skipped=True) for name in NEED_ENGINE]
        return Report(file, tuple(found), None, config)
    found += _with_engine(file, config, engine, wanted, environment)
    return Report(file, tuple(found), engine, config)


def _with_engine(
    file: StackFile,
    config: StackConfig | None,
    engine: Engine,
    wanted: Mapping[str, str],
    environment: Mapping[str, str],
) -> list[Check]:
    info, present = engine.info(), engine.images()
    containers, networks, volumes = engine.containers(), engine.networks(), engine.volumes()
    folder = str(info.get("DockerRootDir", ""))
    missing = [name for name, ref in wanted.items() if ref not in present]
    local = engine.is_local
    running = any(c.stack == file.stack and c.running for c in containers)
    # For a remote engine its own lists are all that is known about ports and routes.
    fault_of: Callable[[str, int], str | None] = machine.port_fault if local else lambda _address, _port: None
    own = host.addresses() if local else []
    owned = [t for t in (*containers, *networks) if t.stack == file.stack]
    return [
        checks.engine(info),
        checks.images(wanted, present),
        checks.disk(machine.free_disk(folder) if local else None, folder, missing),
        checks.memory(config, machine.available_memory() if local else None, running),
        checks.bridge_filtering(info, machine.bridge_filtering() if local else None),
        checks.gpu_runtime(file.gpus(), info, local and shutil.which(GPU_HOOK) is not None),
        checks.ports(file.load_balancer(), file.notebook(), file.stack, containers, fault_of),
        checks.addresses(
            file.network(),
            file.stack,
            networks,
            machine.routes() if local else [],
            machine.policy_routes() if local else [],
            flows=make_plan(file.stack, config).flows if config else FLOWS,
        ),
        checks.data(file, volumes, running=running),
        checks.object_store_size(config, drives.made_for(engine, file.stack, volumes)),
        checks.outside_store(config, _of_outside_store(config), own),
        checks.receivers(config, _of_receivers(config), own),
        buckets.check(config, buckets.live(engine, file.stack) if running else None),
        pulumi_state(file, owned, environment),
    ]


def _of_outside_store(config: StackConfig | None) -> list[Issue]:
    return outside_store.issues(config.object_store.external) if config else []


def _of_receivers(config: StackConfig | None) -> list[Issue]:
    return receivers.issues(config.monitoring.alerts) if config else []


def images(build: Path = ROOT / ".build") -> dict[str, str]:
    """Image → reference, empty where the build context is missing."""
    wanted = {}
    for name in IMAGES:
        try:
            wanted[name] = reference(name, build)
        except ImageError:
            wanted[name] = ""
    return wanted


def pulumi_present(environment: Mapping[str, str]) -> Check:
    path = shutil.which("pulumi", path=environment.get("PATH"))
    if path:
        return Check("pulumi", note=path)
    fault, fix = MISSING.split("; fix: ")
    return Check("pulumi", (Issue("pulumi", fault, fix),))


def pulumi_state(file: StackFile, owned: list[EngineResource], environment: Mapping[str, str]) -> Check:
    """No other run is working on the stack, and the state knows everything that carries its label."""
    found = state.locks(file.stack, environment)
    issues = state.lock_issues(found, file.stack)
    issues += wrong_passphrase(file, environment)
    stale = [lock for lock in found if lock.alive is False]
    note = f"{count(len(stale), 'lock')} of a dead process, to be released" if stale else ""
    if not owned or issues:
        return Check("state", tuple(issues), note)
    try:
        exported = Pulumi(file.stack, environment=environment).export()
    except PulumiError as error:
        # Passphrase and login have their own checks; any other reason is shown.
        return Check("state", note=str(error).splitlines()[0], skipped=True)
    _half_made, foreign = state.split_unrecorded(owned, exported)
    issues += state.foreign_issues(foreign, file.stack)
    if state.has_pending(exported):
        note = "an earlier run was interrupted; this one continues it"
    return Check("state", tuple(issues), note or ("known" if exported else "new stack"))


def wrong_passphrase(file: StackFile, environment: Mapping[str, str]) -> list[Issue]:
    """An issue when the file's secrets cannot be decrypted. Other faults have their own checks."""
    if not (file.salted and file.has(SEED)):
        return []
    try:
        Pulumi(file.stack, environment=environment).seed()
    except PulumiError as error:
        if "incorrect passphrase" not in str(error):
            return []
        fault = "its secrets were encrypted with another passphrase"
        fix = (
            "restore that passphrase (by default in .aidc/passphrase); if it is lost, neither the "
            f"secrets nor the data can be read: then remove `encryptionsalt` and `{SEED}` from the file"
        )
        return [Issue(file.path.name, fault, fix)]
    return []


def backend(environment: Mapping[str, str], root: Path = ROOT) -> str | None:
    """The URL of Pulumi's backend: from the environment, the project, or the last login."""
    if url := environment.get("PULUMI_BACKEND_URL"):
        return url
    project = yaml.safe_load((root / "Pulumi.yaml").read_text(encoding="utf-8")) or {}
    if url := (project.get("backend") or {}).get("url"):
        return str(url)
    if environment.get("PULUMI_ACCESS_TOKEN"):
        return "https://"
    home = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        current = json.loads((home / "credentials.json").read_text(encoding="utf-8")).get("current")
    except (OSError, ValueError):
        return None
    return str(current) if current else None
