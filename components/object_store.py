"""ObjectStore: MinIO nodes as one erasure-coded store over TLS, with one least-privilege user a client."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.container import Health, Process, run
from components.context import Context
from components.files import FILES_DIR, File, FileVolume, FileVolumeArgs, key_pair
from components.flows import MINIO
from components.plan import Service
from components.volume import volume

USER = "10020"
MIB = 2**20
ALIAS = "object-store"
BUCKETS = ("datasets", "checkpoints", "models", "results")
_READ = ("s3:GetObject", "s3:GetBucketLocation", "s3:ListBucket", "s3:GetObjectVersion")
_WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
# User → (buckets it may read, buckets it may write).
GRANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "compute": (BUCKETS, BUCKETS),
    "client": (BUCKETS, ("datasets", "results")),
    "backup": (BUCKETS, ()),
}


@dataclass(frozen=True)
class Client:
    """An S3 user's name and secret key."""

    access_key: str
    secret_key: pulumi.Output[str]

    def credentials_file(self) -> pulumi.Output[str]:
        """The AWS tools' shared credentials file."""
        return self.secret_key.apply(
            lambda key: f"[default]\naws_access_key_id = {self.access_key}\naws_secret_access_key = {key}\n"
        )


def policy(user: str) -> str:
    """The S3 policy of `user` as JSON: the actions it needs on the buckets it needs, and nothing else."""
    readable, writable = GRANTS[user]

    def statement(actions: tuple[str, ...], buckets: tuple[str, ...]) -> dict[str, object]:
        resources = [f"arn:aws:s3:::{bucket}{suffix}" for bucket in buckets for suffix in ("", "/*")]
        return {"Effect": "Allow", "Action": list(actions), "Resource": resources}

    statements = [statement(_READ, readable)]
    if writable:
        statements.append(statement(_WRITE, writable))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=1)


class ObjectStore(pulumi.ComponentResource):
    """The nodes and the job that makes buckets, users and policies. Data volumes survive a destroy."""

    nodes: list[docker.Container]
    setup: docker.Container
    clients: dict[str, Client]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:object_store:ObjectStore", name, None, opts)
        self.clients = {user: Client(user, context.identity.password(f"s3/{user}")) for user in GRANTS}
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
                    # Read at start only; it holds the next authority too (operations/rotation.py).
                    File(path="certs/CAs/ca.crt", content=identity.authority(), on_change="read"),
                    File(path="root-user", content="root"),
                    # All nodes at once: those with another root password are strangers to each other.
                    File(path="root-password", content=identity.password("s3/root"), on_change="restart"),
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
        users = [File(path=f"users/{u}", content=client.secret_key) for u, client in self.clients.items()]
        files = FileVolume(
            service.name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=USER,
                files=[
                    File(path="ca.crt", content=identity.authority()),
                    File(path="root-password", content=identity.password("s3/root")),
                    File(path="buckets", content="\n".join(BUCKETS) + "\n"),
                    *users,
                    *(File(path=f"policies/{user}.json", content=policy(user)) for user in GRANTS),
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
            # Three clients side by side were seen to need 265 MB. Short of that they do not fail: they read
            # their own program from disk again and again, for minutes.
            memory=512 * MIB,
            cpus=1.0,
            environment={"HOME": "/tmp"},
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=16m"},
            health=None,
            job=True,
        )
        return run(context, service, process, parent=self, depends_on=self.nodes)
