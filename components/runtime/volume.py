"""Volumes that services write to: data survives a destroy, scratch goes with its service."""

from __future__ import annotations

from typing import Literal

import pulumi
import pulumi_docker as docker

from components.runtime.labels import labels

READINGS = "/readings"


def readings(stack: str, name: str, *, parent: pulumi.Resource) -> docker.Volume:
    """Declare where the service `name` leaves its figures for the metrics: images/shared/readings."""
    return volume(stack, f"{name}-readings", "scratch", parent=parent)


def volume(
    stack: str, name: str, kind: Literal["data", "scratch"], *, parent: pulumi.Resource
) -> docker.Volume:
    """Declare the volume `aidc-<stack>-<name>`."""
    return docker.Volume(
        name,
        name=f"aidc-{stack}-{name}",
        labels=[
            docker.VolumeLabelArgs(label=label, value=value)
            for label, value in labels(stack, kind=kind).items()
        ],
        opts=pulumi.ResourceOptions(parent=parent, retain_on_delete=kind == "data" or None),
    )
