"""A model of torch.export: what is served of it, and that nothing in it is run or unpickled."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from benchmark.checkpoints import archive, exported
from benchmark.checkpoints.signature import OwnModel, Tensor
from benchmark.core.errors import CheckpointError
from tests.unit.benchmark import own_model

MODEL = OwnModel(kind="exported", inputs=(Tensor(name="x", dtype="float32", shape=(3,)),), named=True)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def node(graph: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = graph["graph_module"]["graph"]["nodes"][0]
    return found


def test_a_model_answers_one_instance_and_several() -> None:
    graph = exported.module(own_model.exported(2.0), "m")
    assert exported.compute(graph, MODEL, [[1.0, 2.0, 3.0]]) == [[12.0]]
    assert exported.compute(graph, MODEL, [[1.0, 2.0, 3.0], [0.0, 0.0, 1.0]]) == [[12.0], [2.0]]


def test_what_is_written_anew_has_always_the_same_bytes() -> None:
    once = archive.clean(own_model.exported(), "m")
    assert archive.clean(once, "m") == once


def test_a_pickle_among_the_inputs_is_not_unpickled(tmp_path: Path) -> None:
    trap = pickle.dumps((Trap(tmp_path / "sprung"),))
    data = own_model.changed(own_model.exported(), **{"data__sample_inputs__model.pt": trap})
    assert exported.compute(exported.module(data, "m"), MODEL, [[1.0, 1.0, 1.0]]) == [[3.0]]
    assert not (tmp_path / "sprung").exists()


def test_code_among_the_guards_is_not_run(tmp_path: Path) -> None:
    graph = own_model.graph(own_model.exported())
    graph["guards_code"] = [f"__import__('pathlib').Path({str(tmp_path / 'sprung')!r}).touch() or True"]
    exported.module(own_model.with_graph(own_model.exported(), graph), "m")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "target",
    [
        "torch.load",
        "torch.ops.aten.from_file.default",
        "torch.hub.load",
        "_operator.attrgetter",
        "#x:y",
        "print",
        # These write or read where an index or a size points, or show what lay in memory.
        "torch.ops.aten.max_pool2d_with_indices_backward.default",
        "torch.ops.aten.empty.memory_format",
        "torch.ops.aten.new_empty.default",
        "torch.ops.aten._sparse_coo_tensor_unsafe.default",
        "torch.ops.aten._sparse_csr_tensor_unsafe.default",
        "torch.ops.aten.set_.source_Storage",
        "torch.ops.aten.set_data.default",
        "torch.ops.aten.as_strided_.default",
        "torch.ops.aten.as_strided.default",
        "torch.ops.aten.resize_.default",
        "torch.ops.aten._print.default",
        "torch.ops.aten.native_batch_norm.default",
        "torch.ops.aten._embedding_bag.default",
        "torch.ops.aten.relu.out",
        # No operators, but what lies beside them in Python.
        "torch.ops.aten._dir.sort",
        "torch.ops.aten.relu.overloads",
        "torch.ops.aten.__class__.__getattr__",
        "torch.ops.aten.__getattr__.__func__",
        "torch.ops.aten.__dict__.clear",
        "torch.ops.aten.__getattr__.__call__",
        "torch.ops.aten.relu",
        "_operator.pow",
        None,
        ["torch.ops.aten.relu.default"],
    ],
)
def test_an_operator_that_does_more_than_compute_is_refused(target: Any) -> None:
    graph = own_model.graph(own_model.exported())
    node(graph)["target"] = target
    named = rf"operator {re.escape(str(target))}.*: is not served"
    with pytest.raises(CheckpointError, match=named):
        archive.clean(own_model.with_graph(own_model.exported(), graph), "m")


def test_a_size_that_is_more_than_a_formula_is_refused() -> None:
    graph = json.dumps(own_model.graph(own_model.exported()))
    assert "Symbol('s" in graph
    evil = json.loads(graph.replace("Symbol('s", "__import__('s"))
    with pytest.raises(CheckpointError, match=r"size __import__.* is not served"):
        archive.clean(own_model.with_graph(own_model.exported(), evil), "m")


@pytest.mark.parametrize("layout", [1, 2, 6, "7"])
def test_a_sparse_or_packed_tensor_is_refused(layout: Any) -> None:
    graph = own_model.graph(own_model.exported())
    node(graph)["inputs"].append({"name": "layout", "arg": {"as_layout": layout}, "kind": 2})
    with pytest.raises(CheckpointError, match="only strided tensors are served"):
        archive.clean(own_model.with_graph(own_model.exported(), graph), "m")


def test_a_model_of_another_device_is_refused_with_a_fix() -> None:
    graph = own_model.graph(own_model.exported())
    node(graph)["inputs"].append({"name": "device", "arg": {"as_device": {"type": "meta"}}, "kind": 2})
    with pytest.raises(CheckpointError, match=r"device meta: .*fix: log model\.cpu\(\)"):
        archive.clean(own_model.with_graph(own_model.exported(), graph), "m")


@pytest.mark.parametrize("name", ["data__weights__model.pt", "extra__x", "data__constants__opaque_obj_0"])
def test_a_member_that_no_model_needs_is_refused(name: str) -> None:
    data = own_model.changed(own_model.exported(), **{name: b"x"})
    with pytest.raises(CheckpointError, match="no part of a model that can be served"):
        archive.clean(data, "m")


def test_pickled_weights_are_refused() -> None:
    name = "data/weights/model_weights_config.json"
    with zipfile.ZipFile(io.BytesIO(own_model.exported())) as found:
        config = found.read(f"archive/{name}").replace(b'"use_pickle": false', b'"use_pickle": true')
    data = own_model.changed(own_model.exported(), **{name.replace("/", "__"): config})
    with pytest.raises(CheckpointError, match="is pickled, which is not served"):
        archive.clean(data, "m")


@pytest.mark.parametrize("data", [b"", b"PK", b"x" * 100, own_model.exported()[:-300]])
def test_what_is_no_model_is_an_error_without_a_traceback(data: bytes) -> None:
    with pytest.raises(CheckpointError, match=r"^m: .*(is not a model of torch\.export|no part of a model)"):
        archive.clean(data, "m")
