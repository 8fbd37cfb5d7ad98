"""Parts of the language model with their gradients written out, for a CPU that computes in float32.

What autograd derives is right but goes through memory more often than need be: it keeps more
tensors, fills zeros to add to, and runs each step over the whole batch before the next. Here that
was an eighth of a step of the byte-level model.

Each function equals the formula in its docstring, and so does its gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn import functional as F  # noqa: N812

ROWS = 512  # of the feed-forward at a time: then what is between its products stays in the cache


def written_out(x: Tensor) -> bool:
    """Whether these functions serve `x`; a GPU and a compiler do better with the plain formulas."""
    return not (x.is_cuda or torch.is_autocast_enabled(x.device.type) or torch.compiler.is_compiling())


def feed_forward(x: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """relu(x upᵀ)² downᵀ. x: (…, width), up: (hidden, width), down: (width, hidden)."""
    if not written_out(x):
        return F.linear(F.relu(F.linear(x, up)).square(), down)
    result: Tensor = _FeedForward.apply(x.flatten(0, -2), up, down).view(x.shape)  # type: ignore[no-untyped-call]
    return result


def queries_keys_values(
    x: Tensor, weight: Tensor, heads: int, rotation: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys, turned by their position ("rotary embedding"), and values.

    x: (batch, length, width), weight: (3 * width, width). Each result: (batch, length, heads, 2 * pairs).
    rotation: (cos, cos) and (-sin, sin) of each position, (length, 1, 2 * pairs): the pairs (x1, x2) become
    (x1 cos - x2 sin, x2 cos + x1 sin), all x1 standing before the x2, or each beside its x2: in queries and
    keys alike, so their products are the same.
    """
    batch, length, width = x.shape
    cosine, sine = rotation
    if not written_out(x):
        q, k, v = F.linear(x, weight).view(batch, length, 3, heads, -1).unbind(2)
        q, k = (torch.addcmul(p * cosine, p.roll(p.shape[-1] // 2, dims=-1), sine) for p in (q, k))
        return q, k, v
    # Turning a pair is one product of complex numbers, if its two stand side by side. That is a matter of
    # the order of the weights' rows: far fewer numbers to move than the activations are.
    pairs = cosine.shape[-1] // 2
    paired = weight[: 2 * width].view(2 * heads, 2, pairs, width).transpose(1, 2).reshape(-1, width)
    qkv = F.linear(x, torch.cat((paired, weight[2 * width :])))
    q, k, v = qkv.view(batch, length, 3, heads, -1).unbind(2)
    turn = torch.complex(cosine[..., pairs:], sine[..., pairs:]).expand(-1, heads, -1).contiguous()
    return _as_real(_as_complex(q) * turn), _as_real(_as_complex(k) * turn), v


def _as_complex(x: Tensor) -> Tensor:
    return torch.view_as_complex(x.view(*x.shape[:-1], -1, 2))


def _as_real(x: Tensor) -> Tensor:
    return torch.view_as_real(x).flatten(-2)


def shift(x: Tensor, share: Tensor) -> Tensor:
    """Mix each position with the one before: (1 - share) x[t] + share x[t-1]; zeros come before the first.

    x: (batch, length, width), share: (width).
    """
    if torch.compiler.is_compiling():
        return x + (F.pad(x, (0, 0, 1, -1)) - x) * share
    result: Tensor = _Shift.apply(x, share)  # type: ignore[no-untyped-call]
    return result


class _FeedForward(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, up: Tensor, down: Tensor) -> Tensor:
        hidden, y = x.new_empty(len(x), len(up)), x.new_empty(len(x), len(down))
        for rows, h, out in _in_parts(x, hidden, y):
            torch.mm(rows, up.t(), out=h).relu_()
            torch.mm(h * h, down.t(), out=out)
        context.save_for_backward(x, up, down, hidden)
        return y

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, up, down, hidden = context.saved_tensors
        dx, d_up, d_down = torch.empty_like(x), torch.zeros_like(up), torch.zeros_like(down)
        for rows, h, g, out in _in_parts(x, hidden, gradient, dx):
            d_down.addmm_(g.t(), h * h)
            dh = torch.mm(g, down).mul_(h)  # half of it: the 2 of the square's derivative comes below
            d_up.addmm_(dh.t(), rows, alpha=2)
            torch.addmm(out, dh, up, beta=0, alpha=2, out=out)
        return dx, d_up, d_down


def _in_parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(torch.split(t, ROWS) for t in tensors), strict=True)


class _Shift(Function):
    @staticmethod
    def forward(context: Any, x: Tensor, share: Tensor) -> Tensor:
        context.save_for_backward(x, share)
        y = x * (1 - share)
        y[:, 1:].addcmul_(x[:, :-1], share)
        return y

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        x, share = context.saved_tensors
        dx = gradient * (1 - share)
        dx[:, :-1].addcmul_(gradient[:, 1:], share)
        from_before = (gradient[:, 1:] * x[:, :-1]).sum((0, 1))
        return dx, from_before - (gradient * x).sum((0, 1))
