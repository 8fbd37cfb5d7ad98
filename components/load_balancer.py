"""LoadBalancer: HAProxy, the only service that is reachable from outside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pulumi
import pulumi_docker as docker

from components.planning import logs, notebook
from components.planning.flows import (
    HOME,
    INFERENCE,
    LB_METRICS,
    LB_STATS,
    LOGS,
    METRICS,
    MLFLOW,
    MONITORING,
    NOTEBOOK,
    PAGE,
    RAY_API,
    READING,
    S3,
    SERVE,
    STORE_GATEWAY,
    TRACKING,
)
from components.planning.monitoring import (
    ASKED,
    DOOR,
    DOOR_SECRET,
    LOOKED_AT,
    QUERY,
    RULES,
    SECRET,
    VIEWER,
)
from components.planning.plan import Plan, Service
from components.planning.tracking import USERS, authorization, balancer_names, secret_of
from components.planning.units import GIB, MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs
from components.runtime.identity import Identity
from components.runtime.rendering import render

USER = "10010"
# Port in the container; largest body in bytes; methods that may have a body.
# pure: no request has side effects (a prediction has none), so each may be sent again to another server.
# token: checked here; S3 and Ray check their clients themselves, tracking and metrics behind the check here.
FRONTENDS: tuple[dict[str, Any], ...] = (
    {
        "name": "inference",
        "port": INFERENCE,
        "max_body": 2 * MIB,
        "body": "POST",
        "pure": True,
        "token": True,
    },
    {"name": "s3", "port": S3, "max_body": 5 * GIB, "body": "POST PUT", "pure": False, "token": False},
    {
        "name": "ray",
        "port": RAY_API,
        "max_body": 512 * MIB,
        "body": "PATCH POST PUT",
        "pure": False,
        "token": False,
    },
    {
        "name": "tracking",
        "port": TRACKING,
        "max_body": 2 * GIB,
        "body": "DELETE PATCH POST PUT",
        "pure": False,
        "token": False,
    },
    {
        "name": "monitoring",
        "port": MONITORING,
        "max_body": MIB // 16,
        "body": "POST",
        "pure": True,
        "token": False,
    },
    {
        "name": "logs",
        "port": READING,
        "max_body": MIB // 16,
        "body": "POST",
        "pure": True,
        "token": False,
    },
    {"name": "home", "port": HOME, "max_body": 0, "body": "POST", "pure": True, "token": False},
)
# Only where a notebook may run.
DOOR_OF_NOTEBOOK: dict[str, Any] = {
    "name": "notebook",
    "port": NOTEBOOK,
    "max_body": 128 * MIB,
    "body": "DELETE PATCH POST PUT",
    "pure": False,
    "token": False,
}
# Bytes of a call to MLflow's API, which its server keeps in memory; artefacts pass through it by file.
CALL = 16 * MIB

# File in the container → the one user whose login it holds, and the name of the password.
LOGINS = {
    "monitoring-logins": (VIEWER, SECRET),
    "logs-login": (logs.READER, logs.SECRET),
    "home-login": (DOOR, DOOR_SECRET),
    "notebook-login": (notebook.USER, notebook.SECRET),
}
# Open connections that one client address may hold.
CONNECTIONS = 500
# Seconds that a connection may take for its TLS handshake, and again for the headers of its first request.
SILENCE = 4
# Bytes of an S3 form that are inspected; HAProxy's buffer (16 KiB) holds the request's headers as well.
FORM = 8192
HSTS = "max-age=31536000"
DRIVER = "A job has to ask for resources, or its driver would run on the head: add --entrypoint-num-cpus 0.1"
# In the image: the script that decides what the S3 frontend refuses.
S3_EDGE = "/usr/local/share/aidc/s3-edge.lua"


def frontends(plan: Plan) -> tuple[dict[str, Any], ...]:
    """Those that the stack has."""
    return (*FRONTENDS, DOOR_OF_NOTEBOOK) if plan.config.notebook.enabled else FRONTENDS


def configuration(plan: Plan) -> str:
    """haproxy.cfg of a stack."""

    def servers(services: tuple[Service, ...], segment: str) -> list[dict[str, Any]]:
        return [{"name": s.name, "address": s.addresses[segment]} for s in services]

    return render(
        "haproxy.cfg.j2",
        stack=plan.stack,
        files=FILES_DIR,
        frontends=frontends(plan),
        rates=plan.config.load_balancer.requests_per_second.model_dump(),
        connections=CONNECTIONS,
        silence=SILENCE,
        form=FORM,
        call=CALL,
        hsts=HSTS,
        driver=DRIVER,
        s3_edge=S3_EDGE,
        compute=servers(plan.by_role("compute"), "service"),
        object_store=servers(plan.by_role(STORE_GATEWAY) or plan.by_role("object-store"), "storage"),
        store=plan.store,
        tracking=plan.service("tracking").addresses["service"],
        mlflow_port=MLFLOW,
        metrics=plan.service("metrics").addresses["monitor"],
        metrics_port=METRICS,
        logs=plan.service("logs").addresses["monitor"],
        logs_port=LOGS,
        logs_looked_at=logs.LOOKED_AT,
        logs_asked=logs.ASKED,
        home=plan.service("home").addresses["monitor"],
        page_port=PAGE,
        notebook_port=NOTEBOOK if plan.config.notebook.enabled else None,
        notebook=notebook.SERVER,
        door_asks=(QUERY, RULES),
        viewer=VIEWER,
        looked_at=LOOKED_AT,
        asked=ASKED,
        monitor_address=plan.service("load-balancer").addresses["monitor"],
        own_metrics_port=LB_METRICS,
        ray_head=plan.service("ray-head").addresses["service"],
        serve_port=SERVE,
        ray_port=RAY_API,
        stats_port=LB_STATS,
    )


def endpoints(plan: Plan) -> dict[str, str | None]:
    """The public URL of each service; None for services that the stack does not have."""
    names = ("inference", "s3", "tracking", "ray", "monitoring", "logs", "home", "notebook")
    urls = {name: f"https://{plan.config.load_balancer.bind}:{port}" for name, port in ports(plan).items()}
    return {name: urls.get(name) for name in names}


def ports(plan: Plan) -> dict[str, int]:
    """The port that the host publishes for each frontend."""
    return plan.config.load_balancer.ports.opened(plan.config.notebook.enabled)


def tracking_logins(identity: Identity) -> pulumi.Output[str]:
    """What the header Authorization may say on the way to tracking, a line for each user."""
    return pulumi.Output.concat(*(login(identity, user, secret_of(user)) for user in USERS))


def login(identity: Identity, user: str, secret: str) -> pulumi.Output[str]:
    """What the header Authorization may say where `user` alone is let in; `secret`: the password's name."""
    return pulumi.Output.concat(identity.password(secret).apply(partial(authorization, user)), "\n")


def passed_on(identity: Identity) -> pulumi.Output[str]:
    """A map: whose login the metrics server knows → that login."""
    return pulumi.Output.concat(VIEWER, " ", login(identity, VIEWER, SECRET))


class LoadBalancer(pulumi.ComponentResource):
    """HAProxy with TLS, health checks and limits. `token` opens the inference endpoint."""

    container: docker.Container
    token: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        context: Context,
        trust: Sequence[File] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`trust`: the authority of an outside object store."""
        super().__init__("aidc:load_balancer:LoadBalancer", name, None, opts)
        self.token = context.identity.password("inference/token")
        settings = context.plan.config.load_balancer
        names = balancer_names(context.plan)
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="load-balancer",
                owner=USER,
                files=[
                    File(path="haproxy.cfg", content=configuration(context.plan)),
                    File(
                        path="tls.pem",
                        content=context.identity.pem(name, names, lambda c: c.bundle),
                        on_change="USR2",
                    ),
                    File(path="ca.crt", content=context.identity.authority(), on_change="USR2"),
                    *trust,
                    File(
                        path="inference-token",
                        content=pulumi.Output.concat("Bearer ", self.token, "\n"),
                        on_change="USR2",
                    ),
                    File(path="tracking-logins", content=tracking_logins(context.identity), on_change="USR2"),
                    *(
                        File(path=path, content=login(context.identity, *who), on_change="USR2")
                        for path, who in LOGINS.items()
                    ),
                    File(path="passed-on.map", content=passed_on(context.identity), on_change="USR2"),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        inside = {str(frontend["name"]): int(frontend["port"]) for frontend in frontends(context.plan)}
        process = Process(
            image=context.images["load-balancer"],
            # USR2 makes the master reload its files and hand the open ports to a new worker.
            command=files.followed(["haproxy", "-W", "-db", "-f", f"{FILES_DIR}/haproxy.cfg"]),
            user=USER,
            memory=settings.memory,
            cpus=settings.cpus,
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            ports=[
                docker.ContainerPortArgs(
                    internal=inside[purpose], external=port, ip=str(settings.bind), protocol="tcp"
                )
                for purpose, port in ports(context.plan).items()
            ],
            health=Health(command=("healthcheck",), start_period=10),
            grace=10,
        )
        self.container = run(context, context.plan.service("load-balancer"), process, parent=self)
        self.register_outputs({"container": self.container.name})
