"""Configuration and secrets as files for containers with a read-only root.

A volume whose name carries a digest of its files is filled by a container that is created but never started;
the service mounts it read-only at FILES_DIR. An edit makes a new name, and so replaces seed and service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.context import Context
from components.labels import SEED_DIR, labels

FILES_DIR = "/etc/aidc"


@dataclass(frozen=True, kw_only=True)
class File:
    """One file below FILES_DIR, readable by its owner alone."""

    path: str
    content: pulumi.Input[str]
    mode: str = "0400"


@dataclass(frozen=True, kw_only=True)
class FileVolumeArgs:
    """Files for one service. `owner` is the numeric user that the service runs as."""

    context: Context
    role: str
    owner: str
    files: Sequence[File]


class FileVolume(pulumi.ComponentResource):
    """A read-only volume with the given files. `volume` is its name."""

    volume: pulumi.Output[str]

    def __init__(self, name: str, args: FileVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("aidc:files:FileVolume", name, None, opts)
        described = [f"{file.path}:{file.mode}:{args.owner}" for file in args.files]
        digest = args.context.identity.fingerprint([*described, *(file.content for file in args.files)])
        paths = ",".join(sorted(file.path for file in args.files))
        stack = args.context.plan.stack
        prefix = f"aidc-{stack}-{name}-files"
        volume = docker.Volume(
            f"{name}-files",
            name=digest.apply(lambda d: f"{prefix}-{d}"),
            labels=[
                docker.VolumeLabelArgs(label=label, value=value)
                for label, value in labels(stack, kind="files", role=args.role).items()
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        seed = docker.Container(
            f"{name}-files",
            name=prefix,
            image=args.context.images["files"],
            command=["true"],
            start=False,
            must_run=False,
            rm=False,
            network_mode="none",
            capabilities=docker.ContainerCapabilitiesArgs(drops=["ALL"]),
            security_opts=["no-new-privileges:true"],
            memory=16,
            memory_swap=16,
            restart="no",
            mounts=[docker.ContainerMountArgs(target=SEED_DIR, type="volume", source=volume.name)],
            uploads=[
                docker.ContainerUploadArgs(
                    file=f"{SEED_DIR}/{file.path}",
                    content=file.content,
                    owner=args.owner,
                    group=args.owner,
                    permissions=file.mode,
                )
                for file in args.files
            ],
            destroy_grace_seconds=1,
            log_driver="json-file",
            log_opts={"max-size": "1m", "max-file": "1"},
            labels=[
                docker.ContainerLabelArgs(label=label, value=value)
                for label, value in labels(stack, kind="seed", role=args.role, files=paths).items()
            ],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # Known only once the seed exists: whoever mounts the volume gets it filled.
        self.volume = volume.name
        self.seed = seed
        self.register_outputs({"volume": self.volume})
