"""StoreGateway: the one way out, to an S3 store that somebody else runs in place of the stack's own.

Clients within the stack find the gateway under the store's own name and speak TLS with the store itself,
through it: the gateway holds no key and sees no plain byte.
"""

from __future__ import annotations

import json

import pulumi
import pulumi_docker as docker

from components.planning.buckets import IDENTITIES
from components.planning.flows import LB_STATS, STORE_CHECK, STORE_GATEWAY
from components.planning.outside import External
from components.planning.plan import Plan
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs
from components.runtime.outside_store import OutsideStore
from components.runtime.rendering import render
from components.runtime.store_client import Client

USER = "10010"
CHECK_USER = "10040"


def configuration(plan: Plan, external: External) -> str:
    """haproxy.cfg of the gateway."""
    return render(
        "gateway.cfg.j2",
        stack=plan.stack,
        host=external.host,
        port=external.port,
        listen=plan.service(STORE_GATEWAY).addresses["storage"],
        authority=f"{FILES_DIR}/{plan.store.authority}",
        addresses=[str(address) for address in external.addresses],
        stats_port=LB_STATS,
    )


def expected(plan: Plan) -> str:
    """What the check compares the outside store with, as JSON."""
    place = plan.store
    told = {
        "url": place.url,
        "region": place.region,
        "authority": f"{FILES_DIR}/{place.authority}",
        "credentials": f"{FILES_DIR}/{place.credentials}",
        "buckets": [bucket.model_dump(mode="json") for bucket in plan.buckets],
    }
    return json.dumps(told, indent=1)


def _client(user: str, context: Context, outside: OutsideStore) -> Client:
    """The identity's key; in a plan that is only checked a stand-in from the seed, like all secrets there."""
    if outside.keys is None:
        name = f"s3/{user}"
        return Client(context.identity.access_key(name), context.identity.password(name), outside.authority)
    pair = outside.keys[user]
    return Client(
        pulumi.Output.secret(pair.access_key), pulumi.Output.secret(pair.secret_key), outside.authority
    )


class StoreGateway(pulumi.ComponentResource):
    """The gateway, and the job that checks what is behind it. `clients`: identity → its key."""

    nodes: list[docker.Container]
    setup: docker.Container
    clients: dict[str, Client]

    def __init__(
        self,
        name: str,
        context: Context,
        external: External,
        outside: OutsideStore,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("aidc:store_gateway:StoreGateway", name, None, opts)
        self.clients = {user: _client(user, context, outside) for user in IDENTITIES}
        self.nodes = [self._gateway(name, context, external)]
        self.setup = self._check(context)
        self.register_outputs({"nodes": [n.name for n in self.nodes]})

    def _gateway(self, name: str, context: Context, external: External) -> docker.Container:
        settings = File(path="haproxy.cfg", content=configuration(context.plan, external))
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role=STORE_GATEWAY,
                owner=USER,
                files=[settings, *self.clients[IDENTITIES[0]].trust(context.plan.store)],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        process = Process(
            image=context.images["load-balancer"],
            command=["haproxy", "-W", "-db", "-f", f"{FILES_DIR}/haproxy.cfg"],
            user=USER,
            memory=128 * MIB,
            cpus=context.plan.config.object_store.cpus,
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            aliases=[external.host],
            health=Health(command=("healthcheck",), start_period=10),
            grace=10,
        )
        return run(context, context.plan.service(STORE_GATEWAY), process, parent=self)

    def _check(self, context: Context) -> docker.Container:
        """Runs again whenever what is declared, a key or the authority changes."""
        plan = context.plan
        service, place = plan.service(STORE_CHECK), plan.store
        sections = [client.credentials_file(user) for user, client in self.clients.items()]
        files = FileVolume(
            service.name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=CHECK_USER,
                files=[
                    File(path="store.json", content=expected(plan)),
                    File(path=place.credentials, content=pulumi.Output.concat(*sections)),
                    *self.clients[IDENTITIES[0]].trust(place),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        process = Process(
            image=context.images["backup"],
            command=["check-store"],
            user=CHECK_USER,
            memory=256 * MIB,
            cpus=1.0,
            environment={"HOME": "/tmp"},
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
            health=None,
            job=True,
        )
        return run(context, service, process, parent=self, depends_on=self.nodes)
