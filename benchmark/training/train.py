"""Training: one linear loop on plain PyTorch, the same under Ray, torchrun and bare python.

The clock of time-to-train starts before data are touched and stops at the first evaluation
that reaches the target; evaluations and checkpoints are on the clock. The schedule then runs
to its end, so that the quality reported is that of a whole run and not of the first lucky
evaluation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmark.checkpoints import artefact
from benchmark.checkpoints.checkpoint import Checkpointer, begun, load_latest
from benchmark.core.config import GptConfig, Workload
from benchmark.core.errors import CheckpointError, TrainingError
from benchmark.core.events import END, POINT, START, EventLog
from benchmark.core.machine import gpu_peak
from benchmark.core.ranks import RankContext, everywhere
from benchmark.core.store import Store
from benchmark.core.timing import EVERY, LastGradient, StepTimer, compute_share
from benchmark.data import batches, dataset
from benchmark.model import models
from benchmark.model.compiling import choose
from benchmark.model.evaluate import loss as loss_of
from benchmark.model.evaluate import quality
from benchmark.model.optimiser import OptimiserSet
from benchmark.telemetry.energy import Meter, summarise
from benchmark.telemetry.probes import gemm

Progress = Callable[[dict[str, Any]], None]
ALL_REDUCE_STEPS = 8


def train(  # noqa: PLR0912, PLR0915  (linear on purpose: it is read from top to bottom)
    *,
    workload: Workload,
    seed: int,
    manifest: dict[str, Any],
    store: Store,
    ranks: RankContext,
    run_id: str,
    events: EventLog,
    progress: Progress,
    meter: Meter | None = None,
) -> dict[str, Any]:
    """Train one seed; the record of this run on every rank (model and events are kept by rank 0)."""
    clock, settings = time.perf_counter(), workload.training
    if settings.batch_size < ranks.world_size:
        raise everywhere(
            TrainingError(
                f"{workload.name}: training.batch_size: {settings.batch_size} is less than one sample "
                f"for each of {ranks.world_size} ranks"
            )
        )
    name, meter = f"{workload.name}/seed-{seed}", meter or Meter()
    events.add(POINT, "seed", seed)
    events.add(POINT, "data_sha256", manifest["sha256"])
    events.add(POINT, "global_batch_size", settings.batch_size)
    events.add(START, "init")

    # Precision: where bfloat16 is not faster, it only costs accuracy.
    peak = gemm(ranks)
    bf16_pays = peak["bf16_gflops"] > 1.3 * peak["fp32_gflops"]
    bf16 = settings.precision == "bf16" or (settings.precision == "auto" and ranks.once(lambda: bf16_pays))

    # The same seed on every rank gives the same weights; DDP makes sure of it.
    torch.manual_seed(seed)
    model = models.build(workload.model).to(ranks.device)
    flops = model.flops_per_sample()
    optimisers = OptimiserSet(model, workload.optimiser, settings.steps, ranks.device)
    events.add(END, "init")
    events.add(START, "run")

    loading = time.perf_counter()
    parts = ranks.together(
        lambda: {part: dataset.load(manifest, store, part) for part in ("train", "heldout")}
    )
    parts = {part: {k: v.to(ranks.device) for k, v in tensors.items()} for part, tensors in parts.items()}
    share = batches.for_rank(workload, parts["train"], seed, ranks.rank, ranks.world_size)
    load_s = time.perf_counter() - loading
    if share.samples() < settings.batch_size:
        raise everywhere(
            TrainingError(
                f"{workload.name}: training.batch_size: {settings.batch_size} exceeds the {share.samples()} "
                "samples of an epoch"
            )
        )

    prefix = f"checkpoints/{run_id}/{name}"
    checkpointer = Checkpointer(
        store, prefix, lambda p: events.add(POINT, "checkpoint", p["step"], seconds=p["seconds"])
    )
    state = ranks.together(lambda: load_latest(store, prefix))
    # After a restart what was lost counts too: the steps done again, and the time in which nothing ran.
    started = time.time() - (time.perf_counter() - clock)
    earlier_s = max(0.0, started - ranks.once(lambda: begun(store, prefix, started)))
    first, curve, losses = 0, [], []
    if state is not None:
        ranks.together(partial(_restore, state, model, optimisers, prefix))
        first, curve, losses = state["step"], state["curve"], state["losses"]
        events.add(POINT, "resumed", first)

    def elapsed() -> float:
        return earlier_s + time.perf_counter() - clock

    def forward(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with ranks.autocast(bf16):
            # DDP averages over the ranks as if their shares were equal.
            return loss_of(workload, module(x), y) * share.weight

    compiling = choose(
        model, lambda m: torch.autograd.backward(forward(m, *share.at(first))), settings.steps - first, ranks
    )
    trained = compiling.module
    last_gradient: LastGradient | None = None
    if ranks.world_size > 1:
        last_gradient = LastGradient(model.parameters()) if ranks.kind == "cpu" else None
        trained = DistributedDataParallel(trained, forward_sync_buffers=False, gradient_as_bucket_view=True)

    timer = StepTimer(ranks.synchronise, EVERY[ranks.kind])
    log_every = max(timer.every, settings.steps // 100)  # reading a loss waits for the device
    meter.start()
    events.step(first)
    for step in range(first, settings.steps):
        timer.begin()
        x, y = share.at(step)
        timer.end("data")
        loss = forward(trained, x, y)
        timer.end("forward")
        torch.autograd.backward(loss)
        if last_gradient:
            timer.end_at("backward", last_gradient.moment)
        timer.end("all_reduce" if last_gradient else "backward")
        if settings.clip_gradient:
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip_gradient)
        optimisers.step(step)
        timer.end("optimiser")
        done = step + 1
        logs = done % log_every == 0 or done == settings.steps
        evaluates = done % settings.evaluate_every == 0 or done == settings.steps
        if done % settings.checkpoint_every == 0:
            timer.settle()
            now = {"curve": curve, "losses": losses}
            # Only rank 0 writes; that it could not is for all to know.
            ranks.once(partial(checkpointer.save, done, _state(done, model, optimisers, now)))
            timer.end("checkpoint")
        timer.finish(settle=logs or evaluates)
        events.step(done)

        if logs:
            # One exchange tells the mean loss, and whether the checkpoint of the background has failed.
            failed = torch.tensor(float(checkpointer.failed), device=loss.device)
            total, failures = ranks.sum(torch.stack([loss.detach().float(), failed])).tolist()
            if failures:
                ranks.together(checkpointer.wait)
            mean = total / ranks.world_size
            if not math.isfinite(mean):  # the same number on every rank: all stop here together
                events.add(END, "run", status="aborted")
                raise everywhere(
                    TrainingError(
                        f"{name}: loss is {mean} at step {done} of {settings.steps}: "
                        "training diverged. Lower optimiser.learning_rate "
                        f"({workload.optimiser.learning_rate}), "
                        "or set training.clip_gradient."
                    )
                )
            losses.append({"step": done, "loss": round(mean, 5)})
            progress(
                {"workload": workload.name, "seed": seed, "step": done, "steps": settings.steps, "loss": mean}
            )
        if evaluates:
            value = quality(workload, compiling.module, parts["heldout"], ranks, bf16)
            samples = done * settings.batch_size * _per_sample(workload)
            curve.append(
                {"step": done, "samples": samples, "seconds": round(elapsed(), 3), "value": round(value, 6)}
            )
            events.add(
                POINT, "eval_accuracy", value, step=done, samples=samples, metric=workload.target.metric
            )
            progress({"workload": workload.name, "seed": seed, "step": done, "steps": settings.steps,
                      workload.target.metric: value, "seconds": elapsed()})  # fmt: skip
    reading, total_s = meter.stop(), elapsed()
    ranks.together(checkpointer.close)

    timing = timer.summary(settings.batch_size * _per_sample(workload), load_s)
    reached = next((point for point in curve if workload.target.reached(point["value"])), None)
    passed = workload.target.reached(curve[-1]["value"])
    events.add(END, "run", status="success" if passed else "quality below target")
    deployable = ranks.once(
        lambda: artefact.export(
            store=store,
            run_id=run_id,
            workload=workload,
            seed=seed,
            model=model,
            manifest=manifest,
            value=curve[-1]["value"],
        )
    )
    alone_s = None
    if timing and not last_gradient:
        alone_s = _backward_without_all_reduce(forward, trained, share, ranks)
    optimisers.zero_grad()
    breakdown = _breakdown(timing, alone_s, ranks.world_size)

    rate = timing.get("samples_per_s")
    used_peak = peak["bf16_gflops" if bf16 else "fp32_gflops"] * 1e9
    hardware_peak = gpu_peak(torch.cuda.get_device_name() if ranks.device != "cpu" else None)
    missing = {}
    if reached is None:
        missing["time_to_train_s"] = "the target was not reached"
    if hardware_peak is None:
        missing["mfu"] = (
            "no vendor peak on a CPU: see gemm_peak_fraction"
            if ranks.device == "cpu"
            else "this GPU's peak is unknown"
        )
    run_samples = (settings.steps - first) * settings.batch_size * _per_sample(workload)
    energy = summarise(ranks.gather(reading), run_samples, workload.unit.removesuffix("s/s"))
    if energy.net_j_per_sample is None:
        missing["energy_j_per_sample"] = energy.reason
    if not timing:
        missing.update(
            dict.fromkeys(("throughput", "step_time_s"), "all steps were done before this process started")
        )
    return {
        "workload": workload.name,
        "seed": seed,
        "launcher": ranks.launcher,
        "world_size": ranks.world_size,
        "device": ranks.kind,
        "quality": {
            "metric": workload.target.metric,
            "value": curve[-1]["value"],
            "target": workload.target.value,
            "passed": passed,
        },
        "time_to_train_s": reached["seconds"] if reached else None,
        "throughput": {"value": round(rate, 1), "unit": workload.unit} if rate else None,
        "step_time_s": {"median": timing["median"], "p95": timing["p95"]} if timing else None,
        "accelerator_utilisation": round(timing["utilisation"], 4) if timing else None,
        "accelerator_utilisation_cold": round(timing["utilisation_cold"], 4) if timing else None,
        "compute_share": compute_share({"breakdown_s": breakdown}),
        "mfu": round(flops * rate / ranks.world_size / hardware_peak, 4) if rate and hardware_peak else None,
        "gemm_peak_fraction": round(flops * rate / ranks.world_size / used_peak, 4) if rate else None,
        "energy_j_per_sample": energy.net_j_per_sample,
        "energy": energy.energy,
        "not_measured": missing,
        "curve": curve,
        "losses": losses,
        "total_s": round(total_s, 3),
        "load_s": round(load_s, 3),
        "resumed_from_step": first or None,
        "earlier_attempts_s": round(earlier_s, 3),
        "breakdown_s": breakdown,
        "step_times_s": timing.get("raw_s", []),
        "warmup_steps": timing.get("warmup_steps"),
        "precision": "bf16" if bf16 else "fp32",
        "compiling": compiling.record(),
        "gemm": peak,
        "flops_per_sample": flops,
        "parameters": sum(p.numel() for p in model.parameters()),
        "checkpoints": checkpointer.written,
        "model": deployable,
    }


def _per_sample(workload: Workload) -> int:
    """Language models count tokens, the others rows."""
    return workload.model.context if isinstance(workload.model, GptConfig) else 1


def _state(step: int, model: nn.Module, optimisers: OptimiserSet, extra: dict[str, Any]) -> dict[str, Any]:
    return {"step": step, "model": model.state_dict(), "optimisers": optimisers.state_dict(), **extra}


def _restore(state: dict[str, Any], model: nn.Module, optimisers: OptimiserSet, prefix: str) -> None:
    try:
        model.load_state_dict(state["model"])
        optimisers.load_state_dict(state["optimisers"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{prefix}: does not fit the model of this workload: {error}") from error


def _backward_without_all_reduce(
    forward: Callable[[nn.Module, Tensor, Tensor], Tensor],
    trained: nn.Module,
    share: batches.Batches,
    ranks: RankContext,
) -> float | None:
    """Median seconds of a backward pass that exchanges no gradients; None for a single rank."""
    if not isinstance(trained, DistributedDataParallel):
        return None
    times = []
    x, y = share.at(0)
    ranks.barrier()
    with trained.no_sync():
        for _ in range(ALL_REDUCE_STEPS):
            loss = forward(trained, x, y)
            ranks.synchronise()
            start = time.perf_counter()
            torch.autograd.backward(loss)
            ranks.synchronise()
            times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _breakdown(timing: dict[str, Any], alone_s: float | None, ranks: int) -> dict[str, float]:
    """Mean seconds a step by phase; all-reduce is what backward does not hide, and no phase of one rank.

    `alone_s`: of a backward pass that exchanges nothing, where all-reduce has no clock of its own.
    """
    if not timing:
        return {}
    phases = dict(timing["phases_s"])
    if alone_s is not None:
        phases["all_reduce"] = max(0.0, phases["backward"] - alone_s)
        phases["backward"] -= phases["all_reduce"]
    if ranks == 1:
        del phases["all_reduce"]
    return {name: round(value, 7) for name, value in phases.items()}
