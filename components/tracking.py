"""Tracking: MLflow over TLS on the database and the object store, and the job that prepares its databases."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from components.planning.databases import TRACKING, TRACKING_AUTH
from components.planning.flows import DATABASE, MLFLOW
from components.planning.plan import Plan
from components.planning.tracking import BENCHMARK, USERS, hosts, secret_of
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, Change, File, FileVolume, FileVolumeArgs, served_with
from components.runtime.identity import Identity
from components.runtime.logins import logins
from components.runtime.store_client import Client
from components.runtime.volume import volume

USER = "10060"
# Seconds for which a login that was right counts as right: each check of a password takes the server a good
# part of a second. At the load balancer a replaced password ends at once.
LOGIN_KEPT = 20
# Nobody sees what nobody gave to them; each database role's password is in the file that libpq reads.
AUTHORISATION = f"""\
[mlflow]
default_permission = NO_PERMISSIONS
database_uri = postgresql+psycopg://{TRACKING_AUTH.application}@database:{DATABASE}/{TRACKING_AUTH.name}
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = {LOGIN_KEPT}
"""


def user_file(identity: Identity, user: str, on_change: Change) -> File:
    """The password of one of MLflow's users."""
    return File(path=f"users/{user}", content=identity.password(secret_of(user)), on_change=on_change)


def environment(plan: Plan) -> dict[str, str]:
    """Of the server. No secrets: these are in files."""
    told, store = hosts(plan), plan.store
    return {
        "HOME": "/tmp",
        "TZ": "UTC",
        "TRACKING_PORT": str(MLFLOW),
        "TRACKING_HOSTS": ",".join([*told, f"localhost:{MLFLOW}"]),
        "TRACKING_ORIGINS": ",".join(f"https://{host}" for host in told),
        "MLFLOW_S3_ENDPOINT_URL": store.url,
        "AWS_DEFAULT_REGION": store.region,
        "AWS_SHARED_CREDENTIALS_FILE": f"{FILES_DIR}/{store.credentials}",
        "AWS_CA_BUNDLE": f"{FILES_DIR}/{store.authority}",
        # The store takes a checksum in a trailer only where the signature covers the stream.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Tracking(pulumi.ComponentResource):
    """The server, which may change rows and not tables, and the job that makes tables and users."""

    container: docker.Container
    setup: docker.Container

    def __init__(
        self,
        name: str,
        context: Context,
        s3_client: Client,
        depends_on: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`s3_client` is the object store's user for artefacts; `depends_on` is what server and job need."""
        super().__init__("aidc:tracking:Tracking", name, None, opts)
        self.setup = self._setup(context, depends_on)
        self.container = self._server(name, context, s3_client, depends_on)
        self.register_outputs({"container": self.container.name})

    def _setup(self, context: Context, depends_on: Sequence[pulumi.Resource]) -> docker.Container:
        plan, identity = context.plan, context.identity
        service = plan.service("tracking-setup")
        owners = logins(identity, (TRACKING.owner, TRACKING_AUTH.owner))
        files = FileVolume(
            service.name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=USER,
                files=[
                    File(path="ca.crt", content=identity.authority(), on_change="read"),
                    File(path="pgpass", content=owners, on_change="read"),
                    # A new password makes a new job, which gives it to MLflow.
                    *(user_file(identity, user, "replace") for user in USERS),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        process = Process(
            image=context.images["tracking"],
            command=["tracking", "setup"],
            user=USER,
            memory=1024 * MIB,
            cpus=1.0,
            environment={"HOME": "/tmp", "TZ": "UTC", "MLFLOW_DISABLE_TELEMETRY": "true"},
            files=files,
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=None,
            job=True,
        )
        return run(context, service, process, parent=self, depends_on=depends_on)

    def _server(
        self, name: str, context: Context, s3_client: Client, depends_on: Sequence[pulumi.Resource]
    ) -> docker.Container:
        plan, identity, settings = context.plan, context.identity, context.plan.config.tracking
        service = plan.service(name)
        applications = logins(identity, (TRACKING.application, TRACKING_AUTH.application))
        files = FileVolume(
            name,
            FileVolumeArgs(
                context=context,
                role=service.role,
                owner=USER,
                files=[
                    *served_with(identity, name, on_change="HUP"),
                    File(path="pgpass", content=applications, on_change="read"),
                    # Read once, when the first artefact is asked for.
                    s3_client.credentials(plan.store, on_change="restart"),
                    *s3_client.trust(plan.store),
                    # Of the health check alone.
                    user_file(identity, BENCHMARK, "read"),
                    File(path="auth.ini", content=AUTHORISATION),
                ],
            ),
            pulumi.ResourceOptions(parent=self),
        )
        # An artefact lies here while it passes, so that memory does not grow with its size.
        scratch = volume(plan.stack, f"{name}-scratch", "scratch", parent=self)
        process = Process(
            image=context.images["tracking"],
            command=files.followed(["tracking", "server"]),
            user=USER,
            memory=settings.memory,
            cpus=settings.cpus,
            environment=environment(plan),
            files=files,
            volumes={"/scratch": scratch.name},
            tmpfs={"/tmp": "rw,noexec,nosuid,nodev,size=64m"},
            health=Health(command=("tracking", "health"), interval=10, timeout=9, start_period=120),
            grace=30,
        )
        return run(context, service, process, parent=self, depends_on=depends_on)
