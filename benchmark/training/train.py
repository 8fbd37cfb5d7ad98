"""Training: one loop on plain PyTorch, the same under Ray, torchrun and bare python.

The clock of time-to-train starts before data are touched and stops at the first evaluation
that reaches the target; evaluations and checkpoints are on the clock. The schedule then runs
to its end, so that the quality reported is that of a whole run and not of the first lucky
evaluation.
"""

from __future__ import annotations

import math
import time
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from benchmark.checkpoints import artefact
from benchmark.checkpoints.checkpoint import Checkpointer
from benchmark.core.config import Workload
from benchmark.core.events import END, POINT, START, EventLog
from benchmark.core.machine import gpu_peak
from benchmark.core.ranks import RankContext
from benchmark.core.store import Store
from benchmark.core.timing import EVERY, StepTimer
from benchmark.data import batches
from benchmark.model import models
from benchmark.model.compiling import choose
from benchmark.model.evaluate import loss as loss_of
from benchmark.model.evaluate import quality
from benchmark.model.optimiser import OptimiserSet
from benchmark.telemetry.energy import Meter, summarise
from benchmark.telemetry.probes import gemm
from benchmark.training.preparation import (
    Clock,
    Data,
    Forward,
    History,
    Progress,
    Task,
    Trainee,
    computes_in_bf16,
    exchanging,
    load,
    resume,
)
from benchmark.training.record import Outcome, record_of, samples_per_row

ALL_REDUCE_STEPS = 8


def train(
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
    """Train one seed; the content of its TrainingRun, on every rank. Rank 0 keeps model and events."""
    clock, settings, meter = Clock(), workload.training, meter or Meter()
    task = Task(workload, seed, ranks, store, run_id, events, progress)
    if settings.batch_size < ranks.world_size:
        raise task.error(
            f"{workload.name}: training.batch_size: {settings.batch_size} is less than one sample "
            f"for each of {ranks.world_size} ranks"
        )
    events.add(POINT, "seed", seed)
    events.add(POINT, "data_sha256", manifest["sha256"])
    events.add(POINT, "global_batch_size", settings.batch_size)
    events.add(START, "init")
    peak = gemm(ranks)
    bf16 = computes_in_bf16(workload, peak, ranks)
    # The same seed on every rank gives the same weights; DDP makes sure of it.
    torch.manual_seed(seed)
    model = models.build(workload.model).to(ranks.device)
    flops = model.flops_per_sample()
    optimisers = OptimiserSet(model, workload.optimiser, settings.steps, ranks.device)
    events.add(END, "init")
    events.add(START, "run")

    data = load(task, manifest)
    checkpointer = Checkpointer(
        store, task.checkpoints, lambda p: events.add(POINT, "checkpoint", p["step"], seconds=p["seconds"])
    )
    history = resume(task, clock, model, optimisers)

    def forward(module: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        with ranks.autocast(bf16):
            # DDP averages over the ranks as if their shares were equal.
            return loss_of(workload, module(x), y) * data.share.weight

    compiling = choose(
        model,
        lambda m: torch.autograd.backward(forward(m, *data.share.at(history.first))),
        settings.steps - history.first,
        ranks,
    )
    trained, last_gradient = exchanging(model, compiling.module, ranks)
    trainee = Trainee(model, compiling.module, trained, optimisers, forward, bf16, last_gradient)

    timer = StepTimer(ranks.synchronise, EVERY[ranks.kind])
    meter.start()
    _run_steps(
        task=task, trainee=trainee, data=data, history=history, checkpointer=checkpointer, timer=timer,
        clock=clock,
    )  # fmt: skip
    reading, total_s = meter.stop(), clock.elapsed()
    ranks.together(checkpointer.close)

    timing = timer.summary(settings.batch_size * samples_per_row(workload), data.load_s)
    final = history.curve[-1]["value"]
    reached = workload.target.reached(final)
    events.add(END, "run", status="success" if reached else "quality below target")
    card = ranks.once(
        lambda: artefact.export(
            store=store, run_id=run_id, workload=workload, seed=seed, model=model, manifest=manifest,
            value=final,
        )
    )  # fmt: skip
    alone_s = None
    if timing and not last_gradient:
        alone_s = _backward_without_all_reduce(forward, trained, data.share, ranks)
    optimisers.zero_grad()
    samples = (settings.steps - history.first) * settings.batch_size * samples_per_row(workload)
    outcome = Outcome(
        workload=workload,
        seed=seed,
        ranks=ranks,
        first=history.first,
        curve=history.curve,
        losses=history.losses,
        timing=timing,
        alone_s=alone_s,
        energy=summarise(ranks.gather(reading), samples, workload.unit.removesuffix("s/s")),
        total_s=total_s,
        load_s=data.load_s,
        earlier_s=clock.earlier_s,
        bf16=bf16,
        gemm=peak,
        hardware_peak=gpu_peak(torch.cuda.get_device_name() if ranks.device != "cpu" else None),
        compiling=compiling.record(),
        flops=flops,
        parameters=sum(p.numel() for p in model.parameters()),
        checkpoints=checkpointer.written,
        model=card,
    )
    return record_of(outcome).content()


def _run_steps(
    *,
    task: Task,
    trainee: Trainee,
    data: Data,
    history: History,
    checkpointer: Checkpointer,
    timer: StepTimer,
    clock: Clock,
) -> None:
    """All steps from `history.first` on, each phase of them timed."""
    settings, last_gradient = task.workload.training, trainee.last_gradient
    log_every = max(timer.every, settings.steps // 100)  # reading a loss waits for the device
    task.events.step(history.first)
    for step in range(history.first, settings.steps):
        timer.begin()
        x, y = data.share.at(step)
        timer.end("data")
        loss = trainee.forward(trainee.trained, x, y)
        timer.end("forward")
        torch.autograd.backward(loss)
        if last_gradient:
            timer.end_at("backward", last_gradient.moment)
        timer.end("all_reduce" if last_gradient else "backward")
        if settings.clip_gradient:
            nn.utils.clip_grad_norm_(trainee.model.parameters(), settings.clip_gradient)
        trainee.optimisers.step(step)
        timer.end("optimiser")
        done = step + 1
        logs = done % log_every == 0 or done == settings.steps
        evaluates = done % settings.evaluate_every == 0 or done == settings.steps
        if done % settings.checkpoint_every == 0:
            timer.settle()
            # Only rank 0 writes; that it could not is for all to know.
            task.ranks.once(partial(checkpointer.save, done, _state(done, trainee, history)))
            timer.end("checkpoint")
        timer.finish(settle=logs or evaluates)
        task.events.step(done)
        if logs:
            _log_loss(task, history, checkpointer, done, loss)
        if evaluates:
            _evaluate(done, task=task, trainee=trainee, data=data, history=history, clock=clock)


def _log_loss(task: Task, history: History, checkpointer: Checkpointer, done: int, loss: Tensor) -> None:
    """One exchange gives the mean loss, and whether the checkpoint in the background has failed."""
    ranks, workload, steps = task.ranks, task.workload, task.workload.training.steps
    failed = torch.tensor(float(checkpointer.failed), device=loss.device)
    total, failures = ranks.sum(torch.stack([loss.detach().float(), failed])).tolist()
    if failures:
        ranks.together(checkpointer.wait)
    mean = total / ranks.world_size
    if not math.isfinite(mean):  # the same number on every rank: all stop here together
        task.events.add(END, "run", status="aborted")
        raise task.error(
            f"{task.name}: loss is {mean} at step {done} of {steps}: training diverged. Lower "
            f"optimiser.learning_rate ({workload.optimiser.learning_rate}), or set training.clip_gradient."
        )
    history.losses.append({"step": done, "loss": round(mean, 5)})
    task.progress({"workload": workload.name, "seed": task.seed, "step": done, "steps": steps, "loss": mean})


def _evaluate(done: int, *, task: Task, trainee: Trainee, data: Data, history: History, clock: Clock) -> None:
    workload, settings = task.workload, task.workload.training
    metric = workload.target.metric
    value = quality(workload, trainee.module, data.heldout, task.ranks, trainee.bf16)
    samples = done * settings.batch_size * samples_per_row(workload)
    history.curve.append(
        {"step": done, "samples": samples, "seconds": round(clock.elapsed(), 3), "value": round(value, 6)}
    )
    task.events.add(POINT, "eval_accuracy", value, step=done, samples=samples, metric=metric)
    task.progress({"workload": workload.name, "seed": task.seed, "step": done, "steps": settings.steps,
                  metric: value, "seconds": clock.elapsed()})  # fmt: skip


def _state(step: int, trainee: Trainee, history: History) -> dict[str, Any]:
    return {
        "step": step,
        "model": trainee.model.state_dict(),
        "optimisers": trainee.optimisers.state_dict(),
        "curve": history.curve,
        "losses": history.losses,
    }


def _backward_without_all_reduce(
    forward: Forward,
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
