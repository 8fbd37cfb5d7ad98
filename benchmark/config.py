"""Workload files: what a workload is, and how big it is in each tier.

A workload file gives one complete description and, under `tiers`, what differs in each tier.
`load()` merges, checks every tier and reports all errors at once as `file: field: message`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from benchmark.errors import ConfigError

TIERS = ("smoke", "ci", "release", "gpu")
WORKLOADS_DIR = Path(__file__).parent / "workloads"

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GaussianData(Strict):
    """Four Gaussians at (±2, ±2); the class is the sign of x1·x2; `noise` more dimensions say nothing."""

    source: Literal["gaussians"]
    train: Positive
    heldout: Positive
    noise: Annotated[int, Field(ge=0)] = 8
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs of a model for it."""
        return 2 + self.noise, 1


class DigitsData(Strict):
    """scikit-learn's 1,797 images of 8x8, a fixed stratified sample held out."""

    source: Literal["digits"]
    heldout: Positive = 360
    augment_shift: Annotated[int, Field(ge=0, le=2)] = 0
    seed: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        return 64, 10


class SourceCodeData(Strict):
    """The Python standard library's source as bytes, split by file hash, frozen by a list of files."""

    source: Literal["stdlib"]
    files: str
    heldout_per_mille: Annotated[int, Field(gt=0, lt=1000)] = 107
    tolerance: Fraction = 0.02


class ModuleData(Strict):
    """A table of one's own: class `Data` in `benchmark/data/<module>.py`, made with `options`.

    `inputs` are the columns of x, `outputs` the classes of y (1: two classes, as one logit).
    """

    source: Literal["module"]
    module: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,30}$")]
    inputs: Positive
    outputs: Positive
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        return self.inputs, self.outputs


DataConfig = Annotated[GaussianData | DigitsData | SourceCodeData | ModuleData, Field(discriminator="source")]


class MlpConfig(Strict):
    kind: Literal["mlp"]
    inputs: Positive
    hidden: list[Positive]
    outputs: Positive


class GptConfig(Strict):
    kind: Literal["gpt"]
    depth: Positive
    width: Positive
    heads: Positive
    context: Positive

    @model_validator(mode="after")
    def _heads_fit(self) -> GptConfig:
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of 2 * heads = {2 * self.heads}")
        return self


ModelConfig = Annotated[MlpConfig | GptConfig, Field(discriminator="kind")]


class OptimiserConfig(Strict):
    kind: Literal["adamw", "muon"]
    learning_rate: Annotated[float, Field(gt=0)]
    muon_learning_rate: Annotated[float, Field(gt=0)] = 0.02
    betas: tuple[Fraction, Fraction] = (0.9, 0.95)
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    warmup: Fraction = 0.05
    final: Fraction = 0.05


class TrainingConfig(Strict):
    """`batch_size` is global: samples, or windows of `context` bytes. Steps are optimiser steps.

    `power_limit_w`: of each rank's GPU while it trains, where the driver allows it.
    """

    steps: Positive
    batch_size: Positive
    evaluate_every: Positive
    checkpoint_every: Positive
    heldout_bytes: Positive | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Literal["cpu", "cuda"] = "cpu"
    clip_gradient: Annotated[float, Field(gt=0)] | None = None
    power_limit_w: Annotated[float, Field(gt=0)] | None = None


class Target(Strict):
    metric: Literal["accuracy", "bits_per_byte"]
    value: Annotated[float, Field(gt=0)]

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "accuracy"

    def reached(self, value: float) -> bool:
        return value >= self.value if self.higher_is_better else value <= self.value


class ServingConfig(Strict):
    """How the served model is examined: `samples` held-out predictions compared with the trained
    model, then Poisson arrivals at each of `rates` (requests/s), `requests` of them on average."""

    samples: Positive
    rates: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)]
    requests: Positive = 800
    p99_bound_ms: Annotated[float, Field(gt=0)]
    tolerance: Annotated[float, Field(gt=0)] = 1e-3


class Workload(Strict):
    """One workload at one tier, complete."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    title: str
    about: str
    data: DataConfig
    model: ModelConfig
    optimiser: OptimiserConfig
    training: TrainingConfig
    target: Target
    serving: ServingConfig
    seeds: Annotated[list[int], Field(min_length=1)]
    tier: Literal["smoke", "ci", "release", "gpu"]

    @model_validator(mode="after")
    def _fits_together(self) -> Workload:
        problems = []
        if isinstance(self.model, GptConfig) != isinstance(self.data, SourceCodeData):
            problems.append(f"model.kind {self.model.kind!r} cannot learn data.source {self.data.source!r}")
        if isinstance(self.model, MlpConfig) and not isinstance(self.data, SourceCodeData):
            inputs, outputs = self.data.shape
            if (self.model.inputs, self.model.outputs) != (inputs, outputs):
                problems.append(
                    f"model.inputs and model.outputs must be {inputs} and {outputs} for this data"
                )
        if (self.target.metric == "bits_per_byte") != isinstance(self.model, GptConfig):
            problems.append(
                f"target.metric {self.target.metric!r} does not belong to a {self.model.kind} model"
            )
        if len(set(self.seeds)) != len(self.seeds):
            problems.append("seeds must differ from each other")
        if self.training.evaluate_every > self.training.steps:
            problems.append("training.evaluate_every must not exceed training.steps")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def unit(self) -> str:
        return "tokens/s" if isinstance(self.model, GptConfig) else "samples/s"

    def digest(self) -> str:
        return digest(self.model_dump())


def digest(value: Any) -> str:
    """SHA-256 over canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def load_all(paths: Iterable[Path], tier: str) -> list[Workload]:
    """Load every file at `tier`; one ConfigError with the problems of all files."""
    workloads, problems = [], []
    for path in paths:
        try:
            workloads.append(load(path, tier))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return workloads


def load(path: Path, tier: str) -> Workload:
    """Read one workload file at `tier`, having checked every tier of it."""
    content = _read(path)
    tiers = content.pop("tiers", None)
    if not isinstance(tiers, dict) or not tiers:
        raise ConfigError(
            [f"{path}: tiers: must map tier names ({', '.join(TIERS)}) to what differs in them"]
        )
    problems = [
        f"{path}: tiers.{name}: unknown tier; known are {', '.join(TIERS)}"
        for name in tiers
        if name not in TIERS
    ]
    checked: dict[str, Workload] = {}
    for name in (name for name in tiers if name in TIERS):
        override = tiers[name] or {}
        if not isinstance(override, dict):
            problems.append(f"{path}: tiers.{name}: must be a mapping")
            continue
        try:
            checked[name] = Workload.model_validate({**merge(content, override), "tier": name})
        except ValidationError as error:
            problems.extend(_explain(path, name, override, error))
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    if tier not in checked:
        raise ConfigError([f"{path}: tiers: has no tier {tier!r}; it has {', '.join(checked)}"])
    return checked[tier]


def merge(base: Mapping[str, Any], override: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key, everything else is replaced."""
    merged = dict(base)
    for key, value in override.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError([f"{path}: {where}is not YAML: {getattr(error, 'problem', error)}"]) from error
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: must be a mapping with name, data, model, …"])
    return content


def _explain(path: Path, tier: str, override: Mapping[str, Any], error: ValidationError) -> list[str]:
    """`file: field: message` a line; the field is placed under its tier only if the tier sets it."""
    lines = []
    for item in error.errors():
        # Pydantic puts the discriminator's value into the path of a union: not a field of the file.
        parts = [str(p) for p in item["loc"] if p not in {"gaussians", "digits", "stdlib", "mlp", "gpt"}]
        field = ".".join(parts)
        if _contains(override, parts):
            field = f"tiers.{tier}.{field}"
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {field or '(file)'}: {message}")
    return lines


def _contains(tree: Any, parts: list[str]) -> bool:
    for part in parts:
        if isinstance(tree, list):
            return True
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return bool(parts)
