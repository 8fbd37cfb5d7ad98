"""Workload files: what a workload is, and how big it is in each tier.

A workload file gives one complete description and, under `tiers`, what differs in each tier.
`load()` merges, checks every tier and reports all errors at once as `file: field: message`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from benchmark.core import yaml_files
from benchmark.core.errors import ConfigError
from benchmark.core.suggest import near

TIERS = ("smoke", "ci", "release", "gpu")
WORKLOADS_DIR = Path(__file__).parents[1] / "workloads"

DIGITS = 1797  # images that scikit-learn has


def _no_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


Whole = Annotated[int, BeforeValidator(_no_truth)]
Real = Annotated[float, BeforeValidator(_no_truth)]
Positive = Annotated[Whole, Field(gt=0)]
PositiveReal = Annotated[Real, Field(gt=0)]
Fraction = Annotated[Real, Field(ge=0, le=1)]
BelowOne = Annotated[Real, Field(ge=0, lt=1)]
Seed = Annotated[Whole, Field(ge=0, lt=2**63)]  # what NumPy and PyTorch both take


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GaussianData(Strict):
    """Four Gaussians at (±2, ±2); the class is the sign of x1·x2. `noise` more dimensions are noise."""

    source: Literal["gaussians"]
    train: Positive
    heldout: Positive
    noise: Annotated[Whole, Field(ge=0)] = 8
    seed: Seed = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Inputs and outputs of a model for it."""
        return 2 + self.noise, 1


class DigitsData(Strict):
    """scikit-learn's 1,797 images of 8x8, a fixed stratified sample held out."""

    source: Literal["digits"]
    heldout: Annotated[Whole, Field(ge=10, le=DIGITS - 10)] = 360
    augment_shift: Annotated[Whole, Field(ge=0, le=2)] = 0
    seed: Annotated[Whole, Field(ge=0, lt=2**32)] = 0  # what scikit-learn takes

    @property
    def shape(self) -> tuple[int, int]:
        return 64, 10


class SourceCodeData(Strict):
    """The Python standard library's source as bytes, split by file hash, frozen by a list of files."""

    source: Literal["stdlib"]
    files: str
    heldout_per_mille: Annotated[Whole, Field(gt=0, lt=1000)] = 107
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
    learning_rate: PositiveReal
    muon_learning_rate: PositiveReal = 0.02
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.95)
    weight_decay: Annotated[Real, Field(ge=0)] = 0.0
    warmup: Fraction = 0.05
    final: Fraction = 0.05


class TrainingConfig(Strict):
    """`batch_size` is global: samples, or windows of `context` bytes. Steps are optimiser steps."""

    steps: Positive
    batch_size: Positive
    evaluate_every: Positive
    checkpoint_every: Positive
    heldout_bytes: Positive | None = None
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Literal["cpu", "cuda"] = "cpu"
    clip_gradient: PositiveReal | None = None


class Target(Strict):
    metric: Literal["accuracy", "bits_per_byte"]
    value: PositiveReal

    @model_validator(mode="after")
    def _is_possible(self) -> Target:
        if self.metric == "accuracy" and self.value > 1:
            raise ValueError(f"value {self.value:g}: an accuracy is a fraction: write 0.95 for 95 %")
        if self.metric == "bits_per_byte" and self.value > 8:
            raise ValueError(f"value {self.value:g}: a byte has 8 bits")
        return self

    @property
    def higher_is_better(self) -> bool:
        return self.metric == "accuracy"

    def reached(self, value: float) -> bool:
        return value >= self.value if self.higher_is_better else value <= self.value


class ServingConfig(Strict):
    """How the served model is examined: `samples` held-out predictions compared with the trained
    model, then Poisson arrivals at each of `rates` (requests/s), `requests` of them on average."""

    samples: Positive
    rates: Annotated[list[Annotated[Real, Field(ge=0.01, le=1e5)]], Field(min_length=1)]
    requests: Positive = 800
    p99_bound_ms: PositiveReal
    tolerance: Annotated[Real, Field(gt=0, le=1)] = 1e-3  # between two probabilities


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
    seeds: Annotated[list[Seed], Field(min_length=1)]
    tier: Literal["smoke", "ci", "release", "gpu"]

    @model_validator(mode="after")
    def _fits_together(self) -> Workload:
        if problems := misfits({name: getattr(self, name) for name in type(self).model_fields}):
            raise ValueError("; ".join(problems))
        return self

    @property
    def unit(self) -> str:
        return "tokens/s" if isinstance(self.model, GptConfig) else "samples/s"

    def digest(self) -> str:
        return digest(self.model_dump())


def misfits(parts: Mapping[str, Any]) -> list[str]:
    """What does not fit together among the parts of a workload that are valid by themselves."""
    data, model, target = (parts.get(name) for name in ("data", "model", "target"))
    training, serving, seeds = (parts.get(name) for name in ("training", "serving", "seeds"))
    problems = []
    if data and model and isinstance(model, GptConfig) != isinstance(data, SourceCodeData):
        problems.append(f"model.kind {model.kind!r} cannot learn data.source {data.source!r}")
    if isinstance(model, MlpConfig) and data and not isinstance(data, SourceCodeData):
        inputs, outputs = data.shape
        if (model.inputs, model.outputs) != (inputs, outputs):
            problems.append(f"model.inputs and model.outputs must be {inputs} and {outputs} for this data")
    if target and model and (target.metric == "bits_per_byte") != isinstance(model, GptConfig):
        problems.append(f"target.metric {target.metric!r} does not belong to a {model.kind} model")
    if seeds and len(set(seeds)) != len(seeds):
        problems.append("seeds must differ from each other")
    if training and training.evaluate_every > training.steps:
        problems.append("training.evaluate_every must not exceed training.steps")
    train, heldout = sizes(data)
    if training and train and training.batch_size > train:
        problems.append(
            f"training.batch_size {training.batch_size} exceeds the {train} samples to train with"
        )
    if serving and heldout and serving.samples > heldout:
        problems.append(f"serving.samples {serving.samples} exceeds the {heldout} samples held out")
    return problems


def sizes(data: Any) -> tuple[int | None, int | None]:
    """(samples to train with, samples held out) as far as the description says."""
    if isinstance(data, GaussianData):
        return data.train, data.heldout
    if isinstance(data, DigitsData):
        return (DIGITS - data.heldout) * (1 + 4 * data.augment_shift), data.heldout
    if isinstance(data, ModuleData) and type(heldout := data.options.get("heldout")) is int:
        return None, heldout
    return None, None


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
    names = [w.name for w in workloads]
    twice = dict.fromkeys(name for name in names if names.count(name) > 1)
    problems += [f"--workloads: {name!r} is named twice; each is trained once" for name in twice]
    if not names and not problems:
        problems.append(f"--workloads: give at least one: {', '.join(known_names())}, or a file")
    if problems:
        raise ConfigError(problems)
    return workloads


def known_names() -> list[str]:
    """Of the workloads that come with the benchmark."""
    return sorted(path.stem for path in WORKLOADS_DIR.glob("*.yaml"))


def load(path: Path, tier: str) -> Workload:
    """Read one workload file at `tier`, having checked every tier of it."""
    if path.parent == WORKLOADS_DIR and not path.exists():
        known = known_names()
        there = f"(there are {', '.join(known)}; a file needs a dot or a slash in its name)"
        raise ConfigError([f"--workloads: {path.stem!r}: no such workload{near(path.stem, known)} {there}"])
    content = yaml_files.read(path)
    tiers = content.pop("tiers", None)
    if not isinstance(tiers, dict) or not tiers:
        raise ConfigError(
            [f"{path}: tiers: must map tier names ({', '.join(TIERS)}) to what differs in them"]
        )
    problems = [
        f"{path}: tiers.{name}: unknown tier{near(str(name), TIERS)}; known are {', '.join(TIERS)}"
        for name in tiers
        if name not in TIERS
    ]
    checked: dict[str, Workload] = {}
    for name in (name for name in tiers if name in TIERS):
        override = tiers[name] or {}
        if not isinstance(override, dict):
            problems.append(f"{path}: tiers.{name}: must be a mapping")
            continue
        whole = {**merge(content, override), "tier": name}
        try:
            checked[name] = Workload.model_validate(whole)
        except ValidationError as error:
            problems.extend(_explain(path, name, override, error))
            problems.extend(
                f"{path}: (file): {p}" for p in misfits(_right_parts(whole)) if p not in str(error)
            )
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


def _right_parts(content: Mapping[Any, Any]) -> dict[str, Any]:
    """The fields that are valid by themselves: one mistake must not hide what does not fit together."""
    found = {}
    for name, field in Workload.model_fields.items():
        kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        kind = Annotated[kind, Field(discriminator=field.discriminator)] if field.discriminator else kind
        with suppress(ValidationError):
            found[name] = TypeAdapter(kind).validate_python(content.get(name))
    return found


def _explain(path: Path, tier: str, override: Mapping[str, Any], error: ValidationError) -> list[str]:
    """One `file: field: message` per line; the field is placed under its tier only if the tier sets it."""
    lines = []
    for item in error.errors():
        # Pydantic puts the discriminator's value into the path of a union: not a field of the file.
        parts = [
            str(p)
            for i, p in enumerate(item["loc"])
            if not (i == 1 and item["loc"][0] in UNIONS and p in KINDS)
        ]
        field = ".".join(parts)
        if _contains(override, parts):
            field = f"tiers.{tier}.{field}"
        message = item["msg"].removeprefix("Value error, ")
        lines.append(f"{path}: {field or '(file)'}: {message}{_hint(parts, item)}")
    return lines


UNIONS = ("data", "model")
KINDS = ("gaussians", "digits", "stdlib", "module", "mlp", "gpt")


def _hint(parts: list[str], item: Any) -> str:
    """A suggestion for an unknown key, or for a value that is not among the allowed ones."""
    if item["type"] == "extra_forbidden" and parts:
        keys = {name for part in _all_parts(Strict) for name in part.model_fields}
        return near(parts[-1], {*keys, "tiers"} - set(parts[:-1]))
    allowed = item.get("ctx", {}).get("expected") or item.get("ctx", {}).get("expected_tags") or ""
    given = item.get("ctx", {}).get("tag") or item.get("input")
    return near(given, re.findall(r"'([^']*)'", str(allowed))) if isinstance(given, str) else ""


def _all_parts(kind: type[Strict]) -> list[type[Strict]]:
    return [part for sub in kind.__subclasses__() for part in (sub, *_all_parts(sub))]


def _contains(tree: Any, parts: list[str]) -> bool:
    for part in parts:
        if isinstance(tree, list):
            return True
        if not isinstance(tree, Mapping) or part not in tree:
            return False
        tree = tree[part]
    return bool(parts)
