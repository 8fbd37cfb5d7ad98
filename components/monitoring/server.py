"""Monitoring: VictoriaMetrics, vmalert and the node exporter in one container."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from components.monitoring import dashboards, readings, rules, scrape
from components.planning import receivers
from components.planning.flows import ALERTMANAGER, METRICS
from components.planning.monitoring import SECRET, token
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, served_with
from components.runtime.store_client import Client
from components.runtime.volume import READINGS, volume

USER = "10070"
# Where the volumes are into which services leave their figures; what is taken over of them is in READINGS.
LEFT = "/left"
# Parts of the memory limit: what the server's caches may take, and from where its runtime tidies up harder.
CACHES, HARDER = 0.3, 0.55


class Monitoring(pulumi.ComponentResource):
    """Asks every service for its metrics; who looks at them comes through the load balancer.

    It goes to the segments of the others, and not they to one of its own: services that meet in two segments
    would find each other by name in either, and the firewall lets what they say pass in one only.
    """

    container: docker.Container

    def __init__(
        self,
        name: str,
        context: Context,
        s3_client: Client,
        left: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`s3_client` is the object store's user that may read its metrics and nothing else.

        `left`: service → the volume with its figures, of services that nothing may connect to.
        """
        super().__init__("aidc:monitoring:Monitoring", name, None, opts)
        plan, identity, settings = context.plan, context.identity, context.plan.config.monitoring
        bearer = pulumi.Output.all(s3_client.access_key, s3_client.secret_key)
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="metrics",
                owner=USER,
                files=[
                    # The server reads certificate, key and passwords again by itself, every second.
                    *served_with(identity, name, on_change="read"),
                    File(path="password", content=identity.password(SECRET), on_change="read"),
                    # Nobody is told this one: with it, metrics could be deleted.
                    File(path="locked", content=identity.password("monitoring/locked"), on_change="read"),
                    # With it, alerts are handed to who tells people of them.
                    File(
                        path="alerts-password", content=identity.password(receivers.SECRET), on_change="read"
                    ),
                    File(
                        path="object-store-token",
                        content=bearer.apply(lambda pair: token(*pair)),
                        on_change="read",
                    ),
                    File(
                        path="readings/certificates.prom",
                        content=scrape.certificates(identity.generations),
                        on_change="read",
                    ),
                    File(path="scrape.yaml", content=scrape.configuration(plan)),
                    File(
                        path="readings-allowed",
                        content=readings.allowed([node.name for node in plan.by_role("compute")]),
                    ),
                    File(path="rules.yaml", content=rules.configuration(plan)),
                    *(
                        File(path=f"dashboards/{file}", content=content)
                        for file, content in dashboards.files().items()
                    ),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        data = volume(plan.stack, f"{name}-data", "scratch", parent=self)
        process = Process(
            image=context.images["metrics"],
            command=["metrics-server"],
            user=USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment={
                "HOME": "/tmp",
                "TZ": "UTC",
                "METRICS_PORT": str(METRICS),
                "METRICS_RETENTION": f"{settings.retention_days}d",
                "METRICS_CACHES": str(int(settings.memory * CACHES)),
                "METRICS_HARDER": f"{int(settings.memory * HARDER) // MIB}MiB",
                "METRICS_FILES": FILES_DIR,
                "METRICS_TOLD": f"https://alerts:{ALERTMANAGER}",
            },
            files=files,
            volumes={"/data": data.name},
            read_only_volumes={f"{LEFT}/{service}": name for service, name in left.items()},
            tmpfs={
                "/tmp": "rw,noexec,nosuid,nodev,size=16m",
                READINGS: f"rw,noexec,nosuid,nodev,size=4m,uid={USER},gid={USER},mode=0700",
            },
            health=Health(command=("healthcheck",), interval=10),
            processes=256,
            grace=30,
        )
        self.container = run(context, plan.service(name), process, parent=self)
        self.register_outputs({"container": self.container.name})
