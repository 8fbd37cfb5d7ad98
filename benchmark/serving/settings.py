"""What is served, by how many replicas, and how requests are batched. Needs neither Ray nor PyTorch."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A node has 21 ports for replicas, of which one that has ended keeps its own for a while.
MAX_REPLICAS = 16
# After the name of a model: a second version, which gets a share of the requests.
CANARY = "@canary"
# What a served model may be called.
MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Arguments(BaseModel):
    """What to serve: model -> the key of its card (model.json), the hash of its weights, and its version.

    `<model>@canary` is a second version of a model, which gets `share` percent of its requests.

    As many replicas run as it takes to keep each at `target_ongoing_requests` requests under way or
    waiting, within `min_replicas` and `max_replicas`. Two at least: one may be lost or replaced.
    """

    model_config = ConfigDict(extra="forbid")

    models: dict[str, dict[str, str]] = {}
    store: str = "s3://"
    min_replicas: int = Field(default=2, ge=2)
    max_replicas: int = Field(default=4, le=MAX_REPLICAS)
    target_ongoing_requests: float = Field(default=8, gt=0)
    cpus_per_replica: float = 0.1
    threads: int = 1
    max_batch_size: int = 16
    batch_wait_s: float = 0.002

    @model_validator(mode="after")
    def _limits_are_in_order(self) -> Arguments:
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"max_replicas {self.max_replicas} must not be below min_replicas {self.min_replicas}"
            )
        return self

    def autoscaling(self) -> dict[str, Any]:
        """Ray Serve's `autoscaling_config`: up after half a minute of load, down after five without."""
        return {
            "min_replicas": self.min_replicas,
            "initial_replicas": self.min_replicas,
            "max_replicas": self.max_replicas,
            "target_ongoing_requests": self.target_ongoing_requests,
            "upscale_delay_s": 30,
            "downscale_delay_s": 300,
        }
