"""FrontDoor: one page that shows how the stack is doing, made of what the metrics know."""

from __future__ import annotations

import json
from functools import partial

import pulumi
import pulumi_docker as docker

from components.load_balancer import endpoints
from components.planning.flows import MONITORING, PAGE
from components.planning.monitoring import DOOR_SECRET, QUERY, RULES, SECRET, VIEWER
from components.planning.plan import Plan
from components.planning.tracking import authorization_digest
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, served_with
from components.runtime.volume import READINGS, readings, volume

USER = "10080"
FIGURES, ALERTS = (f"https://load-balancer:{MONITORING}{path}" for path in (QUERY, RULES))


def settings(plan: Plan) -> str:
    """What the page is about and where it asks, as JSON."""
    document = {
        "stack": plan.stack,
        "services": [{"name": service.name, "role": service.role} for service in plan.services],
        "endpoints": endpoints(plan),
        "figures": FIGURES,
        "alerts": ALERTS,
    }
    return json.dumps(document, indent=1) + "\n"


class FrontDoor(pulumi.ComponentResource):
    """It reads figures and alerts through the load balancer, with a login that reads nothing else.

    It has neither Ray's token nor the engine's socket: what only a workstation knows, that tells it.
    """

    container: docker.Container
    readings: pulumi.Output[str]

    def __init__(self, name: str, context: Context, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:front_door:FrontDoor", name, None, opts)
        plan, identity = context.plan, context.identity
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role="home",
                owner=USER,
                files=[
                    *served_with(identity, name, on_change="read"),
                    File(path="password", content=identity.password(DOOR_SECRET), on_change="read"),
                    File(
                        path="login",
                        content=identity.password(SECRET).apply(partial(authorization_digest, VIEWER)),
                        on_change="read",
                    ),
                    File(path="stack.json", content=settings(plan)),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        told = volume(plan.stack, f"{name}-told", "scratch", parent=self)
        left = readings(plan.stack, name, parent=self)
        self.readings = left.name
        process = Process(
            image=context.images["home"],
            command=["home", "serve"],
            user=USER,
            memory=96 * MIB,
            cpus=0.25,
            environment={"HOME": "/tmp", "TZ": "UTC", "DOOR_FILES": FILES_DIR, "DOOR_PORT": str(PAGE)},
            files=files,
            volumes={"/told": told.name, READINGS: left.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=4m"},
            health=Health(command=("home", "health"), interval=10),
            processes=64,
            grace=5,
        )
        self.container = run(context, plan.service(name), process, parent=self)
        self.register_outputs({"container": self.container.name})
