"""Alerting: Alertmanager, which groups alerts, keeps silences, and tells the declared receivers."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.alerting import settings
from components.planning.flows import ALERTMANAGER
from components.planning.receivers import SECRET
from components.planning.receivers import USER as LOGIN
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, served_with
from components.runtime.receivers import Told
from components.runtime.volume import volume

USER = "10090"


def command(name: str) -> list[str]:
    """The server, which others know by `name`."""
    return [
        "prometheus-alertmanager",
        f"--config.file={FILES_DIR}/alertmanager.yaml",
        f"--web.config.file={FILES_DIR}/web.yaml",
        f"--web.listen-address=:{ALERTMANAGER}",
        f"--web.external-url=https://{name}:{ALERTMANAGER}/",
        "--web.get-concurrency=8",
        "--web.timeout=20s",
        "--storage.path=/data",
        "--data.maintenance-interval=1m",
        "--silences.max-silences=500",
        "--silences.max-silence-size-bytes=4096",
        "--cluster.listen-address=",
        "--enable-feature=receiver-name-in-metrics",
        "--log.level=warn",
    ]


class Alerting(pulumi.ComponentResource):
    """The metrics service hands alerts over; what they are told with leaves by the gateway alone."""

    container: docker.Container

    def __init__(
        self,
        name: str,
        context: Context,
        told: Told,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`told` are the secrets and authorities of the receivers."""
        super().__init__("aidc:alerting:Alerting", name, None, opts)
        plan, identity = context.plan, context.identity
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="alerts",
                owner=USER,
                files=[
                    # The server reads certificate, key, login and secrets again for each connection.
                    *served_with(identity, name, on_change="read"),
                    File(
                        path="web.yaml",
                        content=identity.htpasswd(LOGIN, SECRET).apply(settings.web),
                        on_change="read",
                    ),
                    File(
                        path="login",
                        content=identity.password(SECRET).apply(settings.login),
                        on_change="read",
                    ),
                    File(path="alertmanager.yaml", content=settings.configuration(plan)),
                    # A plan that is only checked has stand-ins from the seed, like all secrets there.
                    *(
                        File(
                            path=path,
                            content=identity.password(f"monitoring/{path}") if text is None else text,
                            on_change="read",
                        )
                        for path, text in told.secrets.items()
                    ),
                    *(File(path=path, content=text) for path, text in told.authorities.items()),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        # Silences, and what was told already.
        data = volume(plan.stack, f"{name}-data", "scratch", parent=self)
        process = Process(
            image=context.images["alerts"],
            command=command(name),
            user=USER,
            memory=128 * MIB,
            cpus=0.25,
            environment={"HOME": "/tmp", "TZ": "UTC", "GOMAXPROCS": "1", "GOMEMLIMIT": "96MiB"},
            files=files,
            volumes={"/data": data.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            health=Health(command=("ask-alerts", "GET", "/-/healthy"), interval=10),
            processes=128,
        )
        self.container = run(context, plan.service(name), process, parent=self)
        self.register_outputs({"container": self.container.name})
