"""A model of either kind by its card: a workload's, or a user's own."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmark.checkpoints.artefact import Loaded, card_digest
from benchmark.checkpoints.exported import Exported
from benchmark.checkpoints.signature import MOST_VALUES, OwnModel
from benchmark.core.config import MlpConfig, ModelConfig
from benchmark.core.documents import get_json
from benchmark.core.errors import CheckpointError
from benchmark.core.store import Store

Model = Loaded | Exported


def load(store: Store, card_key: str, sha256: str, card_sha256: str = "") -> Model:
    """CheckpointError where the card names other weights or is another one, or these cannot be loaded.

    `card_sha256`: of the card itself; empty for models that were admitted before cards had a hash.
    """
    card = get_json(store, card_key)
    same_card(card, card_key, card_sha256)
    model = card.get("model") if isinstance(card, dict) else None
    if not isinstance(model, dict) or model.get("kind") != "exported":
        return Loaded(store, card_key, sha256, card)
    if card.get("sha256") != sha256:
        raise CheckpointError(
            f"{card_key}: sha256: is {card.get('sha256')}, the deployment asks for {sha256}"
        )
    try:
        return Exported(store, card)
    except (ValidationError, KeyError) as error:
        raise CheckpointError(f"{card_key}: is no card of a user's own model: {error!s:.300}") from error


def same_card(card: Any, where: str, card_sha256: str) -> None:
    """CheckpointError where it is not the card that was admitted; those without a hash are believed."""
    if card_sha256 and card_digest(card if isinstance(card, dict) else {}) != card_sha256:
        raise CheckpointError(f"{where}: has another hash than when it was admitted: corrupt or replaced")


def config_of(card: Any, where: str) -> ModelConfig | OwnModel:
    """What the model takes, by its card alone. CheckpointError where `card` is none, or asks for too much."""
    model = card.get("model") if isinstance(card, dict) else None
    try:
        if isinstance(model, dict) and model.get("kind") == "exported":
            return OwnModel.model_validate(model)
        found: ModelConfig = TypeAdapter(ModelConfig).validate_python(model)
    except ValidationError as error:
        raise CheckpointError(f"{where}: does not say what its model takes: {error!s:.300}") from error
    if isinstance(found, MlpConfig) and found.inputs > MOST_VALUES:
        raise CheckpointError(f"{where}: its model takes more than {MOST_VALUES} values an instance")
    return found
