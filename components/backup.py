"""Vault and BackupJob: snapshots of the object store in an append-only restic repository."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.planning import databases, saving
from components.planning.config import StackConfig
from components.planning.databases import DATABASES
from components.planning.flows import VAULT
from components.planning.store_place import StorePlace
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, key_pair
from components.runtime.identity import Identity
from components.runtime.logins import logins
from components.runtime.store_client import Client
from components.runtime.volume import READINGS, readings, volume

VAULT_USER = "10030"
BACKUP_USER = "10040"
WRITER = "backup"


class Vault(pulumi.ComponentResource):
    """restic's REST server in append-only mode: a writer can add, but neither change nor delete."""

    container: docker.Container
    data: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:backup:Vault", name, None, opts)
        plan, identity = context.plan, context.identity
        names = (name, "localhost", "127.0.0.1")
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="vault",
                owner=VAULT_USER,
                files=[
                    *key_pair(
                        identity, name, names, certificate="tls.crt", key="tls.key", on_change="restart"
                    ),
                    File(path="ca.crt", content=identity.authority(), on_change="read"),
                    File(
                        path="htpasswd",
                        content=identity.htpasswd(WRITER, "vault/writer"),
                        on_change="restart",
                    ),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        data = volume(plan.stack, f"{name}-data", "data", parent=self)
        self.data = data.name
        process = Process(
            image=context.images["vault"],
            command=files.followed([
                "vault-server",
                "--listen", f":{VAULT}",
                "--path", "/data",
                "--append-only",
                # A limit that also binds a malicious writer; the job itself stops before it.
                "--max-size", str(plan.config.backup.vault_capacity),
                "--private-repos",
                "--htpasswd-file", f"{FILES_DIR}/htpasswd",
                "--tls",
                "--tls-cert", f"{FILES_DIR}/tls.crt",
                "--tls-key", f"{FILES_DIR}/tls.key",
            ]),
            user=VAULT_USER,
            memory=256 * MIB,
            cpus=0.5,
            files=files,
            volumes={"/data": data.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            health=Health(command=("healthcheck",), start_period=10),
            grace=30,
        )  # fmt: skip
        self.container = run(context, plan.service("vault"), process, parent=self)
        self.register_outputs({"container": self.container.name})


def job_settings(config: StackConfig, store: StorePlace) -> str:
    """The settings of the jobs in the container, as JSON; sizes in bytes."""
    settings = config.backup
    told: dict[str, object] = {
        "endpoint": store.url,
        "limits": {"staging": settings.staging_capacity, "vault": settings.vault_capacity},
        "dump_hours": settings.dump_hours,
        "initial": {d.name: dict(d.initial) for d in DATABASES},
        "jobs": {
            job.name: {
                "schedule": job.schedule,
                "buckets": job.buckets,
                "databases": job.databases,
                "log": job.log,
                "configuration": job.configuration,
            }
            for job in saving.jobs(config)
        },
        "unsaved": saving.unsaved(config),
    }
    if store.is_outside:
        told |= {"region": store.region, "authority": f"{FILES_DIR}/{store.authority}"}
    return json.dumps(told, indent=1)


def crontab(config: StackConfig) -> str:
    """One line a job. Two that are due at once wait for each other."""
    lines = (f"{job.schedule} backup run --scheduled --job {job.name}" for job in saving.jobs(config))
    return "".join(f"{line}\n" for line in lines)


def bucket_lists(config: StackConfig) -> list[File]:
    """Which buckets are saved, and which are not: a policy compares both with those that are created."""
    saved = dict.fromkeys(bucket for job in saving.jobs(config) for bucket in job.buckets)
    lists = {"buckets": saved, "unsaved": saving.unsaved_buckets(config)}
    return [
        File(path=path, content="".join(f"{n}\n" for n in names) or "\n") for path, names in lists.items()
    ]


def repository_passwords(identity: Identity) -> list[File]:
    """The repository's current and previous password: a repository may not know the new one yet."""
    return [
        File(path="repository-password", content=identity.password("vault/repository"), on_change="read"),
        File(
            path="repository-password-before",
            content=identity.password_before("vault/repository"),
            on_change="read",
        ),
    ]


class BackupJob(pulumi.ComponentResource):
    """Runs every job at start, then each on its schedule; healthy only after their snapshots were read back.

    It is also healthy when the store could not deliver some objects: everything else is saved, and the status
    names what is missing.
    """

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        context: Context,
        s3_client: Client,
        depends_on: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`s3_client` is the object store's read-only user, `depends_on` is what the first backup needs."""
        super().__init__("aidc:backup:BackupJob", name, None, opts)
        plan, identity, settings = context.plan, context.identity, context.plan.config.backup
        repository = identity.password("vault/writer").apply(
            lambda secret: f"rest:https://{WRITER}:{secret}@vault:{VAULT}/{WRITER}/"
        )
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="backup",
                owner=BACKUP_USER,
                files=[
                    File(path="ca.crt", content=identity.authority(), on_change="read"),
                    File(path="repository", content=repository, on_change="read"),
                    *repository_passwords(identity),
                    s3_client.credentials(plan.store, on_change="read"),
                    *s3_client.trust(plan.store),
                    File(path="pgpass", content=logins(identity, (databases.READER,)), on_change="read"),
                    File(path="backup.json", content=job_settings(plan.config, plan.store)),
                    *bucket_lists(plan.config),
                    File(path="crontab", content=crontab(plan.config)),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        staging = volume(plan.stack, f"{name}-staging", "scratch", parent=self)
        left = readings(plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["backup"],
            command=["backup", "schedule"],
            user=BACKUP_USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment={
                "HOME": "/tmp",
                # restic writes its packs there before sending them: 16 MiB each, several at a time.
                "TMPDIR": "/staging/temporary",
                "TZ": "UTC",
                "AWS_SHARED_CREDENTIALS_FILE": f"{FILES_DIR}/{plan.store.credentials}",
                "PGHOST": "database",
                "PGUSER": databases.READER,
                "PGPASSFILE": f"{FILES_DIR}/pgpass",
                "PGSSLMODE": "verify-full",
                "PGSSLROOTCERT": f"{FILES_DIR}/ca.crt",
                "PGCHANNELBINDING": "require",
                "PGCONNECT_TIMEOUT": "10",
                "RESTIC_CACERT": f"{FILES_DIR}/ca.crt",
                "RESTIC_CACHE_DIR": "/staging/cache",
                "RESTIC_PASSWORD_FILE": f"{FILES_DIR}/repository-password",
                "RESTIC_REPOSITORY_FILE": f"{FILES_DIR}/repository",
            },
            files=files,
            volumes={"/staging": staging.name, READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=Health(command=("backup", "check", "--health")),
            grace=10,
        )
        self.container = run(context, plan.service(name), process, parent=self, depends_on=depends_on)
        self.register_outputs({"container": self.container.name})
