"""`aten.lstm` with its shapes checked: on the CPU, oneDNN reads weights beyond their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.fx import GraphModule

LSTM = torch.ops.aten.lstm.input


def guard(graph: GraphModule) -> GraphModule:
    """The graph, in which each LSTM is checked before it is computed, in branches too."""
    for part in graph.modules():
        if isinstance(part, GraphModule):
            found = [n for n in part.graph.nodes if n.op == "call_function" and n.target is LSTM]
            for node in found:
                node.target = lstm
            if found:
                part.recompile()
    return graph


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
