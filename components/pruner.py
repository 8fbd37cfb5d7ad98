"""Pruner: deletes snapshots outside the retention from the vault's own disk. It has no network.

The vault's server is append-only, and the writer cannot reach this disk: neither can do the other's part.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.backup import VAULT_USER, repository_passwords
from components.planning import saving
from components.planning.config import StackConfig
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs
from components.runtime.volume import READINGS, readings


def pruner_settings(config: StackConfig) -> str:
    """The settings in the container, as JSON: `retention` is for snapshots of no declared job."""
    jobs = {job.name: job.retention.model_dump() for job in saving.jobs(config)}
    return json.dumps({"retention": config.backup.retention.model_dump(), "jobs": jobs}, indent=1)


class Pruner(pulumi.ComponentResource):
    """Judges the snapshots once at start, and deletes on the schedule `backup.prune_schedule`."""

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        context: Context,
        data: pulumi.Input[str],
        depends_on: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`data` is the name of the vault's volume."""
        super().__init__("aidc:pruner:Pruner", name, None, opts)
        settings = context.plan.config.backup
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="vault-pruner",
                owner=VAULT_USER,
                files=[
                    *repository_passwords(context.identity),
                    File(path="prune.json", content=pruner_settings(context.plan.config)),
                    File(path="crontab", content=f"{settings.prune_schedule} backup prune\n"),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        left = readings(context.plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["backup"],
            command=["backup", "prune-schedule"],
            user=VAULT_USER,
            memory=512 * MIB,
            cpus=0.5,
            environment={
                "HOME": "/tmp",
                "TZ": "UTC",
                "RESTIC_PASSWORD_FILE": f"{FILES_DIR}/repository-password",
            },
            files=files,
            volumes={"/data": data, READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=Health(command=("backup", "prune-check"), interval=30),
            grace=30,
        )
        self.container = run(context, context.plan.service(name), process, parent=self, depends_on=depends_on)
        self.register_outputs({"container": self.container.name})
