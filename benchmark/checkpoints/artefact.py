"""The deployable model: its weights as safetensors, and a card that names them by hash.

Training writes it, replicas and the check of what they answer read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from benchmark.checkpoints.checkpoint import check
from benchmark.core.config import GptConfig, ModelConfig, Workload
from benchmark.core.documents import get_json, json_bytes, put_json
from benchmark.core.errors import CheckpointError
from benchmark.core.store import Store
from benchmark.model import models

PASS_TOKENS = 1 << 14  # of one forward pass: memory, not the number of requests, is the limit


def export(
    *,
    store: Store,
    run_id: str,
    workload: Workload,
    seed: int,
    model: nn.Module,
    manifest: dict[str, Any],
    value: float,
) -> dict[str, Any]:
    """Write the deployable model: weights as safetensors, then the card that names them by hash."""
    data = save_tensors({name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()})
    prefix = f"models/{workload.name}/{run_id}/seed-{seed}"
    store.put(f"{prefix}/model.safetensors", data)
    card = {
        "schema": "aidc.model/1",
        "workload": workload.name,
        "key": f"{prefix}/model.safetensors",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "model": workload.model.model_dump(mode="json"),
        "metric": workload.target.metric,
        "quality": value,
        "seed": seed,
        "data_sha256": manifest["sha256"],
    }
    put_json(store, f"{prefix}/model.json", card)
    return card


def card_key(card: Mapping[str, Any]) -> str:
    """Where the card itself lies: beside the weights that it names."""
    return str(card["key"]).rpartition("/")[0] + "/model.json"


def card_digest(card: Mapping[str, Any]) -> str:
    """The SHA-256 of the card as it was written: the configuration and signature stand in it."""
    return hashlib.sha256(json_bytes(dict(card))).hexdigest()


class Loaded:
    """One model in memory with its card."""

    def __init__(self, store: Store, card_key: str, sha256: str, card: dict[str, Any] | None = None) -> None:
        """`card`: as it was read and checked; else it is read."""
        self.card: dict[str, Any] = card or get_json(store, card_key)
        if self.card.get("sha256") != sha256:
            raise CheckpointError(
                f"{card_key}: sha256: is {self.card.get('sha256')}, the deployment asks for {sha256}"
            )
        data = store.get(self.card["key"])
        check(data, sha256, self.card["key"])
        self.config: Any = TypeAdapter(ModelConfig).validate_python(self.card["model"])
        built = models.build(self.config)
        self.model: nn.Module = built
        self.flops_per_token: int = built.flops_per_sample()  # of training; a row is one token
        try:
            self.model.load_state_dict(load_tensors(data))
        except (SafetensorError, RuntimeError) as error:
            raise CheckpointError(f"{self.card['key']}: does not fit its card: {error}") from error
        self.model.eval()

    @torch.inference_mode()
    def predict(self, instances: Sequence[Any]) -> list[dict[str, Any]]:
        if isinstance(self.config, GptConfig):
            return self._predict_text(instances)
        logits = self.model(torch.tensor(instances, dtype=torch.float32))
        if self.config.outputs == 1:
            one = torch.sigmoid(logits.double().squeeze(-1))
            probabilities = torch.stack([1 - one, one], dim=-1)
        else:
            probabilities = logits.double().softmax(-1)
        return [{"label": int(p.argmax()), "probabilities": p.tolist()} for p in probabilities]

    def _predict_text(self, instances: Sequence[Any]) -> list[dict[str, Any]]:
        """The last `context` bytes count. Texts of one length share a batch; answers keep their order."""
        tails = [text.encode()[-self.config.context :] for text in instances]
        answers: list[dict[str, Any]] = [{} for _ in tails]
        for length in sorted({len(t) for t in tails}):
            rows = [i for i, t in enumerate(tails) if len(t) == length]
            most = max(1, PASS_TOKENS // length)
            for some in (rows[first : first + most] for first in range(0, len(rows), most)):
                x = torch.tensor([list(tails[i]) for i in some])
                last: Tensor = self.model(x)[:, -1].double().softmax(-1)
                for i, p in zip(some, last, strict=True):
                    rounded = [round(v, 9) for v in p.tolist()]
                    answers[i] = {"label": int(p.argmax()), "probabilities": rounded}
        return answers

    @torch.inference_mode()
    def following(self, text: bytes) -> Tensor:
        """Logits of the byte after a text, of which the last `context` bytes count."""
        found: Tensor = self.model(torch.tensor([list(text[-self.config.context :])]))[0, -1]
        return found.double()

    def describe(self) -> dict[str, Any]:
        return {k: self.card[k] for k in ("workload", "sha256", "metric", "quality", "seed", "bytes")}


class Generator:
    """Continues a text, one byte at a time. Temperature 0 takes the likeliest one, else the seed decides."""

    def __init__(self, model: Loaded, prompt: str, temperature: float, seed: int) -> None:
        self.model, self.temperature = model, temperature
        self.text = prompt.encode()[-model.config.context :]
        self.random = torch.Generator().manual_seed(seed)

    def next(self) -> int:
        logits = self.model.following(self.text)
        if self.temperature:
            chances = (logits / self.temperature).softmax(-1)
            byte = int(torch.multinomial(chances, 1, generator=self.random))
        else:
            byte = int(logits.argmax())
        self.text = (self.text + bytes([byte]))[-self.model.config.context :]
        return byte
