"""Composition root: configuration → plan → components → exported inventory."""

from datetime import date
from pathlib import Path

import pulumi

from components.backup import BackupJob, BackupJobArgs, Vault, VaultArgs
from components.compute import ComputePool, ComputePoolArgs
from components.config import ConfigError
from components.export import inventory
from components.firewall import Firewall, FirewallArgs
from components.host import host_facts
from components.identity import Identity
from components.image import ImageError, references
from components.load_balancer import LoadBalancer, LoadBalancerArgs
from components.network import Fabric, FabricArgs
from components.object_store import ObjectStore, ObjectStoreArgs
from components.plan import make_plan
from components.readiness import Ready
from components.validation import load


def main() -> None:
    settings, stack = pulumi.Config("aidc"), pulumi.get_stack()
    try:
        plan = make_plan(stack, load(settings.get_object("datacenter"), stack, host_facts()))
        images = references(Path(__file__).parent / ".build")
    except (ConfigError, ImageError) as error:
        raise pulumi.RunError(str(error)) from None
    identity = Identity(
        stack, settings.require_secret("seed"), date.fromisoformat(settings.require("issued"))
    )

    files = images["files"]

    fabric = Fabric("fabric", FabricArgs(plan=plan))
    firewall = Firewall(
        "firewall",
        FirewallArgs(plan=plan, image=images["firewall"], files_image=files, identity=identity),
    )
    guarded = Ready("firewall-ready", [firewall.container], timeout=30)
    # Nothing else starts before the rules are loaded.
    behind = pulumi.ResourceOptions(depends_on=[fabric, guarded])

    store = ObjectStore(
        "object-store",
        ObjectStoreArgs(plan=plan, image=images["object-store"], files_image=files, identity=identity),
        behind,
    )
    compute = ComputePool(
        "compute",
        ComputePoolArgs(
            plan=plan,
            image=images["compute"],
            files_image=files,
            identity=identity,
            s3_client=store.clients["compute"],
        ),
        behind,
    )
    vault = Vault(
        "vault", VaultArgs(plan=plan, image=images["vault"], files_image=files, identity=identity), behind
    )
    backup = BackupJob(
        "backup",
        BackupJobArgs(
            plan=plan,
            image=images["backup"],
            files_image=files,
            identity=identity,
            s3_client=store.clients["backup"],
            depends_on=[store.setup, vault.container],
        ),
        behind,
    )
    balancer = LoadBalancer(
        "load-balancer",
        LoadBalancerArgs(plan=plan, image=images["load-balancer"], files_image=files, identity=identity),
        behind,
    )

    services = [*store.nodes, store.setup, *compute.containers, vault.container, backup.container]
    Ready("stack-ready", [*services, balancer.container], timeout=300)

    pulumi.export("inventory", inventory(plan, images))
    client = store.clients["client"]
    access = {
        "ca_pem": identity.authority(),
        "ray_token": compute.token,
        "s3": {"access_key": client.access_key, "secret_key": client.secret_key},
    }
    pulumi.export("access", pulumi.Output.secret(access))


main()
