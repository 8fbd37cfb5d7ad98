"""Logs: VictoriaLogs, and the collector that takes the lines of all containers from the engine."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.planning.flows import LOGS
from components.planning.logs import SECRET, settings
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, served_with
from components.runtime.volume import READINGS, readings, volume

USER = "10091"
# Parts of the memory limit: what the server's caches may take, and from where its runtime tidies up harder.
CACHES, HARDER = 0.3, 0.5


class Logs(pulumi.ComponentResource):
    """The engine sends the lines; who reads them comes through the load balancer. It asks nobody."""

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:logs:Logs", name, None, opts)
        plan, identity, sizes = context.plan, context.identity, context.plan.config.logs
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="logs",
                owner=USER,
                files=[
                    # The server reads certificate, key and passwords again by itself, every second.
                    *served_with(identity, name, on_change="read"),
                    File(path="password", content=identity.password(SECRET), on_change="read"),
                    # Nobody is told this one: with it, lines could be deleted.
                    File(path="locked", content=identity.password("logs/locked"), on_change="read"),
                    File(path="stack.json", content=settings(plan)),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        data = volume(plan.stack, f"{name}-data", "scratch", parent=self)
        left = readings(plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["logs"],
            command=["logs-server"],
            user=USER,
            memory=sizes.memory,
            cpus=sizes.cpus,
            environment={
                "HOME": "/tmp",
                "TZ": "UTC",
                "LOGS_FILES": FILES_DIR,
                "LOGS_PORT": str(LOGS),
                "LOGS_RETENTION": f"{sizes.retention_days}d",
                "LOGS_STORAGE": str(sizes.storage),
                "LOGS_CACHES": str(int(sizes.memory * CACHES)),
                "LOGS_HARDER": f"{int(sizes.memory * HARDER) // MIB}MiB",
            },
            files=files,
            volumes={"/data": data.name, READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=8m"},
            health=Health(command=("healthcheck",), interval=10),
            processes=256,
            grace=30,
        )
        self.container = run(context, plan.service(name), process, parent=self)
        self.register_outputs({"container": self.container.name})
