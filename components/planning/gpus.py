"""GPUs by index, UUID or MIG slice: which names mean the same device, and what an engine calls it. Pure.

The names are those of `nvidia-smi -L`; an engine with CDI lists each as `nvidia.com/gpu=<name>`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from components.planning.issues import Issue

if TYPE_CHECKING:
    from components.planning.config import HostFacts

CDI = "nvidia.com/gpu="
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_INDEX = r"(?:0|[1-9][0-9]{0,2})"
WHOLE = re.compile(rf"GPU-{_UUID}")
SLICE = re.compile(rf"MIG-{_UUID}|{_INDEX}:{_INDEX}")
# One device by its CDI name: neither all of them, nor a device of another kind.
ONE_CDI = re.compile(rf"{re.escape(CDI)}(?:{_INDEX}|{WHOLE.pattern}|{SLICE.pattern})")
FIX = 'write what `nvidia-smi -L` lists: 0, "GPU-<UUID>", or a MIG slice, "0:1" or "MIG-<UUID>", in quotes'


def _gpu(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and (WHOLE.fullmatch(value) or SLICE.fullmatch(value)):
        return value
    raise ValueError(f"{value!r:.60} is neither an index nor a UUID of a GPU, nor a MIG slice")


Gpu = Annotated[int | str, BeforeValidator(_gpu)]


def issues(nodes: Sequence[tuple[str, Sequence[int | str]]], host: HostFacts | None) -> Iterator[Issue]:
    """Mistakes in the GPUs of `nodes`, pairs of a path and what is assigned there.

    `host` None leaves out what only the engine's machine can tell.
    """
    uuids = host.uuids if host else ()
    owners = Counter(_index(gpu, uuids) for _, gpus in nodes for gpu in gpus)
    for path, gpus in nodes:
        for gpu in gpus:
            same = owners[_index(gpu, uuids)]
            if same > 1:
                yield Issue(path, f"GPU {gpu} is assigned {same} times", "assign every GPU to one node, once")
            if (whole := _whole(gpu)) is not None and owners[whole]:
                fix = f"assign either GPU {whole} or its slices"
                yield Issue(path, f"GPU {whole} is assigned too, and {gpu} is a part of it", fix)
        slices = [gpu for gpu in gpus if _is_slice(gpu)]
        if slices and len(gpus) > 1:
            fault = f"the MIG slice {slices[0]} is not the node's only GPU: CUDA would see one of them"
            yield Issue(path, fault, "give every slice a node of its own")
        if host is not None:
            for gpu in gpus:
                yield from _unseen(path, gpu, host)


@dataclass(frozen=True)
class Request:
    """What an engine is asked for: its driver, its names of the devices, and what they must be able to do."""

    driver: str
    devices: list[str]
    capabilities: list[str]


def request(gpus: Sequence[int | str], cdi: Collection[str]) -> Request:
    """How to ask for `gpus`: by CDI where the engine lists each of them, else of NVIDIA's runtime.

    A container keeps what CDI gave it; from the runtime's it may lose access when systemd is reloaded.
    """
    names = [CDI + str(gpu) for gpu in gpus]
    if names and all(name in cdi for name in names):
        return Request("cdi", names, [])
    return Request("nvidia", [str(gpu) for gpu in gpus], ["gpu"])


def _is_slice(gpu: int | str) -> bool:
    return isinstance(gpu, str) and SLICE.fullmatch(gpu) is not None


def _whole(gpu: int | str) -> int | None:
    """The GPU of which a slice by index is a part."""
    return int(gpu.partition(":")[0]) if isinstance(gpu, str) and ":" in gpu else None


def _index(gpu: int | str, uuids: Sequence[str]) -> int | str:
    return uuids.index(gpu) if isinstance(gpu, str) and gpu in uuids else gpu


def _unseen(path: str, gpu: int | str, host: HostFacts) -> Iterator[Issue]:
    """What the host says against `gpu`: it is not there, or cannot be used yet."""
    count = host.gpus
    if count is None:
        return
    fault = f"the host has no GPU {gpu}"
    if not count + host.asleep:
        yield Issue(path, fault, "leave gpus empty: no GPU is visible on this host")
        return
    index = gpu if isinstance(gpu, int) else _whole(gpu)
    if index is not None and count <= index < count + host.asleep:
        fix = "run `nvidia-smi` as root once after each boot of the machine: it creates the device files"
        yield Issue(path, f"the driver knows GPU {index}, but it has no device file yet", fix)
    elif index is not None and index >= count:
        yield Issue(path, fault, f"use indices below {count}")
    elif isinstance(gpu, str):
        slices = [name.removeprefix(CDI) for name in host.cdi if _is_slice(name.removeprefix(CDI))]
        known = slices if _is_slice(gpu) else host.uuids
        if known and gpu not in known:
            yield Issue(path, fault, f"choose one of {', '.join(sorted(known))}")
