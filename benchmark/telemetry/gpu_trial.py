"""`python -m benchmark.telemetry.gpu_trial`: every GPU of this container at work, and how it did.

One process for each GPU, all at once, as in training: a matrix product in bfloat16 compared with float64 on
the processor, a small language model that has to learn for `--seconds`, then an all-reduce over all GPUs.
Prints one JSON document; units are in the names of its fields. A GPU whose process dies or hangs is named in
`faults`; the others are still reported. Exit codes: 0 every process reported; 1 one did not.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from typing import Any

import torch

from benchmark.telemetry.gpu_work import Trial

# Beyond the seconds of training: starting the device, and the collectives.
STARTS_WITHIN = 180


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmark.telemetry.gpu_trial", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of training (default: 60)")
    parser.add_argument("--processors", type=int, default=0, help="on so many processes without a GPU")
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--world", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--meeting", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.rank is not None:
        one = Trial(options.rank, options.world, on_gpu=not options.processors, seconds=options.seconds)
        print(json.dumps(one.run(options.meeting)))
        return 0
    world = options.processors or torch.cuda.device_count()
    found = together(world, options.seconds, processors=options.processors)
    print(json.dumps(found))
    return 1 if found["faults"] else 0


def together(world: int, seconds: float, *, processors: int) -> dict[str, Any]:
    """All ranks side by side: what each found, and what became of those that found nothing."""
    found: dict[str, Any] = {"torch": torch.__version__, "cuda": torch.version.cuda, "gpus": [], "faults": []}
    with tempfile.TemporaryDirectory(prefix="gpu-trial-") as folder:
        own = [sys.executable, "-m", __spec__.name if __spec__ else __name__, "--world", str(world)]
        own += ["--seconds", str(seconds), "--processors", str(processors), "--meeting", f"{folder}/meeting"]
        ranks = [
            subprocess.Popen(
                [*own, "--rank", str(rank)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for rank in range(world)
        ]
        deadline = time.monotonic() + seconds + STARTS_WITHIN
        for rank, process in enumerate(ranks):
            try:
                said, words = process.communicate(timeout=max(1.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                found["faults"].append(f"GPU {rank}: not ready after {seconds + STARTS_WITHIN:.0f} s")
                continue
            if process.returncode == 0:
                found["gpus"].append(json.loads(said.splitlines()[-1]))
            else:
                last = " / ".join(words.strip().splitlines()[-2:])[-400:]
                found["faults"].append(f"GPU {rank}: {last or f'ended with {process.returncode}'}")
    return found


if __name__ == "__main__":
    sys.exit(main())
