"""Composition root: configuration → plan → components → exported inventory."""

import os
from dataclasses import replace
from pathlib import Path

import pulumi

from components.alerting import Alerting, Gateway
from components.backup import BackupJob, Vault
from components.compute import ComputePool
from components.database import Database
from components.drill import Drill
from components.export import inventory
from components.firewall import Firewall
from components.front_door import FrontDoor
from components.load_balancer import LoadBalancer
from components.logs import Logs
from components.monitoring import Monitoring
from components.network import Fabric
from components.object_store import ObjectStore
from components.planning import logs as logs_plan
from components.planning import notebook, rotation
from components.planning.flows import ALERT_GATEWAY, ALERTS
from components.planning.issues import ConfigError
from components.planning.monitoring import SECRET, VIEWER
from components.planning.plan import make_plan
from components.planning.tracking import USERS, secret_of
from components.planning.validation import load
from components.pruner import Pruner
from components.runtime import outside_store, receivers
from components.runtime.context import Context
from components.runtime.erasure_set import FixedSize
from components.runtime.host import host_facts, misled
from components.runtime.identity import Identity
from components.runtime.image import ImageError, references
from components.runtime.readiness import Ready
from components.store_gateway import StoreGateway
from components.tracking import Tracking


def main() -> None:
    settings, stack = pulumi.Config("aidc"), pulumi.get_stack()
    try:
        if elsewhere := misled(pulumi.Config("docker").get, os.environ):
            raise ConfigError(elsewhere)
        host = host_facts()
        plan = make_plan(stack, load(settings.get_object("datacenter"), stack, host))
        external = plan.config.object_store.external
        outside = outside_store.read(external) if external else None
        told = receivers.read(plan.config.monitoring.alerts, settings)
        images = references(Path(__file__).parent / ".build")
        generations = rotation.read(
            settings.get_object("generations"), settings.require("issued"), settings.get("renewed")
        )
    except (ConfigError, ImageError) as error:
        raise pulumi.RunError(str(error)) from None
    identity = Identity(stack, settings.require_secret("seed"), generations)
    context = Context(plan=plan, images=images, identity=identity, cdi=host.cdi if host else frozenset())

    # The firewall is created before the networks and removed after them: nothing is ever unprotected.
    firewall = Firewall("firewall", context)
    fabric = Fabric("fabric", plan, pulumi.ResourceOptions(depends_on=[firewall]))
    guarded = Ready(
        "firewall-ready",
        [firewall.container],
        timeout=30,
        opts=pulumi.ResourceOptions(depends_on=[fabric]),
    )
    # Checked before any container is touched: with another number of nodes the object store would fail.
    size = FixedSize("object-store-size", 0 if external else plan.config.object_store.nodes)
    inside = replace(context, behind=[fabric, guarded, size])

    # Before the others: what they say while they start is kept too.
    logs = Logs("logs", inside)
    listening = Ready("logs-ready", [logs.container], timeout=120)
    inside = replace(inside, behind=[*inside.behind, listening])

    store: ObjectStore | StoreGateway = (
        StoreGateway("store-gateway", inside, external, outside)
        if external and outside
        else ObjectStore("object-store", inside)
    )
    client = store.clients["client"]
    compute = ComputePool("compute", inside, store.clients["compute"])
    database = Database("database", inside, store.clients["database"])
    vault = Vault("vault", inside)
    pruner = Pruner("vault-pruner", inside, vault.data, [vault.container])
    tracking = Tracking("tracking", inside, store.clients["tracking"], [store.setup, database.container])
    drill = Drill("drill", inside, vault.data, [vault.container])
    sources = [store.setup, database.container, vault.container]
    backup = BackupJob("backup", inside, store.clients["backup"], sources)
    balancer = LoadBalancer("load-balancer", inside, client.trust(plan.store))
    door = FrontDoor("home", inside)
    left = {
        "firewall": firewall.readings,
        "database": database.readings,
        "backup": backup.readings,
        "vault-pruner": pruner.readings,
        "drill": drill.readings,
        "home": door.readings,
        "logs": logs.readings,
    }
    gateways = [Gateway(ALERT_GATEWAY, inside)] if plan.by_role(ALERT_GATEWAY) else []
    alerting = Alerting(ALERTS, inside, told)
    monitoring = Monitoring("metrics", inside, store.clients["monitor"], left)

    services = [
        *store.nodes,
        store.setup,
        *compute.containers,
        database.container,
        tracking.setup,
        tracking.container,
        vault.container,
        pruner.container,
        drill.container,
        backup.container,
        monitoring.container,
        alerting.container,
        *(gateway.container for gateway in gateways),
        door.container,
        logs.container,
    ]
    Ready("stack-ready", [*services, balancer.container], timeout=600)

    # Where another number of nodes is refused, the inventory stays that of the stack as it is.
    pulumi.export("inventory", size.id.apply(lambda _: inventory(plan, images)))
    access = {
        "inference_token": balancer.token,
        "ca_pem": identity.authority(),
        "ray_token": compute.token,
        "tracking": {user: identity.password(secret_of(user)) for user in USERS},
        "logs": {logs_plan.READER: identity.password(logs_plan.SECRET)},
        "monitoring": {VIEWER: identity.password(SECRET)},
        "notebook": {notebook.USER: identity.password(notebook.SECRET)},
        "s3": {
            "access_key": client.access_key,
            "secret_key": client.secret_key,
            "region": plan.store.region,
        },
    }
    pulumi.export("access", pulumi.Output.secret(access))


main()
