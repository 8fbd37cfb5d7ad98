"""Command-line arguments that several experiments share, and the options that they become.

Imports nothing heavy: `python -m benchmark run --window` waits for hours with only this loaded.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.core.config import TIERS, WORKLOADS_DIR
from benchmark.core.suggest import near

if TYPE_CHECKING:
    from benchmark.cluster.stack import Stack

T = TypeVar("T")


@dataclass(frozen=True)
class TrainingOptions:
    """Options of every command that trains some workloads in the stack."""

    stack: str
    tier: str
    workload_files: list[Path]
    out: Path
    world_size: int | None = None
    threads: int = 1
    inventory: Path | None = None
    access: Path | None = None
    unfrozen_data: bool = False
    without: tuple[str, ...] = ()  # nodes that get no ranks

    def ranks(self, stack: Stack) -> int:
        return self.world_size or max(1, stack.compute_nodes - len(self.without))


@dataclass(frozen=True)
class ServingOptions:
    """Options of every command that measures the models that a stack serves."""

    stack: str
    out: Path
    workload: str | None = None
    into: Path | None = None
    inventory: Path | None = None
    access: Path | None = None


def filled(kind: type[T], arguments: argparse.Namespace, **given: Any) -> T:
    """An options dataclass: each field from the argument of its name, unless it is given or has none."""
    fields = {f.name: getattr(arguments, f.name) for f in dataclasses.fields(kind) if f.name in arguments}  # type: ignore[arg-type]
    return kind(**{**fields, **given})


def add_tier(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tier", type=one_of("tier", TIERS), default="ci", metavar=f"{{{','.join(TIERS)}}}",
                        help="how long and how strict (default: ci)")  # fmt: skip
    parser.add_argument(
        "--unfrozen-data", action="store_true", help="take any standard library's source for bytelm"
    )


def add_workloads(parser: argparse.ArgumentParser) -> None:
    """Several of them, as `workload_files`."""
    add_tier(parser)
    parser.add_argument("--workloads", dest="workload_files", type=workload_files, metavar="WORKLOADS",
                        default="mlp,digits,bytelm", help="names or files, separated by commas")  # fmt: skip


def add_workload(parser: argparse.ArgumentParser) -> None:
    """One of them, as `workload_file`."""
    add_tier(parser)
    parser.add_argument("--workload", dest="workload_file", type=workload_file, metavar="WORKLOAD",
                        default="bytelm", help="name or file (default: bytelm)")  # fmt: skip


def add_into(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--into", type=Path, metavar="RESULT",
                        help="add the outcome to this result.json and rebuild its report")  # fmt: skip


def add_stack(parser: argparse.ArgumentParser, out: str = "out/{stack}") -> None:
    """`out`: the folder of the results where `--out` does not name one."""
    parser.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    shown = out.replace("{stack}", "<stack>")
    parser.add_argument("--out", type=Path, help=f"folder of result and report (default: {shown})")
    parser.set_defaults(default_out=out)
    parser.add_argument("--world-size", type=int, help="ranks (default: one per compute node)")
    parser.add_argument("--threads", type=int, default=1, help="threads per rank (default: 1)")
    parser.add_argument("--inventory", type=Path, help="JSON file instead of the stack's output `inventory`")
    parser.add_argument("--access", type=Path, help="JSON file instead of the stack's secret output `access`")


def add_pairs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pairs", type=at_least(1), default=8, help="rounds (default: 8, the minimum for a verdict)"
    )


def add_served_model(parser: argparse.ArgumentParser) -> None:
    add_stack(parser)
    add_into(parser)
    parser.add_argument("--workload", help="which served model (default: the first that fits)")


def workload_files(names: str) -> list[Path]:
    """`mlp` is a workload that comes with the benchmark; anything with a dot or slash is a file."""
    parts = [name.strip() for name in names.split(",") if name.strip()]
    return [Path(p) if "/" in p or "." in p else WORKLOADS_DIR / f"{p}.yaml" for p in parts]


def workload_file(names: str) -> Path:
    """For a command that takes one workload."""
    files = workload_files(names)
    if len(files) != 1:
        raise argparse.ArgumentTypeError(f"{names!r}: give one name or file")
    return files[0]


def one_of(kind: str, known: Sequence[str]) -> Callable[[str], str]:
    """Like `choices` of argparse, with the nearest name for one that is not known."""

    def name(text: str) -> str:
        if text not in known:
            names = ", ".join(known)
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a {kind}; known are {names}{near(text, known)}"
            )
        return text

    return name


def at_least(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of at least {low}")
        return int(text)

    return number
