"""A small job of our own on the cluster, for what only a compute node may do: run it, hear what it says."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmark.cluster.ray_api import RayClient, message_of

TIMEOUT_S = 300.0
TAIL = 8


@dataclass(frozen=True)
class Said:
    """Ray's last word on the job, its messages by kind (`progress`, `error`), and its other last lines."""

    status: str
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    tail: list[str] = field(default_factory=list)


def run(ray: RayClient, words: Sequence[str], identifier: str) -> Said:
    """Run `python3 -m <words>` on a node until it ends. StackError where it has not after TIMEOUT_S."""
    ray.submit(shlex.join(["python3", "-m", *words]), identifier)
    messages: dict[str, dict[str, Any]] = {}
    tail: list[str] = []

    def line(text: str) -> None:
        if message := message_of(text):
            messages[message[0]] = message[1]
        else:
            tail[:] = [*tail[-TAIL:], text]

    return Said(ray.follow(identifier, line, TIMEOUT_S), messages, tail)
