"""Configuration and secrets as files for containers with a read-only root.

A volume is filled by a container that is created but never started; the service mounts it read-only at
FILES_DIR. Its name contains a digest of the files: an edit makes a new name, and so replaces seed and
service. Rotatable files do not count: for them only the seed is replaced, it rewrites them in the same
volume, and the service reloads them as `on_change` says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_docker as docker

from components.planning.secrets import joined
from components.runtime.context import Context
from components.runtime.identity import Identity
from components.runtime.labels import DIGEST, SEED_DIR, labels

FILES_DIR = "/etc/aidc"
CHECKSUMS = "files.sha256"
# The effect of new content: another container; nothing, as the file is read whenever it is needed; a signal
# to the server; or a restart of the server inside its container (images/shared/follow).
Change = Literal["replace", "read", "HUP", "USR2", "restart"]


@dataclass(frozen=True, kw_only=True)
class File:
    """One file below FILES_DIR, readable by its owner alone."""

    path: str
    content: pulumi.Input[str]
    mode: str = "0400"
    on_change: Change = "replace"


def key_pair(
    identity: Identity,
    service: str,
    names: tuple[str, ...],
    *,
    certificate: str,
    key: str,
    on_change: Change,
) -> list[File]:
    """The certificate of `service`, valid for `names`, and its key, in separate files."""
    return [
        File(
            path=certificate,
            content=identity.pem(service, names, lambda c: c.certificate),
            on_change=on_change,
        ),
        File(path=key, content=identity.pem(service, names, lambda c: c.key), on_change=on_change),
    ]


def served_with(identity: Identity, service: str, on_change: Change) -> list[File]:
    """What a server shows and trusts: `tls.crt` and `tls.key`, for its name and localhost, and `ca.crt`."""
    return [
        *key_pair(
            identity,
            service,
            (service, "localhost"),
            certificate="tls.crt",
            key="tls.key",
            on_change=on_change,
        ),
        File(path="ca.crt", content=identity.authority(), on_change="read"),
    ]


def checksums(contents: Mapping[str, str]) -> str:
    """The input of `sha256sum --check`, for files given as path → content."""
    digests = {path: hashlib.sha256(content.encode()).hexdigest() for path, content in contents.items()}
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests))


def _checksums(files: Sequence[File]) -> File:
    """The engine writes files one after another: this one shows whether they belong together."""
    contents = pulumi.Output.all(**{file.path: file.content for file in files})
    return File(path=CHECKSUMS, content=contents.apply(checksums), on_change="read")


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
        self.files = [*args.files, _checksums(args.files)]
        kept = [file.content for file in args.files if file.on_change == "replace"]
        digest = args.context.identity.fingerprint([*described, *kept])
        contents = pulumi.Output.all(**{file.path: file.content for file in self.files})
        whole = args.context.identity.fingerprint([contents.apply(joined)])
        paths = ",".join(sorted(file.path for file in self.files))
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
                for file in self.files
            ],
            destroy_grace_seconds=1,
            log_driver="json-file",
            log_opts={"max-size": "1m", "max-file": "1"},
            labels=[
                docker.ContainerLabelArgs(label=label, value=value)
                for label, value in labels(stack, kind="seed", role=args.role, files=paths).items()
            ]
            + [docker.ContainerLabelArgs(label=DIGEST, value=whole)],
            opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
        )
        # Known only once the seed exists: so every mount finds the volume filled.
        self.volume = volume.name
        self.seed = seed
        self.register_outputs({"volume": self.volume})

    def followed(self, server: Sequence[str]) -> list[str]:
        """The command of `server`, wrapped in one that notifies it when its files have changed."""
        rules: dict[str, list[str]] = {}
        for file in self.files:
            if file.on_change not in ("replace", "read"):
                rules.setdefault(file.on_change, []).append(file.path)
        return ["follow", *(f"{action}:{','.join(paths)}" for action, paths in rules.items()), "--", *server]
