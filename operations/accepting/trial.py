"""Runs the trial of the GPUs in a container as compute nodes have it: same image, same rights, no network."""

from __future__ import annotations

import json
from typing import Any

from docker.errors import APIError, ImageNotFound
from docker.types import DeviceRequest

from components.compute import COMPILED, COMPILER_CACHES, USER
from components.planning.gpus import request
from components.planning.units import GIB
from components.runtime.host import cdi_gpus
from components.runtime.labels import labels
from operations.engine.client import Engine, EngineResource
from operations.engine.hardened import ALONE
from operations.errors import OperationError, RefusedError

# Beyond the training: starting the container and the devices, the collectives.
ENDS_WITHIN = 300  # seconds
PROGRAM = ("python3", "-m", "benchmark.telemetry.gpu_trial")


def run(
    engine: Engine, image: str, stack: str, gpus: tuple[int, ...], seconds: float
) -> tuple[dict[str, Any] | None, str]:
    """The trial's document, or None and the reason. Raises OperationError, RefusedError without the image."""
    if not image:
        raise RefusedError("the compute image has no build context yet\n    fix: run `make setup`")
    name, memory = f"aidc-{stack}-accept", (4 + 4 * len(gpus)) * GIB
    engine.remove(EngineResource("container", name, name))
    asked = request(gpus, cdi_gpus(engine.info()))
    # In the engine's own form: any of these lists.
    able = [asked.capabilities] if asked.capabilities else []
    try:
        container = engine.client.containers.create(
            image,
            [*PROGRAM, "--seconds", str(seconds)],
            name=name,
            user=USER,
            environment={"HOME": "/tmp", "TZ": "UTC", **COMPILER_CACHES},
            labels=labels(stack, kind="tool"),
            device_requests=[DeviceRequest(driver=asked.driver, device_ids=asked.devices, capabilities=able)],
            **dict(ALONE)
            | {
                # NCCL's buffers, and the host's side of each device.
                "mem_limit": memory,
                "memswap_limit": memory,
                # A node has a volume there.
                "tmpfs": {**ALONE["tmpfs"], COMPILED: f"rw,exec,nosuid,nodev,size=512m,uid={USER},mode=700"},
            },
            shm_size=GIB,
        )
        container.start()
        container.wait(timeout=seconds + ENDS_WITHIN)
        said = container.logs(stdout=True, stderr=False).decode(errors="replace")
        words = container.logs(stdout=False, stderr=True).decode(errors="replace")
    except ImageNotFound:
        raise RefusedError(f"image {image} is missing\n    fix: run `make images`") from None
    except APIError as error:
        return None, f"the engine cannot start it: {str(error.explanation)[:300]}"
    except OSError:
        raise OperationError(
            f"{name}: no end after {seconds + ENDS_WITHIN:.0f} s\n    fix: see `dmesg`"
        ) from None
    finally:
        engine.remove(EngineResource("container", name, name))
    return read(said, words)


def read(said: str, words: str) -> tuple[dict[str, Any] | None, str]:
    """What the trial printed; `words` is what it printed to standard error."""
    try:
        found = json.loads(said.strip().splitlines()[-1])
        if isinstance(found, dict) and {"gpus", "faults"} <= found.keys():
            return found, ""
    except (IndexError, ValueError):
        pass
    return None, " / ".join(words.strip().splitlines()[-2:])[-300:] or "it ended without a word"
