"""Make a version that a user's own job registered fit to be served: a job on the cluster checks and tries it.

The weights never come to this machine, and the bucket of the models is writable to compute nodes alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from benchmark.cluster import inner_job
from benchmark.cluster.mlflow_api import MlflowClient
from benchmark.cluster.ray_api import RayClient
from benchmark.core.errors import CheckpointError, MlflowError, StackError
from benchmark.tracking import serving_record
from benchmark.tracking.registry import CARD, CARD_SHA256, SHA256, Version

Say = Callable[[str], None]


def admit(ray: RayClient, client: MlflowClient, version: Version, say: Say) -> Version:
    """The version with its hashes, as the serving record has them. CheckpointError: it cannot be served."""
    identifier = f"admit-{version.model}-{version.number}-{int(time.time() * 1000)}"
    say(
        f"{version.model}: version {version.number} was registered by a job; job {identifier} checks it on a "
        "node, which takes a minute or so"
    )
    said = inner_job.run(ray, ["benchmark.serving.admit", version.model, str(version.number)], identifier)
    if "error" in said.messages:
        raise CheckpointError(f"{said.messages['error'].get('message', '')}; nothing was changed")
    found = said.messages.get("progress", {})
    if not found.get(CARD) or not found.get(SHA256):
        problem = f"job {identifier}: {said.status}, and says nothing of the model"
        raise StackError("\n".join([problem, *said.tail]))
    told = {CARD: str(found[CARD]), SHA256: str(found[SHA256]), CARD_SHA256: str(found.get(CARD_SHA256, ""))}
    admitted = replace(version, tags={**version.tags, **{k: v for k, v in told.items() if v}})
    if not told[CARD].startswith(f"models/{version.model}/"):
        raise StackError(f"job {identifier}: names the card {told[CARD]}, which is not below {version.model}")
    record = serving_record.read(client)
    serving_record.admit(client, record, version.model, admitted.entry, f"admitted by {identifier}")
    try:
        client.tag_version(version.model, str(version.number), told)
    except MlflowError as error:
        say(f"{version.model}: version {version.number} is admitted; MLflow's tags do not show it: {error}")
    return admitted
