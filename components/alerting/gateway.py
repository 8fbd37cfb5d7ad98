"""Gateway: the one way from Alertmanager to the receivers that the YAML declares.

Alertmanager finds it under the receivers' own names and speaks TLS with them through it: the gateway holds no
secret, and sees no plain byte.
"""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.alerting import settings
from components.planning import receivers
from components.planning.flows import ALERT_GATEWAY
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs

USER = "10010"


class Gateway(pulumi.ComponentResource):
    """HAProxy, which passes connections on by the name that they ask for."""

    container: docker.Container

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:alerting:Gateway", name, None, opts)
        places = receivers.places(context.plan.config.monitoring.alerts)
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role=ALERT_GATEWAY,
                owner=USER,
                files=[File(path="haproxy.cfg", content=settings.gateway(context.plan))],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        process = Process(
            image=context.images["load-balancer"],
            command=["haproxy", "-W", "-db", "-f", f"{FILES_DIR}/haproxy.cfg"],
            user=USER,
            memory=64 * MIB,
            cpus=0.25,
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            aliases=list(dict.fromkeys(place.host for place in places)),
            health=Health(command=("healthcheck",), start_period=10),
            grace=10,
        )
        self.container = run(context, context.plan.service(name), process, parent=self)
        self.register_outputs({"container": self.container.name})
