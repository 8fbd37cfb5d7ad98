"""Database: PostgreSQL over TLS, with a database and two roles for each of its clients."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.planning import archive, databases
from components.planning.config import Archive
from components.planning.store_place import StorePlace
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, key_pair
from components.runtime.identity import Identity
from components.runtime.store_client import Client
from components.runtime.volume import READINGS, readings, volume

USER = "10050"
# Parallel queries share memory there; it counts against the service's own limit.
SHM = 256 * MIB


def archive_files(identity: Identity, settings: Archive, client: Client, store: StorePlace) -> list[File]:
    """What pgBackRest reads: each command anew, so that a rotated key needs no signal."""
    text = archive.settings(settings, store, files=FILES_DIR)
    passphrase = identity.password(archive.SECRET)
    complete = pulumi.Output.all(client.access_key, client.secret_key, passphrase)
    return [
        File(
            path="pgbackrest.conf",
            content=complete.apply(lambda values: archive.with_secrets(text, *values)),
            on_change="read",
        ),
        # For a restore from a copy of the archive, which needs no store.
        File(path="repository-passphrase", content=passphrase),
        File(path="archive-schedule", content=archive.schedule(settings), on_change="read"),
    ]


class Database(pulumi.ComponentResource):
    """One server. Its data volume survives a destroy; only the container's own user is a superuser."""

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(
        self, name: str, context: Context, s3_client: Client, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`s3_client` writes the archive; the server also starts while no store answers."""
        super().__init__("aidc:database:Database", name, None, opts)
        plan, identity, settings = context.plan, context.identity, context.plan.config.database
        service = plan.service(name)
        segments = dict.fromkeys(flow.segment for flow in plan.flows if flow.destination == service.role)
        subnets = [str(plan.segment(segment).subnet) for segment in segments]
        passwords = [
            File(
                path=f"passwords/{role}",
                content=identity.password(databases.secret_of(role)),
                on_change="HUP",
            )
            for role in databases.roles()
        ]
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=USER,
                files=[
                    *key_pair(identity, name, (name,), certificate="tls.crt", key="tls.key", on_change="HUP"),
                    # For the server's own clients in the container: it asks no client for a certificate.
                    File(path="ca.crt", content=identity.authority(), on_change="read"),
                    *passwords,
                    *archive_files(identity, settings.archive, s3_client, plan.store),
                    *s3_client.trust(plan.store),
                    File(path="roles", content=databases.declared()),
                    File(path="postgresql.conf", content=databases.server_settings(settings)),
                    File(path="pg_hba.conf", content=databases.access_rules(subnets)),
                    File(path="pg_ident.conf", content="# nobody is mapped\n"),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        data = volume(plan.stack, f"{name}-data", "data", parent=self)
        left = readings(plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["database"],
            command=files.followed(["database-server"]),
            user=USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment={"HOME": "/tmp", "TZ": "UTC", "CAPACITY": str(settings.storage)},
            files=files,
            volumes={"/data": data.name, READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=Health(command=("healthcheck",), interval=10),
            shm=SHM,
            processes=256,
            # Until everything is written down and no session is left.
            grace=120,
        )
        self.container = run(context, service, process, parent=self)
        self.register_outputs({"container": self.container.name})
