"""Drill: restores the newest snapshot for trial, on its schedule. No network; the vault is read-only."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.backup import VAULT_USER, repository_passwords
from components.planning import archive, saving
from components.planning.config import StackConfig
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs
from components.runtime.volume import READINGS, readings, volume


def drill_settings(config: StackConfig) -> str:
    """The settings of the job in the container, as JSON; `jobs` are those of the backup."""
    jobs = [job.name for job in saving.jobs(config)]
    return json.dumps({"schedule": config.drill.schedule, "jobs": jobs}, indent=1)


class Drill(pulumi.ComponentResource):
    """Healthy when its record can be read: what became of the drills is for the status and the audit."""

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
        super().__init__("aidc:drill:Drill", name, None, opts)
        settings = context.plan.config.drill
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="drill",
                owner=VAULT_USER,
                files=[
                    *repository_passwords(context.identity),
                    # Of the database's archive, which lies encrypted in the snapshot.
                    File(
                        path="repository-passphrase",
                        content=context.identity.password(archive.SECRET),
                    ),
                    File(path="drill.json", content=drill_settings(context.plan.config)),
                    File(path="crontab", content=f"{settings.schedule} backup trial\n"),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        scratch = volume(context.plan.stack, f"{name}-scratch", "scratch", parent=self)
        left = readings(context.plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["drill"],
            command=["backup", "trial-schedule"],
            user=VAULT_USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment={
                "HOME": "/tmp",
                "TZ": "UTC",
                "RESTIC_PASSWORD_FILE": f"{FILES_DIR}/repository-password",
            },
            files=files,
            volumes={"/drill": scratch.name, READINGS: left.name},
            read_only_volumes={"/data": data},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=Health(command=("backup", "trial-check", "--health"), interval=30),
            grace=30,
        )
        self.container = run(context, context.plan.service(name), process, parent=self, depends_on=depends_on)
        self.register_outputs({"container": self.container.name})
