"""ObjectStore: MinIO nodes as one erasure-coded store over TLS, with one least-privilege user per client."""

from __future__ import annotations

import base64

import pulumi
import pulumi_docker as docker

from components.planning.bucket_documents import listing
from components.planning.buckets import IDENTITIES
from components.planning.flows import MINIO
from components.planning.grants import policy
from components.planning.plan import Service
from components.planning.store_place import ALIAS
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, Change, File, FileVolume, FileVolumeArgs, key_pair
from components.runtime.identity import Identity
from components.runtime.store_client import Client
from components.runtime.volume import volume

USER = "10020"


def root(identity: Identity, on_change: Change) -> list[File]:
    """The id and the password of the store's root user."""
    return [
        File(path="root-user", content=identity.access_key("s3/root"), on_change=on_change),
        File(path="root-password", content=identity.password("s3/root"), on_change=on_change),
    ]


class ObjectStore(pulumi.ComponentResource):
    """The nodes and the job that creates buckets, policies and users. Data volumes survive a destroy."""

    nodes: list[docker.Container]
    setup: docker.Container
    clients: dict[str, Client]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:object_store:ObjectStore", name, None, opts)
        self.clients = {
            user: Client(context.identity.access_key(f"s3/{user}"), context.identity.password(f"s3/{user}"))
            for user in IDENTITIES
        }
        self.nodes = self._nodes(name, context)
        self.setup = self._setup(context)
        self.register_outputs({"nodes": [n.name for n in self.nodes]})

    def _nodes(self, name: str, context: Context) -> list[docker.Container]:
        plan, identity = context.plan, context.identity
        services = plan.by_role("object-store")
        names = (ALIAS, *(s.name for s in services), "localhost", "127.0.0.1")
        master = identity.key("s3/encryption").apply(lambda key: base64.b64encode(key).decode())
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="object-store",
                owner=USER,
                files=[
                    *key_pair(
                        identity,
                        name,
                        names,
                        certificate="certs/public.crt",
                        key="certs/private.key",
                        on_change="HUP",
                    ),
                    # Read at start only; it already has the next authority (operations/rotation/steps.py).
                    File(path="certs/CAs/ca.crt", content=identity.authority(), on_change="read"),
                    # All nodes at once: nodes with different root passwords do not accept each other.
                    *root(identity, on_change="restart"),
                    File(path="encryption-key", content=pulumi.Output.concat("aidc:", master)),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        return [self._node(context, service, files, len(services)) for service in services]

    def _node(self, context: Context, service: Service, files: FileVolume, count: int) -> docker.Container:
        settings = context.plan.config.object_store
        data = volume(context.plan.stack, f"{service.name}-data", "data", parent=self)
        peers = f"https://object-store-{{1...{count}}}:{MINIO}/data"
        process = Process(
            image=context.images["object-store"],
            command=files.followed(
                ["minio", "server", "--certs-dir", f"{FILES_DIR}/certs", "--address", f":{MINIO}", peers]
            ),
            user=USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment={
                "HOME": "/tmp",
                "MINIO_ROOT_USER_FILE": f"{FILES_DIR}/root-user",
                "MINIO_ROOT_PASSWORD_FILE": f"{FILES_DIR}/root-password",
                "MINIO_KMS_SECRET_KEY_FILE": f"{FILES_DIR}/encryption-key",
                "MINIO_KMS_AUTO_ENCRYPTION": "on",
                "MINIO_BROWSER": "off",
                "MINIO_UPDATE": "off",
            },
            files=files,
            volumes={"/data": data.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
            aliases=[ALIAS],
            health=Health(command=("healthcheck",)),
            processes=4096,
            grace=30,
        )
        return run(context, service, process, parent=self)

    def _setup(self, context: Context) -> docker.Container:
        plan, identity = context.plan, context.identity
        service = plan.service("object-store-setup")
        users = [
            File(path=f"users/{user}/{part}", content=content)
            for user, client in self.clients.items()
            for part, content in (("id", client.access_key), ("key", client.secret_key))
        ]
        files = FileVolume(
            service.name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=USER,
                files=[
                    File(path="certs/CAs/ca.crt", content=identity.authority()),
                    *root(identity, on_change="replace"),
                    File(path="buckets", content="".join(f"{bucket.name}\n" for bucket in plan.buckets)),
                    File(path="bucket-documents", content=listing(plan.buckets)),
                    *users,
                    *(
                        File(path=f"policies/{user}.json", content=policy(user, plan.buckets))
                        for user in IDENTITIES
                    ),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        process = Process(
            image=context.images["object-store"],
            command=[
                "setup-object-store",
                *(
                    f"https://{name}:{MINIO}"
                    for name in (ALIAS, *(s.name for s in plan.by_role("object-store")))
                ),
            ],
            user=USER,
            # Three clients in parallel were measured at 265 MB. With less they do not fail, but read their
            # own program from disk again and again, for minutes.
            memory=512 * MIB,
            cpus=1.0,
            environment={"HOME": "/tmp"},
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
            health=None,
            job=True,
        )
        return run(context, service, process, parent=self, depends_on=self.nodes)
