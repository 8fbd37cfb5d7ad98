"""A user's own model as MLflow keeps it, made without MLflow."""

from __future__ import annotations

import functools
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

X = {"name": "x", "type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}
COUNT = {"name": "count", "type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}
Y = {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1]}}


class Sums(nn.Module):
    """The sum of the three numbers of an instance, times a weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1, keepdim=True) * self.weight


@functools.cache
def exported(weight: float = 1.0, rows: int = 2) -> bytes:
    """`rows`: of the example that it was traced with; with one it is fixed to that."""
    dynamic: Any = [{0: torch.export.Dim.AUTO}]
    program = torch.export.export(Sums(weight), (torch.zeros(rows, 3),), dynamic_shapes=dynamic)
    target = io.BytesIO()
    torch.export.save(program, target)
    return target.getvalue()


def changed(data: bytes, **members: bytes | None) -> bytes:
    """The archive with other members: `a__b` stands for the path a/b, None leaves one out."""
    target = io.BytesIO()
    given = {name.replace("__", "/"): content for name, content in members.items()}
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
        contents = {info.filename: old.read(info) for info in old.infolist()}
        for name, content in {**contents, **{f"archive/{n}": c for n, c in given.items()}}.items():
            if content is not None:
                new.writestr(name, content)
    return target.getvalue()


def graph(data: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found: dict[str, Any] = json.loads(archive.read("archive/models/model.json"))
    return found


def with_graph(data: bytes, value: Any) -> bytes:
    return changed(data, **{"models__model.json": json.dumps(value).encode()})


def folder(path: Path, data: bytes | None = None, inputs: Any = (X,), **more: Any) -> Path:
    """As `mlflow.pytorch.log_model` leaves it."""
    (path / "data").mkdir(parents=True)
    (path / "data" / "model.pt2").write_bytes(exported() if data is None else data)
    signature = {"inputs": json.dumps(list(inputs)), "outputs": json.dumps([Y]), "params": None}
    (path / "MLmodel").write_text(yaml.safe_dump({"signature": signature, **more}))
    return path
