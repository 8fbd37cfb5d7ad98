"""The models: a small perceptron and a byte-level GPT, both plain PyTorch.

Every model maps inputs to logits and knows its own cost: `flops_per_sample()` counts the
floating-point operations of one training sample (forward and backward), in the convention
of the field: 6 FLOP per weight of a matrix multiplication plus 12 * layers * width * context
per token for attention; embedding look-ups are free and nothing is recomputed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from benchmark.core.config import GptConfig, MlpConfig, ModelConfig
from benchmark.model import kernels


class Mlp(nn.Module):
    """inputs -> hidden ReLU layers -> outputs. (batch, inputs) float -> (batch, outputs) logits."""

    def __init__(self, config: MlpConfig) -> None:
        super().__init__()
        widths = [config.inputs, *config.hidden, config.outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        logits: Tensor = self.layers[-1](x)
        return logits

    def flops_per_sample(self) -> int:
        return 6 * sum(p.numel() for p in self.parameters() if p.ndim == 2)


class Block(nn.Module):
    """Pre-norm transformer block: causal attention, then a squared-ReLU feed-forward."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm_2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        # How much of the previous byte each channel sees: one multiply-add that gives the
        # block bigrams for free, worth more than a layer at this size ("token shift").
        self.shift = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        batch, length, width = x.shape
        h = self.norm_1(x)
        h = kernels.shift(h, self.shift.to(h.dtype))
        q, k, v = (
            part.transpose(1, 2)
            for part in kernels.queries_keys_values(h, self.qkv.weight, self.heads, rotation)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + kernels.feed_forward(self.norm_2(x), self.up.weight, self.down.weight)


class Gpt(nn.Module):
    """Byte-level GPT. (batch, length) int64 in [0, 256) -> (batch, length, 256) logits of the next byte."""

    block: type[Block] = Block
    cosine: Tensor
    sine: Tensor

    def __init__(self, config: GptConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(256, config.width)
        self.blocks = nn.ModuleList(self.block(config.width, config.heads) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, bias=False)
        self.head = nn.Linear(config.width, 256, bias=False)
        size = config.width // config.heads // 2
        angle = torch.outer(torch.arange(config.context), 10_000.0 ** (-torch.arange(size) / size))
        cosine, sine = angle.cos(), angle.sin()
        self.register_buffer("cosine", torch.cat((cosine, cosine), -1)[:, None], persistent=False)
        self.register_buffer("sine", torch.cat((-sine, sine), -1)[:, None], persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                fan_in = self.config.width if "embedding" in name else parameter.shape[1]
                nn.init.normal_(parameter, std=fan_in**-0.5)
            if name.endswith(("out.weight", "down.weight", "head.weight")):
                nn.init.zeros_(parameter)  # every block starts as the identity, the loss at log 256

    def forward(self, x: Tensor, blocks: Iterable[nn.Module] | None = None) -> Tensor:
        """`blocks`: what to call in place of the blocks, such as their compiled forms."""
        length = x.shape[1]
        rotation = (self.cosine[:length], self.sine[:length])
        h = self.embedding(x)
        if torch.is_autocast_enabled(h.device.type):
            # What the blocks add up is in bfloat16 as well: half as much to move through memory.
            h = h.to(torch.get_autocast_dtype(h.device.type))
        for block in self.blocks if blocks is None else blocks:
            h = block(h, rotation)
        logits: Tensor = self.head(self.norm(h))
        return logits

    def flops_per_sample(self) -> int:
        """Per token, at full context."""
        config = self.config
        matrices = sum(p.numel() for n, p in self.named_parameters() if p.ndim == 2 and "embedding" not in n)
        return 6 * matrices + 12 * config.depth * config.width * config.context


class CompiledBlocks(nn.Module):
    """The same model, its blocks compiled: one compilation serves all of them.

    On a GPU that took 3 s for twelve blocks, where the model as a whole took 30 s, for steps 4 % longer.
    """

    def __init__(self, model: Gpt) -> None:
        super().__init__()
        self.model = model
        self.compiled = [cast(nn.Module, torch.compile(block)) for block in model.blocks]  # no submodules

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.model(x, self.compiled)
        return logits


def compiled(model: nn.Module) -> nn.Module:
    """With the same parameters; what is compiled is so when it is called first."""
    return CompiledBlocks(model) if isinstance(model, Gpt) else cast(nn.Module, torch.compile(model))


def build(config: ModelConfig) -> Mlp | Gpt:
    return Gpt(config) if isinstance(config, GptConfig) else Mlp(config)
