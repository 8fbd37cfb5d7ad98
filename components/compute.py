"""ComputePool: a Ray head and N compute nodes, with GPUs passed through where the YAML assigns them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pulumi
import pulumi_docker as docker

from components.planning import notebook
from components.planning.config import Node
from components.planning.flows import (
    RAY_AGENT_GRPC,
    RAY_AGENT_HTTP,
    RAY_API,
    RAY_CLIENT,
    RAY_DASHBOARD_METRICS,
    RAY_EPHEMERAL,
    RAY_GCS,
    RAY_METRICS,
    RAY_NODE_MANAGER,
    RAY_OBJECT_MANAGER,
    RAY_RUNTIME_ENV_AGENT,
    RAY_WORKERS,
    SERVE_REPLICAS,
    TRACKING,
)
from components.planning.plan import Plan, Service
from components.planning.store_place import StorePlace
from components.planning.tracking import JOBS, authorization_digest, secret_of
from components.planning.units import MIB
from components.runtime.container import Health, Process, run
from components.runtime.context import Context
from components.runtime.files import FILES_DIR, File, FileVolume, FileVolumeArgs, key_pair
from components.runtime.identity import Identity
from components.runtime.store_client import Client
from components.runtime.volume import volume

USER = "10001"
# Ray's label for a node's name; benchmark/core/placement.py selects by it.
NODE_LABEL = "aidc/node"
# Smaller than shared memory, or Ray would move its object store to /tmp.
OBJECT_STORE_BYTES = 300 * MIB
# Ray reads half a gigabyte of code when it starts: seconds from memory, minutes from a slow disk.
START_PERIOD = 420
# Where a job's packages are kept: /tmp is in memory, and nothing in it can be executed.
PACKAGES = "/var/lib/packages"
# What a notebook works on: the node keeps it until the object store has it.
WORK = "/var/lib/work"
# What is compiled for a GPU is executed from here, and lasts as long as the stack.
COMPILED = "/var/lib/compiled"
COMPILER_CACHES = {
    "TORCHINDUCTOR_CACHE_DIR": f"{COMPILED}/inductor",
    "TRITON_CACHE_DIR": f"{COMPILED}/triton",
    # The driver's own, of kernels for this kind of GPU: 1 GiB at most.
    "CUDA_CACHE_PATH": f"{COMPILED}/cuda",
}
TMPFS = {"/tmp": "rw,noexec,nosuid,nodev,size=1g"}
SYSCTLS = {"net.ipv4.ip_local_port_range": f"{RAY_EPHEMERAL[0]} {RAY_EPHEMERAL[1]}"}


def node_command(plan: Plan, service: Service, cpus: float | None, gpus: int = 0) -> list[str]:
    """`ray start` for the head (`cpus` None) or a node. Every port comes from the flow table."""
    head = plan.service("ray-head").addresses["fabric"]
    place = (
        [
            "--head",
            f"--port={RAY_GCS[0]}",
            "--dashboard-host=0.0.0.0",
            f"--dashboard-port={RAY_API}",
            f"--ray-client-server-port={RAY_CLIENT[0]}",
            # The autoscaler's monitor, for clouds; here it would only be one more process.
            "--no-monitor",
            # It forwards the workers' output to a job's driver; no worker trains on the head.
            "--include-log-monitor=false",
            "--num-cpus=0",
        ]
        if cpus is None
        else [
            f"--address={head}:{RAY_GCS[0]}",
            f"--num-cpus={max(1, int(cpus))}",
            # By this a job can leave a node out, under whatever id it came back.
            f"--labels={NODE_LABEL}={service.name}",
        ]
    )
    return [
        "ray-node",
        *place,
        f"--num-gpus={gpus}",
        f"--node-ip-address={service.addresses['fabric']}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        f"--node-manager-port={RAY_NODE_MANAGER}",
        f"--object-manager-port={RAY_OBJECT_MANAGER}",
        f"--runtime-env-agent-port={RAY_RUNTIME_ENV_AGENT}",
        f"--dashboard-agent-grpc-port={RAY_AGENT_GRPC}",
        f"--dashboard-agent-listen-port={RAY_AGENT_HTTP}",
        f"--metrics-export-port={RAY_METRICS}",
        f"--min-worker-port={RAY_WORKERS[0]}",
        f"--max-worker-port={RAY_WORKERS[1]}",
        "--disable-usage-stats",
        "--block",
    ]


def environment(service: Service) -> dict[str, str]:
    """Environment of every Ray container. No secrets: these are in files."""
    return {
        "HOME": "/tmp",
        "AIDC_FABRIC_ADDRESS": service.addresses["fabric"],
        "AIDC_SERVICE_ADDRESS": service.addresses["service"],
        "DASHBOARD_METRIC_PORT": str(RAY_DASHBOARD_METRICS),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": f"{FILES_DIR}/ray-token",
        "RAY_ROTATION_MAX_BYTES": str(10 * MIB),
        "RAY_ROTATION_BACKUP_COUNT": "2",
        # The folder in which a job starts goes with the job, and what it wrote there: by default up to 10 GiB
        # stay, in memory. Less than 0, as Ray takes off more than it has added where a job wrote something.
        "RAY_RUNTIME_ENV_WORKING_DIR_CACHE_SIZE_GB": "-1024",
        # Five checks per second would hardly find a dead rank sooner, and would take time from training.
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
        # Nothing announces to Ray that a node will leave; watching for it would be one more process per job.
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        # Seconds between a node's checks for new log files; by default two per second, with a hundred files.
        "LOG_NAME_UPDATE_INTERVAL_S": "2",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # Ten times a second, the default, takes 4 % of a core from whatever trains beside the served models.
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        # When a replica dies during a request, is full or leaves, another one answers. A prediction changes
        # nothing, so it may be computed twice. By default Ray repeats only requests that were never sent.
        "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response 503",
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(SERVE_REPLICAS[0]),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(SERVE_REPLICAS[1]),
    }


def node_environment(store: StorePlace) -> dict[str, str]:
    """For the nodes alone: the head reaches neither object store nor tracking, and has no key to them."""
    authority = f"{FILES_DIR}/{store.authority}"
    return {
        "AWS_ENDPOINT_URL_S3": store.url,
        "AWS_DEFAULT_REGION": store.region,
        "AWS_SHARED_CREDENTIALS_FILE": f"{FILES_DIR}/{store.credentials}",
        "AWS_CA_BUNDLE": authority,
        # The store takes a checksum in a trailer only where the signature covers the stream.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_EC2_METADATA_DISABLED": "true",
        # Where a notebook finds its certificate, and the digest of its login.
        "AIDC_FILES": FILES_DIR,
        # pyarrow, with which Ray Train writes to storage_path, knows no other; nothing else can be reached.
        "SSL_CERT_FILE": authority,
        # Through the load balancer, which checks the login before MLflow does.
        "MLFLOW_TRACKING_URI": f"https://load-balancer:{TRACKING}",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": f"{FILES_DIR}/ca.crt",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # Artefacts pass through the server: the load balancer refuses presigned addresses and uploads in
        # parts, which MLflow's client would take of itself.
        "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }


def tracking_login(identity: Identity) -> pulumi.Output[str]:
    """The file in which MLflow's client looks for a login when no variable holds one."""
    password = identity.password(secret_of(JOBS))
    return pulumi.Output.format(
        "[mlflow]\nmlflow_tracking_username = {0}\nmlflow_tracking_password = {1}\n", JOBS, password
    )


def notebook_files(identity: Identity) -> list[File]:
    """What a notebook's server shows, and how it knows its user without knowing the password."""
    digest = identity.password(notebook.SECRET).apply(partial(authorization_digest, notebook.USER))
    return [
        # Read again at each connection, and at each request.
        *key_pair(
            identity,
            notebook.SERVER,
            (notebook.SERVER, "localhost"),
            certificate=notebook.CERTIFICATE,
            key=notebook.KEY,
            on_change="read",
        ),
        File(path=notebook.DIGEST, content=digest, on_change="read"),
    ]


class ComputePool(pulumi.ComponentResource):
    """The Ray cluster. `containers` holds the head first, then the nodes."""

    containers: list[docker.Container]
    token: pulumi.Output[str]

    def __init__(
        self, name: str, context: Context, s3_client: Client, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """`s3_client` is the object store's user for training and serving."""
        super().__init__("aidc:compute:ComputePool", name, None, opts)
        self.token = context.identity.password("ray/token")
        head = self._head(context, self._files("ray-head", "ray-head", context, []))
        keys = [
            s3_client.credentials(context.plan.store, on_change="read"),
            File(path="mlflow-credentials", content=tracking_login(context.identity), on_change="read"),
            File(path="ca.crt", content=context.identity.authority(), on_change="read"),
            *s3_client.trust(context.plan.store),
            *notebook_files(context.identity),
        ]
        self.containers = [head, *self._nodes(context, self._files(name, "compute", context, keys))]
        self.register_outputs({"containers": [c.name for c in self.containers]})

    def _files(self, name: str, role: str, context: Context, more: Sequence[File]) -> FileVolume:
        """Ray's token and `more`."""
        token = File(path="ray-token", content=self.token)
        args = FileVolumeArgs(context=context, role=role, owner=USER, files=[token, *more])
        return FileVolume(name, args, pulumi.ResourceOptions(parent=self))

    def _head(self, context: Context, files: FileVolume) -> docker.Container:
        plan, service, size = context.plan, context.plan.service("ray-head"), context.plan.config.compute.head
        control_store = volume(plan.stack, "ray-head-state", "scratch", parent=self)
        process = Process(
            image=context.images["compute"],
            command=node_command(plan, service, cpus=None),
            user=USER,
            memory=size.memory,
            cpus=size.cpus,
            shm=size.shm,
            # On disk, so that jobs and served models survive a crash of the head.
            environment={
                **environment(service),
                "RAY_gcs_storage": "rocksdb",
                "RAY_gcs_storage_path": "/var/lib/ray",
            },
            files=files,
            volumes={"/var/lib/ray": control_store.name},
            tmpfs=TMPFS,
            sysctls=SYSCTLS,
            health=Health(
                command=("ray-node", "check", f"{RAY_API}/api/gcs_healthz"), start_period=START_PERIOD
            ),
            processes=16384,
        )
        return run(context, service, process, parent=self)

    def _nodes(self, context: Context, files: FileVolume) -> Sequence[docker.Container]:
        pairs = zip(context.plan.by_role("compute"), context.plan.config.compute.nodes, strict=True)
        return [self._node(context, service, node, files) for service, node in pairs]

    def _node(self, context: Context, service: Service, node: Node, files: FileVolume) -> docker.Container:
        plan = context.plan

        def own(name: str) -> pulumi.Output[str]:
            return volume(plan.stack, f"{service.name}-{name}", "scratch", parent=self).name

        process = Process(
            image=context.images["compute"],
            command=node_command(plan, service, node.cpus, len(node.gpus)),
            user=USER,
            memory=node.memory,
            cpus=node.cpus,
            shm=node.shm,
            environment={
                **environment(service),
                **node_environment(plan.store),
                **(COMPILER_CACHES if node.gpus else {}),
            },
            files=files,
            volumes={
                PACKAGES: own("packages"),
                WORK: own("work"),
                **({COMPILED: own("compiled")} if node.gpus else {}),
            },
            tmpfs=TMPFS,
            sysctls=SYSCTLS,
            gpus=node.gpus,
            health=Health(
                command=("ray-node", "check", f"{RAY_AGENT_HTTP}/api/local_raylet_healthz"),
                start_period=START_PERIOD,
            ),
            processes=16384,
        )
        return run(context, service, process, parent=self)
