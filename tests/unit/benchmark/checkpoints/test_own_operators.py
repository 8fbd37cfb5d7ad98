"""Usual models pass, and what they may be made of neither crashes nor hangs."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from benchmark.checkpoints import archive, exported, guards, operators
from benchmark.core.errors import CheckpointError
from tests.unit.benchmark import own_model

FAR = 2**42
OPS = torch.ops.aten


class Last(nn.Module):
    """The last step of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> Any:
        return self.layer(x)[0][:, -1]


class Several(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x.softmax(1), x.argmax(1), x.topk(2).values, x.max(1).indices, torch.where(x > 0, x, 0.0)


MODELS: dict[str, tuple[nn.Module, torch.Tensor]] = {
    "as in the tutorial": (nn.Linear(4, 1), torch.randn(2, 4)),
    "mlp": (
        nn.Sequential(
            nn.Linear(4, 8), nn.ReLU(), nn.Dropout(), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3),
            nn.Softmax(1),
        ),
        torch.randn(2, 4),
    ),
    "cnn": (
        nn.Sequential(
            nn.Conv2d(1, 4, 3, padding="same"), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3), nn.SiLU(), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(4, 2),
        ),
        torch.randn(2, 1, 12, 12),
    ),
    "up and down": (
        nn.Sequential(nn.ConvTranspose2d(1, 2, 2, 2), nn.GroupNorm(1, 2), nn.Upsample(scale_factor=2)),
        torch.randn(2, 1, 4, 4),
    ),
    "transformer": (
        nn.Sequential(nn.Embedding(5, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)),
        torch.randint(0, 5, (2, 6)),
    ),
    "lstm": (Last(nn.LSTM(4, 8, 2, batch_first=True, bidirectional=True)), torch.randn(2, 6, 4)),
    "lstm without biases": (Last(nn.LSTM(4, 8, batch_first=True, bias=False)), torch.randn(2, 6, 4)),
    "gru": (Last(nn.GRU(4, 8, batch_first=True)), torch.randn(2, 6, 4)),
    "pool and pad": (nn.Sequential(nn.ReflectionPad1d(2), nn.MaxPool1d(2)), torch.randn(2, 3, 8)),
    "several outputs": (Several(), torch.randn(2, 4)),
}  # fmt: skip


def saved(model: nn.Module, example: torch.Tensor) -> bytes:
    program = torch.export.export(model.eval(), (example,), dynamic_shapes=([{0: torch.export.Dim.AUTO}]))
    target = io.BytesIO()
    torch.export.save(program, target)
    return target.getvalue()


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_a_usual_model_is_served_and_answers_as_before(name: str) -> None:
    model, example = MODELS[name]
    graph = exported.module(saved(model, example), name)
    for given in (example, torch.cat([example, example, example])):
        torch.testing.assert_close(graph(given), model(given))


def test_every_operator_of_the_list_is_one_of_this_pytorch() -> None:
    assert [t for t in sorted(operators.SERVED) if not operators.operator_served(t)] == []


def test_no_operator_of_the_list_is_of_a_kind_that_trusts_its_caller() -> None:
    words = (
        "backward",
        "unsafe",
        "sparse",
        "nested",
        "quantize",
        "empty",
        "set_",
        "resize",
        "as_strided",
        ".out",
    )
    names = [t.removeprefix(operators.ATEN) for t in operators.SERVED if t.startswith(operators.ATEN)]
    assert [name for name in names for word in words if word in name] == []


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9**9",
        "Pow(Integer(9), Integer(999999999))",
        "Integer(1)<<Integer(999999999)",
        f"Integer({'9' * 20})",
        "1" * 400 + "!",
        "1.1" * 100 + "!",
        "Add(" * 200,
        "Symbol('s0', positive=True).evalf",
        "s0x",
        "",
        7,
    ],
)
def test_a_size_that_would_run_long_or_is_none_is_refused_at_once(text: Any) -> None:
    changed = json.dumps(own_model.graph(own_model.exported()))
    graph = json.loads(changed)

    def put(value: Any) -> int:
        if isinstance(value, list):
            return sum(map(put, value))
        if not isinstance(value, dict):
            return 0
        if "expr_str" in value:
            value["expr_str"] = text
            return 1
        return sum(map(put, value.values()))

    assert put(graph)
    begin = time.process_time()
    with pytest.raises(CheckpointError, match=r"size .*is not served"):
        archive.clean(own_model.with_graph(own_model.exported(), graph), "m")
    assert time.process_time() - begin < 5


@pytest.mark.parametrize(
    "text",
    [
        "Mul(Integer(8), Symbol('s53', positive=True, integer=True))",
        "Min(Integer(8), Add(Integer(-1), Symbol('u0', integer=True)))",
        "IntTrueDiv(Symbol('s53', positive=True, integer=True), Integer(2))",
    ],
)
def test_a_size_as_pytorch_writes_it_is_served(text: str) -> None:
    assert operators.size_served(text)


FLAT, TABLE = torch.zeros(4), torch.zeros(4, 4)


@pytest.mark.parametrize("index", [FAR, -FAR, 4, -5])
def test_an_index_outside_is_an_error_in_every_operator_that_takes_one(index: int) -> None:
    at, wide = torch.tensor([index]), torch.tensor([[index] * 4])
    calls: dict[str, Callable[[], Any]] = {
        "embedding": lambda: OPS.embedding.default(TABLE, at),
        "index_select": lambda: OPS.index_select.default(TABLE, 0, at),
        "index": lambda: OPS.index.Tensor(TABLE, [at]),
        "gather": lambda: OPS.gather.default(TABLE, 0, wide),
        "gather of an expanded index": lambda: OPS.gather.default(TABLE, 0, at[:, None].expand(1, 4)),
        "scatter": lambda: OPS.scatter.value(TABLE.clone(), 0, wide, 1.0),
        "scatter_": lambda: OPS.scatter_.src(TABLE.clone(), 0, wide, TABLE),
        "scatter_add": lambda: OPS.scatter_add.default(
            TABLE.clone(), 0, at[:, None].expand(1, 4), torch.ones(1, 4)
        ),
        "index_put": lambda: OPS.index_put.default(TABLE, [at], torch.ones(1, 4)),
        "index_put_": lambda: OPS.index_put_.default(TABLE.clone(), [at], torch.ones(1, 4), True),
        "one_hot": lambda: OPS.one_hot.default(at, 4),
        "select": lambda: OPS.select.int(FLAT, 0, index),
    }
    for name, call in calls.items():
        with pytest.raises((RuntimeError, IndexError)):
            pytest.fail(f"{name}: {call()}")


def parts(rows: int = 32, hidden: int = 8, bias: int = 32) -> tuple[Any, ...]:
    state = torch.zeros(1, 2, hidden)
    weights = [torch.zeros(rows, 4), torch.zeros(32, 8), torch.zeros(bias), torch.zeros(bias)]
    return [state, state], weights, True, 1, 0.0, False, False, True


@pytest.mark.parametrize("wrong", [{"rows": 8}, {"hidden": 8000}, {"bias": 1}])
def test_an_lstm_whose_weights_do_not_fit_is_an_error(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="weights and states do not fit"):
        guards.lstm(torch.zeros(2, 6, 4), *parts(**wrong))


def test_an_lstm_whose_input_is_wider_than_its_weights_is_an_error() -> None:
    with pytest.raises(ValueError, match="weights and states do not fit"):
        guards.lstm(torch.zeros(2, 6, 4000), *parts())


def test_attention_pads_and_pools_that_do_not_fit_are_errors() -> None:
    some, longer = torch.zeros(1, 1, 6, 8), torch.zeros(1, 1, 600, 8)
    with pytest.raises(ValueError, match="do not fit each other"):
        guards.attention(some, some, longer)
    with pytest.raises(ValueError, match="less than nothing"):
        guards.pad(torch.zeros(1, 4, 8), [-9, 20], "replicate")
    with pytest.raises(ValueError, match=r"max_pool1d.*: sizes up to"):
        guards.GUARDS[OPS.max_pool1d.default](torch.zeros(1, 4, 8), [2], [1], [0], [1 << 61])
    with pytest.raises(ValueError, match=r"conv1d.*: sizes up to"):
        guards.GUARDS[OPS.conv1d.padding](some[0], torch.zeros(6, 6, 3), None, [1], "same", [1 << 61])


@pytest.mark.parametrize("name", ["div.Tensor_mode", "replication_pad1d.default", "reflection_pad2d.default"])
def test_what_crashes_on_some_numbers_is_not_served(name: str) -> None:
    # The smallest integer divided by -1 ends the process.
    assert not operators.operator_served(operators.ATEN + name)


def test_no_unchecked_lstm_is_left_in_a_loaded_graph() -> None:
    graph = exported.module(saved(*MODELS["lstm"]), "m")
    targets = [n.target for n in graph.graph.nodes]
    assert guards.lstm in targets
    assert guards.LSTM not in targets
