"""The verdicts on a machine's GPUs, each with the next step where it failed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from operations.accepting.host import Host
from operations.preflight.checks import TOOLKIT

Verdict = Literal["pass", "fail", "skipped"]
# A GPU that is slower than its peers by so much holds all of them up.
SLOWER = 0.15
# A step that got longer by so much during the training.
SLOWED = 0.10
DRIVER = "install the NVIDIA driver of your distribution and restart the machine"
RESET = "see `dmesg | grep -i xid`, restart the machine, and have the card replaced if it comes back"
COOL = "clean filters and fans, check the machine's airflow and power supply"


@dataclass(frozen=True)
class Row:
    """`found` says what was seen; `fix` is the next step of a check that failed."""

    check: str
    verdict: Verdict
    found: str
    fix: str = ""


def failed(rows: Sequence[Row]) -> bool:
    return any(row.verdict == "fail" for row in rows)


def of_host(host: Host, runtime: Row) -> list[Row]:
    """Before a container is started: is there anything that it could be given?"""
    driver = Row("driver", "pass", f"version {host.driver}") if host.driver else Row(
        "driver", "fail", "the kernel has no NVIDIA driver loaded", DRIVER
    )  # fmt: skip
    names = ", ".join(f"{gpu.index}: {gpu.name}, {gpu.memory_mib:,} MiB" for gpu in host.gpus)
    listed = Row("gpus", "pass", names) if host.gpus and not host.fault else Row(
        "gpus", "fail", host.fault or "nvidia-smi lists no GPU", RESET if host.driver else DRIVER
    )  # fmt: skip
    rows = [driver, listed]
    if host.gpus and len(host.gpus) < host.on_bus:
        missing = f"{host.on_bus} on the bus, {len(host.gpus)} usable"
        rows.append(Row("all-present", "fail", missing, RESET))
    return [*rows, runtime]


def of_trial(host: Host, said: Mapping[str, Any] | None, fault: str = "") -> list[Row]:
    """What the GPUs did in a container; `said` is the trial's document, None where it left none."""
    if said is None:
        return [Row("container", "fail", fault or "no result", TOOLKIT)]
    gpus: Sequence[Mapping[str, Any]] = said["gpus"]
    return [
        _same(host, gpus),
        *(Row("container", "fail", text, RESET) for text in said["faults"]),
        *_products(gpus),
        *_compiled(gpus),
        *_all_reduce(gpus),
        *_trainings(gpus),
        *_power(gpus),
    ]


def _same(host: Host, gpus: Sequence[Mapping[str, Any]]) -> Row:
    inside = {str(gpu["uuid"]) for gpu in gpus}
    missing = sorted(gpu.uuid for gpu in host.gpus if gpu.uuid not in inside)
    if missing or not gpus:
        return Row("inside", "fail", f"not in the container: {', '.join(missing) or 'all'}", TOOLKIT)
    return Row("inside", "pass", f"{len(inside)} in the container, the same as on the host")


def _each(
    check: str,
    gpus: Sequence[Mapping[str, Any]],
    wrong: Callable[[Mapping[str, Any]], str | None],
    found: Callable[[Mapping[str, Any]], str],
    fix: str,
) -> Iterator[Row]:
    """One row for each GPU with a fault; one for all of them when there is none."""
    bad = [(gpu, text) for gpu in gpus if (text := wrong(gpu))]
    for gpu, text in bad:
        yield Row(f"{check} {gpu['index']}", "fail", text, fix)
    if gpus and not bad:
        yield Row(check, "pass", "; ".join(f"{gpu['index']}: {found(gpu)}" for gpu in gpus))


def _products(gpus: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    def rate(gpu: Mapping[str, Any]) -> float:
        return float(gpu["product"]["tflop_s"])

    def wrong(gpu: Mapping[str, Any]) -> str | None:
        if not gpu["product"]["correct"]:
            return f"wrong result: off by {gpu['product']['error']:.2g} of the largest entry"
        alike = [rate(other) for other in gpus if other["name"] == gpu["name"]]
        if rate(gpu) < (1 - SLOWER) * median(alike):
            return f"{rate(gpu):.0f} TFLOP/s; its peers {median(alike):.0f}"
        return None

    yield from _each("matrix-product", gpus, wrong, lambda gpu: f"{rate(gpu):.0f} TFLOP/s", RESET)


def _compiled(gpus: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    def wrong(gpu: Mapping[str, Any]) -> str | None:
        if gpu["compiled"]["correct"]:
            return None
        return gpu["compiled"]["fault"] or "the compiled function computes something else"

    fix = "build the images anew with `make images`; training works without, about half as fast"
    yield from _each("compiling", gpus, wrong, lambda gpu: f"{gpu['compiled']['seconds']:.1f} s", fix)


def _all_reduce(gpus: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    if len(gpus) < 2:
        yield Row("all-reduce", "skipped", "needs two GPUs")
        return

    def wrong(gpu: Mapping[str, Any]) -> str | None:
        done = gpu["all_reduce"]
        return None if done and done["correct"] else "not the sum of all ranks"

    def found(gpu: Mapping[str, Any]) -> str:
        return f"{gpu['all_reduce']['bus_gb_s']:.1f} GB/s"

    fix = "run with NCCL_DEBUG=INFO; check the links with `nvidia-smi topo -m` and `nvidia-smi nvlink -s`"
    yield from _each("all-reduce", gpus, wrong, found, fix)


def _trainings(gpus: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    def wrong(gpu: Mapping[str, Any]) -> str | None:
        ran = gpu["training"]
        if not ran["finite"]:
            return "the loss is not a number"
        if ran["last_loss"] >= ran["first_loss"]:
            return f"learnt nothing: loss {ran['first_loss']:.2f} to {ran['last_loss']:.2f}"
        if ran["last_ms"] > (1 + SLOWED) * ran["middle_ms"]:
            return f"became slower: {ran['middle_ms']:.1f} ms a step, then {ran['last_ms']:.1f} ms"
        return None

    def found(gpu: Mapping[str, Any]) -> str:
        ran = gpu["training"]
        return f"loss {ran['first_loss']:.2f} to {ran['last_loss']:.2f}, {ran['last_ms']:.1f} ms a step"

    yield from _each("training", gpus, wrong, found, COOL)


def _power(gpus: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    known = [gpu for gpu in gpus if gpu["training"]["power_w"] is not None]
    if not known:
        yield Row("power", "skipped", "the driver gives no reading in the container")

    def held_back(gpu: Mapping[str, Any]) -> str | None:
        ran = gpu["training"]
        if not ran["throttled"]:
            return None
        return f"held back: {', '.join(ran['throttled'])}, at {ran['temperature_c']} °C"

    def drawn(gpu: Mapping[str, Any]) -> str:
        ran = gpu["training"]
        limit = f" of {ran['limit_w']:.0f}" if ran["limit_w"] else ""
        return f"{ran['power_w']:.0f}{limit} W, {ran['temperature_c']} °C"

    def errors(gpu: Mapping[str, Any]) -> str | None:
        number = gpu["training"]["memory_errors"]
        return f"{number} memory errors that could not be corrected" if number else None

    counted = [gpu for gpu in gpus if gpu["training"]["memory_errors"] is not None]
    yield from _each("power", known, held_back, drawn, COOL)
    yield from _each("memory", counted, errors, lambda _: "no errors", RESET)
