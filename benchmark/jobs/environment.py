"""What a user's script finds in its environment (docs/jobs.md lists it). Pure; no value is a secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHECKPOINT_BUCKET = "checkpoints"
EXPERIMENT = "jobs"  # of all jobs' runs in MLflow
# The nodes' user has no name, and without one what asks for it fails, as torch.compile does. As in MLflow.
USER = "jobs"
STARTS = 4


@dataclass(frozen=True)
class Place:
    """Where a rank runs: name and address of its node, and the GPUs that Ray gave it, by index or UUID."""

    node: str
    address: str
    gpus: tuple[str, ...] = ()


def checkpoint_prefix(name: str) -> str:
    """Keys of a job's checkpoints begin with it; the same name finds the same checkpoints again."""
    return f"jobs/{name}/"


def of_job(name: str, attempt: int, run: str | None) -> dict[str, str]:
    """`run`: the id of the job's run in MLflow, where one could be opened."""
    bucket, prefix = CHECKPOINT_BUCKET, checkpoint_prefix(name)
    found = {
        "AIDC_JOB": name,
        "AIDC_ATTEMPT": str(attempt),
        "AIDC_CHECKPOINT_BUCKET": bucket,
        "AIDC_CHECKPOINT_PREFIX": prefix,
        "AIDC_CHECKPOINTS": f"s3://{bucket}/{prefix}",
        "TORCHELASTIC_RUN_ID": name,
        "TORCHELASTIC_RESTART_COUNT": str(attempt - 1),
        "TORCHELASTIC_MAX_RESTARTS": str(STARTS - 1),
        "USER": USER,
        "LOGNAME": USER,
    }
    # What is logged outside a run, as a model may be, would go into an experiment that jobs cannot change.
    tracked = {"MLFLOW_RUN_ID": run, "MLFLOW_EXPERIMENT_NAME": EXPERIMENT} if run else {}
    return {**found, **tracked}


def of_rank(rank: int, places: Sequence[Place], port: int, cpus: float) -> dict[str, str]:
    """What torchrun would set for rank `rank` of those at `places`; rank 0 listens on `port`.

    The ranks of one node see each other's GPUs, or LOCAL_RANK could not be the index of a rank's own.
    """
    here = places[rank]
    together = [number for number, place in enumerate(places) if place.address == here.address]
    gpus = [gpu for number in together for gpu in places[number].gpus]
    nodes = list(dict.fromkeys(place.address for place in places))
    found = {
        "RANK": str(rank),
        "WORLD_SIZE": str(len(places)),
        "LOCAL_RANK": str(together.index(rank)),
        "LOCAL_WORLD_SIZE": str(len(together)),
        "GROUP_RANK": str(nodes.index(here.address)),
        "GROUP_WORLD_SIZE": str(len(nodes)),
        "ROLE_NAME": "default",
        "ROLE_RANK": str(rank),
        "ROLE_WORLD_SIZE": str(len(places)),
        "MASTER_ADDR": places[0].address,
        "MASTER_PORT": str(port),
        "OMP_NUM_THREADS": str(max(1, int(cpus))),
    }
    return {**found, "CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else found
