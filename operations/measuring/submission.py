"""From a command to the first step of a training: ours, Ray's own, and without a cluster, in turns.

The same step of two layers in PyTorch, with gradients that the ranks average: by `aidc submit`; by `ray job
submit` of a driver with Ray Train; and by `torchrun` in this clone's environment, on this machine itself.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmark.cluster import stack as stacks
from benchmark.core import stats
from components.planning.paths import ROOT
from operations.errors import OperationError
from operations.measuring.documents import Ratio, SubmitRatio, SubmitRow

SUBMIT, RAY, TORCHRUN = "submit", "ray", "torchrun"
RATIOS = ((SUBMIT, RAY), (SUBMIT, TORCHRUN))
FIRST = re.compile(r"first step at ([0-9]+\.[0-9]+)")
WITHIN_S = 300
STEP = """
import time, torch, torch.distributed as dist

def step():
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(64, 64))
    model(torch.ones(8, 64)).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    if dist.get_rank() == 0:
        print(f"first step at {time.time():.3f}", flush=True)

if __name__ == "__main__":
    dist.init_process_group("gloo")
    step()
"""
# Driver and served models need their shares of a node with one CPU, too.
DRIVER = """
import sys, ray.train, ray.train.torch
from step import step
scaling = ray.train.ScalingConfig(num_workers=int(sys.argv[1]), resources_per_worker={"CPU": 0.4})
run = ray.train.RunConfig(storage_path="s3://checkpoints/jobs/bench-submit")
ray.train.torch.TorchTrainer(lambda: step(), scaling_config=scaling, run_config=run).fit()
"""


def measure(
    stack: str, ranks: int, rounds: int, on_time: Callable[[str, float], None]
) -> tuple[list[SubmitRow], list[SubmitRatio]]:
    """Seconds by each way, which take turns; without the program `ray` that way is left out.

    Raises OperationError when the stack is not up, or a way does not come to a step.
    """
    with TemporaryDirectory(prefix="aidc-submit-") as name:
        folder = Path(name)
        (folder / "step.py").write_text(STEP, encoding="utf-8")
        (folder / "driver.py").write_text(DRIVER, encoding="utf-8")
        ways = _ways(stack, ranks, folder)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _, way in stats.alternating(list(ways), rounds):
            times[way].append(ways[way]())
            on_time(way, times[way][-1])
    rows = [
        SubmitRow(way=way, seconds=found, median_s=statistics.median(found)) for way, found in times.items()
    ]
    return rows, [ratio(way, to, times) for way, to in RATIOS if to in times]


def ratio(way: str, to: str, times: Mapping[str, list[float]]) -> SubmitRatio:
    """Seconds of one way divided by those of another. Pure."""
    found = stats.ratio_interval(times[to], times[way])
    return SubmitRatio(way=way, to=to, **{name: found[name] for name in Ratio.model_fields})


def first(said: str, begun: float) -> float:
    """Seconds from `begun` to the step of which `said` tells. Raises OperationError. Pure."""
    found = FIRST.search(said)
    if found is None:
        last = " / ".join(said.strip().splitlines()[-3:]) or "without a word"
        raise OperationError(f"there was no first step: {last}")
    return float(found[1]) - begun


def _ways(stack: str, ranks: int, folder: Path) -> dict[str, Callable[[], float]]:
    step, environment = folder / "step.py", dict(os.environ)
    ours = [sys.executable, "-m", "operations", "submit", "--stack", stack]
    alone = [str(Path(sys.executable).with_name("torchrun")), "--standalone", f"--nproc-per-node={ranks}"]
    count = iter(range(10**6))

    def submit() -> float:
        # Names of jobs are told apart by seconds otherwise.
        name = f"bench-submit-{os.getpid()}-{next(count)}"
        command = [*ours, "--ranks", str(ranks), "--name", name, str(step)]
        stop = [sys.executable, "-m", "operations", "stop", "--stack", stack, name]
        return _time(command, environment, ROOT, stop)

    ways: dict[str, Callable[[], float]] = {SUBMIT: submit}
    if ray := shutil.which("ray"):
        # As docs/jobs.md has it: its driver needs a share of its own.
        words = [ray, "job", "submit", "--entrypoint-num-cpus", "0.1", "--working-dir", str(folder)]
        with_login = environment | _login(stack)

        def by_hand() -> float:
            name = f"bench-ray-{os.getpid()}-{next(count)}"
            command = [*words, "--submission-id", name, "--", "python", "driver.py", str(ranks)]
            return _time(command, with_login, folder, [ray, "job", "stop", "--no-wait", name])

        ways[RAY] = by_hand
    ways[TORCHRUN] = lambda: _time([*alone, str(step)], environment | {"OMP_NUM_THREADS": "1"}, folder)
    return ways


def _login(stack: str) -> dict[str, str]:
    found = stacks.read(stack)
    return {
        "RAY_API_SERVER_ADDRESS": found.endpoint("ray"),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": found.access["ray_token"],
        "REQUESTS_CA_BUNDLE": found.ca_path,
        "SSL_CERT_FILE": found.ca_path,
    }


def _time(
    command: list[str], environment: Mapping[str, str], folder: Path, stop: Sequence[str] = ()
) -> float:
    """Seconds to the first step. `stop`: ends the job in the cluster, which outlives a late command."""
    begun = time.time()
    try:
        done = subprocess.run(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=WITHIN_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        if stop:
            subprocess.run(
                stop, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=WITHIN_S, check=False,
            )  # fmt: skip
        raise OperationError(f"{Path(command[0]).name}: no end within {WITHIN_S} s") from None
    return first(done.stdout, begun)
