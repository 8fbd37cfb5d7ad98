"""The signature of a user's own model: what it takes and gives, by name, type and shape. Pure.

It comes from MLflow, which keeps it beside the model. The first dimension of every tensor counts the
instances; a request holds instances, so shapes here are those of one instance.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from benchmark.core.errors import ConfigError

INTEGERS = {"uint8": (0, 255), **{f"int{n}": (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in (8, 16, 32, 64)}}
FLOATS = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
# Numbers of JSON are read as float64, which holds every integer up to here.
EXACT = 2**53
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
MOST_VALUES = 1 << 18  # of one instance
MOST_FIELDS, MOST_DIMENSIONS = 64, 64
SHOWN = 40
EXAMPLE = "fix: log it with input_example=<an array of two or more instances> and a signature of tensors"


class Wrong(NamedTuple):
    """What is wrong with an instance. `field` is the path below it: `.x[2]`, or empty for all of it."""

    field: str
    expected: str
    got: str


def _bounded(shape: tuple[int, ...]) -> tuple[int, ...]:
    if math.prod(shape) > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES} values an instance")
    return shape


# Cards lie where jobs can write: who reads one makes instances of this shape.
Shape = Annotated[
    tuple[Annotated[int, Field(gt=0)], ...],
    Field(max_length=MOST_DIMENSIONS),
    AfterValidator(_bounded),
]


class Tensor(BaseModel):
    """One input or output. `shape` is that of one instance: () for a single value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    dtype: str
    shape: Shape = ()

    def described(self) -> str:
        return f"{self.dtype}[{', '.join(map(str, self.shape))}]" if self.shape else self.dtype

    def problem(self, value: Any, path: str) -> Wrong | None:
        """What is wrong with one instance's value, at the first place where something is."""
        return self._at(value, path, self.shape)

    def _at(self, value: Any, path: str, shape: tuple[int, ...]) -> Wrong | None:
        if not shape:
            return self._value(value, path)
        if not isinstance(value, list):
            return Wrong(path, f"a list of {shape[0]} ({self.described()})", kind(value))
        if len(value) != shape[0]:
            return Wrong(path, f"a list of {shape[0]} ({self.described()})", f"a list of {len(value)}")
        return next((w for j, v in enumerate(value) if (w := self._at(v, f"{path}[{j}]", shape[1:]))), None)

    def _value(self, value: Any, path: str) -> Wrong | None:
        if self.dtype == "bool":
            return None if isinstance(value, bool) else Wrong(path, "bool", kind(value))
        # Whole numbers come as floats too; true and false are numbers to Python.
        if not isinstance(value, float):
            return Wrong(path, self.dtype, kind(value))
        if self.dtype in FLOATS:
            fine = abs(value) <= FLOATS[self.dtype]
            return None if fine else Wrong(path, f"a finite {self.dtype}", kind(value))
        low, high = INTEGERS[self.dtype]
        low, high = max(low, -EXACT), min(high, EXACT)
        if not (math.isfinite(value) and value.is_integer() and low <= value <= high):
            return Wrong(path, f"{self.dtype}, a whole number from {low} to {high}", kind(value))
        return None


class OwnModel(BaseModel):
    """The part `model` of the card of a user's own model.

    `seconds`: what one instance took when it was tried; `fastest`: the same in a batch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["exported"]
    inputs: tuple[Tensor, ...] = Field(min_length=1, max_length=MOST_FIELDS)
    outputs: tuple[Tensor, ...] = ()
    named: bool
    seconds: float = Field(default=0.001, gt=0)

    def problem(self, instance: Any) -> Wrong | None:
        """What is wrong with an instance: a mapping by name, or the value itself of a single input."""
        if not isinstance(instance, dict):
            if len(self.inputs) == 1:
                return self.inputs[0].problem(instance, "")
            return Wrong("", f"an object with {self.names()}", kind(instance))
        known = {t.name: t for t in self.inputs}
        for name, tensor in known.items():
            if name not in instance:
                return Wrong(f".{name}", tensor.described(), "nothing: the field is missing")
        for name in instance:
            if name not in known:
                shown = name.encode("ascii", "backslashreplace").decode()[:SHOWN]
                return Wrong(f".{shown}", f"only {self.names()}", "a field that the model does not have")
        return next((w for n, t in known.items() if (w := t.problem(instance[n], f".{n}"))), None)

    def names(self) -> str:
        return ", ".join(t.name for t in self.inputs)

    def values(self, instance: Any) -> list[Any]:
        """Of a checked instance, one for each input."""
        return [instance[t.name] for t in self.inputs] if isinstance(instance, dict) else [instance]

    def zeros(self) -> Any:
        """An instance of zeros."""
        found = {t.name: _zeros(t.dtype, t.shape) for t in self.inputs}
        return found if self.named else next(iter(found.values()))


def kind(value: Any) -> str:
    """What a client sent, as a message names it: short, in plain ASCII."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a bool"
    if isinstance(value, int):
        return str(value) if abs(value) < EXACT else "a number too large"
    if isinstance(value, float):
        return f"{value:g}" if not value.is_integer() or abs(value) > EXACT else f"{value:.0f}"
    if isinstance(value, str):
        plain = value.encode("ascii", "backslashreplace").decode()
        return f"the text {plain if len(plain) <= SHOWN else plain[:SHOWN] + '...'!r}"
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


def of_mlflow(given: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
    """`kind`, `inputs`, `outputs` and `named` of MLflow's signature; ConfigError names all that is wrong."""
    if not given or not given.get("inputs"):
        raise ConfigError([f"{where}: signature: the model has none; {EXAMPLE}"])
    problems: list[str] = []
    inputs = list(_tensors(given["inputs"], f"{where}: signature.inputs", "x", problems))
    outputs = list(_tensors(given.get("outputs") or "[]", f"{where}: signature.outputs", "y", problems))
    if given.get("params"):
        problems.append(f"{where}: signature.params: a served model takes none; fix: leave them out")
    names = [t["name"] for t in inputs]
    problems += [
        f"{where}: signature.inputs: {n}: is there twice" for n in sorted({*names}) if names.count(n) > 1
    ]
    if not inputs and not problems:
        problems.append(f"{where}: signature.inputs: there are none; {EXAMPLE}")
    if problems:
        raise ConfigError(problems)
    named = any(entry.get("name") for entry in _entries(given["inputs"], where, []))
    return {"inputs": inputs, "outputs": outputs, "named": named}


def _tensors(text: Any, where: str, otherwise: str, problems: list[str]) -> Iterator[dict[str, Any]]:
    entries = _entries(text, where, problems)
    if len(entries) > MOST_FIELDS:
        problems.append(f"{where}: {len(entries)} tensors, at most {MOST_FIELDS}")
        return
    for i, entry in enumerate(entries):
        name = entry.get("name") or (otherwise if len(entries) == 1 else f"{otherwise}{i}")
        spec = entry.get("tensor-spec")
        at = f"{where}[{i}] ({name!s:.60})"
        if entry.get("type") != "tensor" or not isinstance(spec, Mapping):
            problems.append(f"{at}: is a column, not a tensor; {EXAMPLE}")
            continue
        dtype, shape = spec.get("dtype"), spec.get("shape")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            problems.append(f"{at}: a name has up to 100 letters, digits, '_', '.', '-', and no digit first")
        elif dtype not in (*INTEGERS, *FLOATS, "bool"):
            there = ", ".join((*FLOATS, *INTEGERS, "bool"))
            problems.append(f"{at}: dtype {dtype!s:.40}: cannot be served; these can: {there}")
        elif not isinstance(shape, list) or not shape or shape[0] != -1:
            problems.append(f"{at}: shape {shape!s:.60}: the first dimension must be -1, the instances")
        elif not all(isinstance(n, int) and n > 0 for n in shape[1:]):
            problems.append(f"{at}: shape {shape!s:.60}: only the first dimension may be -1")
        elif math.prod(shape[1:]) > MOST_VALUES:
            problems.append(f"{at}: shape {shape!s:.60}: more than {MOST_VALUES} values an instance")
        else:
            yield {"name": name, "dtype": dtype, "shape": tuple(shape[1:])}


def _entries(text: Any, where: str, problems: list[str]) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        problems.append(f"{where}: is not as MLflow writes it")
        return []
    return found


def _zeros(dtype: str, shape: tuple[int, ...]) -> Any:
    if not shape:
        return False if dtype == "bool" else 0.0
    return [_zeros(dtype, shape[1:]) for _ in range(shape[0])]
