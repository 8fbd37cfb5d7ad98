"""What a rotation changes in the plan: the files of the affected services, and no container needlessly."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml

from components.planning.flows import FLOWS, LISTENS
from components.planning.paths import ROOT
from components.planning.rotation import ROTATABLE
from policies.catalogue import NAMES, RULES
from policies.evaluate import evaluate
from policies.model import Resource, Stack
from policies.settings import bundle
from policies.sources import stacks

# Name → the services whose container is another one afterwards. A job is made again in order to run again.
REPLACED = {
    "authority": {"object-store-setup"},
    "s3/root": {"object-store-setup"},
    "s3/client": {"object-store-setup"},
    "s3/backup": {"object-store-setup"},
    "s3/compute": {"object-store-setup"},
    "s3/tracking": {"object-store-setup"},
    "s3/database": {"object-store-setup"},
    "s3/monitor": {"object-store-setup"},
    "tracking/admin": {"tracking-setup"},
    "tracking/benchmark": {"tracking-setup"},
    "tracking/jobs": {"tracking-setup"},
    "ray/token": {"ray-head", "compute-node1", "compute-node2"},
}
# Name → the services that get other files.
TOLD = {
    "certificates": {
        "load-balancer",
        "object-store",
        "database",
        "tracking",
        "vault",
        "metrics",
        "alerts",
        "logs",
        "home",
        "compute",
    },
    "authority": {
        "load-balancer",
        "object-store",
        "object-store-setup",
        "database",
        "tracking",
        "tracking-setup",
        "vault",
        "backup",
        "compute",
        "metrics",
        "alerts",
        "logs",
        "home",
    },
    "database/backup": {"database", "backup"},
    "database/monitor": {"database"},
    "database/tracking_app": {"database", "tracking"},
    "database/tracking_owner": {"database", "tracking-setup"},
    "database/tracking_auth_app": {"database", "tracking"},
    "database/tracking_auth_owner": {"database", "tracking-setup"},
    "inference/token": {"load-balancer"},
    "s3/root": {"object-store", "object-store-setup"},
    "s3/client": {"object-store-setup"},
    "s3/backup": {"object-store-setup", "backup"},
    "s3/compute": {"object-store-setup", "compute"},
    "s3/database": {"object-store-setup", "database"},
    "s3/monitor": {"object-store-setup", "metrics"},
    "monitoring/alerts": {"metrics", "alerts"},
    "monitoring/viewer": {"metrics", "load-balancer", "home"},
    "monitoring/home": {"load-balancer", "home"},
    "logs/reader": {"logs", "load-balancer"},
    "notebook/login": {"compute", "load-balancer"},
    "s3/tracking": {"object-store-setup", "tracking"},
    "tracking/admin": {"tracking-setup", "load-balancer"},
    "tracking/benchmark": {"tracking-setup", "tracking", "load-balancer"},
    "tracking/jobs": {"tracking-setup", "load-balancer", "compute"},
    "vault/writer": {"vault", "backup"},
    "vault/repository": {"backup", "drill", "vault-pruner"},
    "ray/token": {"compute", "ray-head"},
}


def planned(folder: Path, **config: object) -> dict[str, Resource]:
    """The resources of `dev` with more configuration, by name."""
    document = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    document["config"] |= {f"aidc:{key}": value for key, value in config.items()}
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
    shutil.copy(ROOT / "__main__.py", folder)
    return {f"{r.kind} {r.name}": r for r in stacks.program("dev", folder)}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Resource]:
    return planned(tmp_path_factory.mktemp("before"))


def changed(before: dict[str, Resource], after: dict[str, Resource]) -> tuple[set[str], set[str]]:
    """(services whose container differs, seeds whose files differ), by their names without the prefix."""
    containers = {name: r for name, r in after.items() if r.kind == "container"}
    assert set(containers) == {name for name, r in before.items() if r.kind == "container"}
    differ = [r for name, r in containers.items() if text(r) != text(before[name])]
    services = {r.name.removeprefix("aidc-dev-") for r in differ if not r.is_seed}
    seeds = {r.name.removeprefix("aidc-dev-").removesuffix("-files") for r in differ if r.is_seed}
    return services, seeds


def text(resource: Resource) -> str:
    return json.dumps(resource.props, sort_keys=True, default=str)


@pytest.mark.parametrize("name", ROTATABLE)
def test_only_the_services_concerned_change(name: str, before: dict[str, Resource], tmp_path: Path) -> None:
    services, seeds = changed(before, planned(tmp_path, generations={name: 2}))
    assert services == REPLACED.get(name, set())
    assert seeds == TOLD[name]


def test_new_dates_alone_renew_the_certificates(before: dict[str, Resource], tmp_path: Path) -> None:
    services, seeds = changed(before, planned(tmp_path, renewed="2026-06-01"))
    assert (services, seeds) == (set(), TOLD["certificates"])


def test_a_first_generation_that_is_written_down_changes_nothing(
    before: dict[str, Resource], tmp_path: Path
) -> None:
    after = planned(tmp_path, generations=dict.fromkeys(ROTATABLE, 1))
    assert changed(before, after) == (set(), set())


def test_a_rotated_stack_keeps_every_mandatory_rule(tmp_path: Path) -> None:
    found = planned(tmp_path, generations=dict.fromkeys(ROTATABLE, 3), renewed="2026-06-01")
    stack = Stack(tuple(found.values()), FLOWS, LISTENS)
    report = evaluate(stack, RULES, bundle.load("dev", NAMES).waivers, {}, date(2026, 12, 1))
    assert [outcome.message for outcome in report.violations] == []


@pytest.mark.parametrize(
    "config", [{"generations": {"s3/encryption": 2}}, {"generations": {"s3/clinet": 2}}, {"renewed": "soon"}]
)
def test_a_mistake_is_refused_before_anything_is_planned(config: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(stacks.SourceError, match="does not run"):
        planned(tmp_path, **config)
