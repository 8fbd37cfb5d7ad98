"""A model as `torch.export` writes it, reduced to data: nothing in it is unpickled or evaluated. Pure.

PyTorch's own loader trusts an archive: it unpickles some members, evaluates text as Python, and calls any
function of `torch` that the graph names. Here the archive is written anew from its graph, whose operators,
expressions and containers are on a list, and from its raw tensors; everything else is refused or left out.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.checkpoints.operators import operator_served, size_served
from benchmark.core.errors import CheckpointError

MOST_BYTES = 2 << 30
MOST_MEMBERS = 20_000
GRAPH, SAMPLE = "models/model.json", "data/sample_inputs/model.pt"
CONFIGS = {
    "data/weights/model_weights_config.json": re.compile(r"weight_\d+"),
    "data/constants/model_constants_config.json": re.compile(r"tensor_\d+"),
}
FIXED = frozenset({
    "archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id",
    GRAPH, SAMPLE, *CONFIGS,
})  # fmt: skip
TENSORS = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
STRIDED = 7  # of the schema's layouts: sparse and packed tensors do not check what they are made of
CONTAINERS = frozenset({"builtins.tuple", "builtins.list", "builtins.dict", None})
# What reading stumbles over in a file that is something else.
NOT_ONE = (
    zipfile.BadZipFile, ValueError, LookupError, TypeError, AttributeError, EOFError, RuntimeError,
)  # fmt: skip
OBJECTS = ("as_custom_obj", "custom_obj", "as_opaque", "token", "as_script_object")


def clean(data: bytes, where: str) -> bytes:
    """The archive, written anew; CheckpointError says what it holds that is not served."""
    try:
        return _clean(data, where)
    except NOT_ONE as e:
        raise CheckpointError(f"{where}: is not a model of torch.export: {e!r:.200}") from e


def _clean(data: bytes, where: str) -> bytes:
    members = dict(_members(data, where))
    for name, pattern in CONFIGS.items():
        config = json.loads(members[name])["config"]
        for fault in _faults(config):
            raise CheckpointError(f"{where}: {name}: {fault}")
        for key, meta in config.items():
            if meta.get("use_pickle") is not False or not pattern.fullmatch(str(meta.get("path_name"))):
                raise CheckpointError(f"{where}: {name}: {key!s:.80} is pickled, which is not served")
    graph = json.loads(members[GRAPH])
    for fault in _faults(graph):
        raise CheckpointError(f"{where}: {GRAPH}: {fault}")
    graph["guards_code"] = []  # Python code
    members[GRAPH] = json.dumps(graph).encode()
    members[SAMPLE] = b""  # a pickle
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            # One date, so that the same model has the same bytes.
            archive.writestr(zipfile.ZipInfo(f"archive/{name}", (1980, 1, 1, 0, 0, 0)), content)
    return target.getvalue()


def _members(data: bytes, where: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = archive.infolist()
        if len(found) > MOST_MEMBERS:
            raise CheckpointError(f"{where}: {len(found)} members, at most {MOST_MEMBERS}")
        names = set()
        for info in found:
            name = info.filename.partition("/")[2]
            if name in names or not (name in FIXED or TENSORS.fullmatch(name)):
                raise CheckpointError(
                    f"{where}: {info.filename!r:.80}: no part of a model that can be served"
                )
            # Stored as it is: nothing grows while it is read.
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > MOST_BYTES:
                raise CheckpointError(f"{where}: {info.filename!r:.80}: is compressed or too large")
            names.add(name)
            yield name, archive.read(info)


def _faults(value: Any) -> Iterator[str]:
    """What the graph asks for beyond computing with tensors. Strips what only people read."""
    if isinstance(value, list):
        for entry in value:
            yield from _faults(entry)
    elif isinstance(value, dict):
        yield from _faults_here(value)
        if "target" in value and "metadata" in value:
            value["metadata"] = {}  # names of classes and lines of the source
        for entry in value.values():
            yield from _faults(entry)


def _faults_here(value: Mapping[str, Any]) -> Iterator[str]:
    for name in OBJECTS:
        if value.get(name) is not None:
            yield f"{name}: objects beside tensors are not served"
    for name in ("target", "as_operator"):
        if name in value and not operator_served(value[name]):
            yield f"operator {value[name]!s:.80}: is not served (docs/own-models.md)"
    if (text := value.get("expr_str")) is not None and not size_served(text):
        yield f"size {text!s:.80}: is not served"
    for name in ("layout", "as_layout"):
        if value.get(name, STRIDED) not in (STRIDED, None):
            yield f"{name} {value[name]!s:.80}: only strided tensors are served"
    for name in ("device", "as_device"):
        if isinstance(device := value.get(name), dict) and device.get("type") != "cpu":
            yield f"{name} {device.get('type')!s:.80}: served on CPUs only; fix: log model.cpu()"
    for name in ("in_spec", "out_spec"):
        if value.get(name):
            yield from _container_faults(json.loads(value[name]), name)


def _container_faults(spec: Any, name: str) -> Iterator[str]:
    if isinstance(spec, list):
        for entry in spec:
            yield from _container_faults(entry, name)
    elif isinstance(spec, dict):
        context = spec.get("context")
        plain = context is None or _plain(json.loads(context))
        if spec.get("type") not in CONTAINERS or not plain:
            yield f"{name}: {spec.get('type')!s:.80}: only tuples, lists and dicts by name are served"
        yield from _container_faults(spec.get("children_spec", []), name)


def _plain(context: Any) -> bool:
    """The keys of a dict, or nothing."""
    return context is None or (isinstance(context, list) and all(isinstance(key, str) for key in context))
