"""The work of one rank of a GPU trial: a matrix product, a training, an all-reduce."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from benchmark.telemetry.counters import NotMeasured, call, handle_of, load_nvml, uuid_of

SIZE, SMALL = 8192, 256  # of the matrix products
CHECKED = 64  # rows of the large one that are compared with the processor's
# Relative to the largest entry; bfloat16 keeps 8 bits.
TOLERANCE = 0.02
REDUCED = 64 * 2**20  # bytes
TURNS = 10
VOCABULARY, CONTEXT, BATCH, WIDTH = 64, 128, 32, 256
CLOCK_REASONS = "nvmlDeviceGetCurrentClocksThrottleReasons"
MEETS_WITHIN = timedelta(seconds=90)


class Trial:
    """One GPU, or without one this processor: the same work, to be tried anywhere."""

    def __init__(self, rank: int, world: int, *, on_gpu: bool, seconds: float) -> None:
        self.rank, self.world, self.on_gpu, self.seconds = rank, world, on_gpu, seconds
        self.device = torch.device("cuda", rank) if on_gpu else torch.device("cpu")
        if on_gpu:
            torch.cuda.set_device(self.device)

    def run(self, meeting: str) -> dict[str, Any]:
        name = torch.cuda.get_device_name(self.device) if self.on_gpu else "processor"
        found: dict[str, Any] = {"index": self.rank, "name": name}
        found["uuid"] = uuid_of(str(self.device)) if self.on_gpu else f"rank-{self.rank}"
        found["product"] = self.product()
        found["compiled"] = self.compiled() if self.on_gpu else None
        found["training"] = self.training()
        found["all_reduce"] = self.all_reduce(meeting) if self.world > 1 else None
        return found

    def product(self) -> dict[str, Any]:
        """TFLOP/s of a large product, and how far a part of it is from the processor's in float64."""
        size = SIZE if self.on_gpu else SMALL
        torch.manual_seed(1)
        a, b = (torch.randn(size, size, dtype=torch.bfloat16, device=self.device) for _ in range(2))
        made = a @ b
        self._wait()
        begin = time.perf_counter()
        for _ in range(TURNS):
            made = a @ b
        self._wait()
        seconds = (time.perf_counter() - begin) / TURNS
        rows = slice(0, CHECKED)
        exact = a[rows].cpu().double() @ b.cpu().double()
        error = float((made[rows].cpu().double() - exact).abs().max() / exact.abs().max())
        return {
            "tflop_s": round(2 * size**3 / seconds / 1e12, 3),
            "error": error,
            "correct": error <= TOLERANCE,
        }

    def compiled(self) -> dict[str, Any]:
        """Whether a small function can be compiled here, and computes the same then; seconds that it took.

        `fault` is the compiler's first line where it cannot: none is there, or nothing may be executed.
        """

        def function(x: torch.Tensor) -> torch.Tensor:
            return nn.functional.gelu(x) * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1)

        torch.manual_seed(3)
        x = torch.randn(64, SMALL, device=self.device)
        begin = time.perf_counter()
        try:
            made = torch.compile(function)(x)
            self._wait()
        except Exception as error:  # a compiler fails in its own ways
            lines = str(error).strip().splitlines() or [""]
            return {"correct": False, "seconds": None, "fault": f"{type(error).__name__}: {lines[0][:200]}"}
        return {
            "correct": bool(torch.allclose(made, function(x), atol=1e-4)),
            "seconds": round(time.perf_counter() - begin, 3),
            "fault": "",
        }

    def training(self) -> dict[str, Any]:
        """A small transformer learns to continue a sequence: loss in nats, milliseconds of a step."""
        torch.manual_seed(2)
        model = Continues().to(self.device)
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
        losses: list[float] = []
        times: list[float] = []
        until = time.perf_counter() + self.seconds
        while time.perf_counter() < until or len(losses) < 2:
            begin = time.perf_counter()
            start = torch.randint(VOCABULARY, (BATCH if self.on_gpu else 4, 1), device=self.device)
            text = (start + 3 * torch.arange(CONTEXT + 1, device=self.device)) % VOCABULARY
            loss = model(text[:, :-1], text[:, 1:])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(float(loss))
            times.append(1e3 * (time.perf_counter() - begin))
        state = self.state()  # Before it cools down.
        third = max(1, len(times) // 3)
        return {
            "steps": len(losses),
            "first_loss": losses[0],
            "last_loss": losses[-1],
            "finite": all(math.isfinite(loss) for loss in losses),
            # The first third is left out: compilation, and a clock that has still to rise.
            "middle_ms": sorted(times[third : 2 * third] or times)[third // 2],
            "last_ms": sorted(times[-third:])[third // 2],
            **state,
        }

    def all_reduce(self, meeting: str) -> dict[str, Any]:
        """Whether every rank gets the sum, and the bus bandwidth in GB/s as NCCL's own tests count it."""
        dist.init_process_group(
            "nccl" if self.on_gpu else "gloo",
            init_method=Path(meeting).as_uri(),
            rank=self.rank,
            world_size=self.world,
            timeout=MEETS_WITHIN,
        )
        try:
            size = (REDUCED if self.on_gpu else 2**16) // 4
            values = torch.full((size,), float(self.rank + 1), device=self.device)
            dist.all_reduce(values)
            correct = bool((values == self.world * (self.world + 1) / 2).all())
            self._wait()
            begin = time.perf_counter()
            for _ in range(TURNS):
                dist.all_reduce(values)
            self._wait()
            seconds = (time.perf_counter() - begin) / TURNS
        finally:
            dist.destroy_process_group()
        return {
            "correct": correct,
            "bus_gb_s": round(size * 4 / seconds * 2 * (self.world - 1) / self.world / 1e9, 3),
        }

    def state(self) -> dict[str, Any]:
        """Watts, °C, what holds the clock back, memory errors since the start; null: not known."""
        names = ("power_w", "limit_w", "temperature_c", "throttled", "memory_errors")
        found: dict[str, Any] = dict.fromkeys(names)
        if not self.on_gpu:
            return found
        try:
            nvml = load_nvml()
            handle = handle_of(nvml, uuid_of(str(self.device)))
        except NotMeasured:
            return found
        readings: dict[str, Callable[[], Any]] = {
            "power_w": lambda: call(nvml, "nvmlDeviceGetPowerUsage", handle) / 1e3,
            "limit_w": lambda: call(nvml, "nvmlDeviceGetEnforcedPowerLimit", handle) / 1e3,
            "temperature_c": lambda: call(nvml, "nvmlDeviceGetTemperature", handle, 0),
            "throttled": lambda: reasons(call(nvml, CLOCK_REASONS, handle)),
            "memory_errors": lambda: call(nvml, "nvmlDeviceGetTotalEccErrors", handle, 1, 0),
        }
        for name, read in readings.items():
            try:
                found[name] = read()
            except NotMeasured:
                continue
        return found

    def _wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize(self.device)


# Of NVML's bits: those that a person can do something about. A power cap is how a GPU is meant to work.
HELD_BACK = {0x08: "hardware slowdown", 0x20: "too hot", 0x40: "too hot (hardware)", 0x80: "power brake"}


def reasons(bits: int) -> list[str]:
    return [name for bit, name in HELD_BACK.items() if bits & bit]


class Continues(nn.Module):
    """Two blocks of a transformer: enough to use what training uses."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        block = nn.TransformerEncoderLayer(
            WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, text: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
        """The loss of the prediction of `following`, both [batch, context] of tokens."""
        length = text.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=text.device)
        hidden = self.tokens(text) + self.places(torch.arange(length, device=text.device))
        logits = self.out(self.blocks(hidden, mask=mask, is_causal=True))
        return nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())
