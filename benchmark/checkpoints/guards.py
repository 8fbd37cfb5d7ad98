"""Operators whose shapes PyTorch does not check on the CPU, checked here: they would read beyond a tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.fx import GraphModule

MOST = 1 << 20
LSTM = torch.ops.aten.lstm.input
ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
PAD = torch.ops.aten.pad.default
ATEN = torch.ops.aten
SIZED = (
    *(ATEN.max_pool1d.default, ATEN.max_pool2d.default, ATEN.max_pool3d.default),
    *(ATEN.avg_pool1d.default, ATEN.avg_pool2d.default, ATEN.avg_pool3d.default),
    *(ATEN.conv1d.default, ATEN.conv2d.default, ATEN.conv3d.default),
    *(ATEN.conv1d.padding, ATEN.conv2d.padding, ATEN.conv3d.padding),
    *(ATEN.conv_transpose1d.default, ATEN.conv_transpose2d.input, ATEN.conv_transpose3d.input),
)


def guard(graph: GraphModule) -> GraphModule:
    """The graph, in which each of these operators is checked before it is computed, in branches too."""
    for part in graph.modules():
        if isinstance(part, GraphModule):
            found = [n for n in part.graph.nodes if n.op == "call_function" and n.target in GUARDS]
            for node in found:
                node.target = GUARDS[node.target]
            if found:
                part.recompile()
    return graph


def attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *more: Any, **named: Any
) -> torch.Tensor:
    """As `scaled_dot_product_attention`; it takes the length of the keys from the values."""
    if (
        key.shape != value.shape
        or query.shape[:-2] != key.shape[:-2]
        or query.shape[-1] != key.shape[-1]
        or not query.dtype == key.dtype == value.dtype
    ):
        raise ValueError("attention: query, keys and values do not fit each other")
    found: torch.Tensor = ATTENTION(query, key, value, *more, **named)
    return found


def pad(
    input: torch.Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> torch.Tensor:
    """As `aten.pad`; reflection and replication do not check what is cut off."""
    if mode != "constant" and any(n < 0 for n in pad):
        raise ValueError(f"pad: {mode} with less than nothing")
    found: torch.Tensor = PAD(input, list(pad), mode, value)
    return found


def sized(operator: Any) -> Callable[..., Any]:
    """The operator for kernels, strides, paddings and dilations whose offsets do not overflow."""

    def checked(*given: Any, **named: Any) -> Any:
        for size in (*given, *named.values()):
            sizes = size if isinstance(size, (list, tuple)) else [size]
            if any(isinstance(n, int) and abs(n) > MOST for n in sizes):
                raise ValueError(f"{operator}: sizes up to {MOST} are served")
        return operator(*given, **named)

    return checked


def lstm(  # noqa: PLR0917  (as ATen's)
    input: torch.Tensor,
    hx: Sequence[torch.Tensor],
    params: Sequence[torch.Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> Any:
    """As `aten.lstm.input`; ValueError for what PyTorch's own `nn.LSTM` would not pass on."""
    if input.dim() != 3 or len(hx) != 2 or hx[0].dim() != 3:
        raise ValueError("lstm: the input and both states must have three dimensions")
    directions = 2 if bidirectional else 1
    batch, width, hidden = input.shape[0 if batch_first else 1], input.shape[2], hx[0].shape[2]
    expected = []
    for layer in range(num_layers):
        columns = width if layer == 0 else hidden * directions
        one = [(4 * hidden, columns), (4 * hidden, hidden)] + [(4 * hidden,)] * (2 if has_biases else 0)
        expected += one * directions
    state = (num_layers * directions, batch, hidden)
    if [tuple(p.shape) for p in params] != expected or any(tuple(h.shape) != state for h in hx):
        raise ValueError("lstm: weights and states do not fit the input (projections are not served)")
    if any(t.dtype != input.dtype for t in (*hx, *params)) or not input.is_floating_point():
        raise ValueError("lstm: input, states and weights must have one type of floating-point numbers")
    # Views may lie in less memory than their shape says.
    whole = [t.contiguous() for t in (*hx, *params)]
    return LSTM(
        input.contiguous(), whole[:2], whole[2:], has_biases, num_layers, dropout, train, bidirectional,
        batch_first,
    )  # fmt: skip


GUARDS: dict[Any, Callable[..., Any]] = {
    LSTM: lstm,
    ATTENTION: attention,
    PAD: pad,
    **{operator: sized(operator) for operator in SIZED},
}
