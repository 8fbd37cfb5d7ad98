"""The models of a snapshot: laid out under their keys, and compared with what the registry says of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from images.backup.keeper.core.objects import Listed, Saved
from images.backup.keeper.proving import models

WEIGHTS = b"weights"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
FOLDER = "mlp/run/seed-0"
CARD = {"key": f"models/{FOLDER}/model.safetensors", "sha256": SHA256}
CHAMPION = {"model": "mlp", "version": 2, "card": f"models/{FOLDER}/model.json", "sha256": SHA256}


def saved(folder: Path, key: str, content: bytes, bucket: str = models.BUCKET) -> Saved:
    listed = Listed(bucket, key, len(content), "e", "2026-01-31T00:00:00+00:00")
    path = folder / listed.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Saved(listed, listed.file, hashlib.sha256(content).hexdigest())


def laid_out(root: Path, **files: bytes) -> Path:
    """A restore with a card, weights, and whatever of them `files` replaces."""
    content = {"model.json": json.dumps(CARD).encode(), "model.safetensors": WEIGHTS}
    content |= {name.replace("_", "."): data for name, data in files.items()}
    found = [saved(root, f"{FOLDER}/{name}", data) for name, data in content.items() if data]
    assert models.lay_out(found, root, root) == len(found)
    return root


def card_naming(weights: str) -> bytes:
    """A card that a job wrote."""
    return json.dumps({**CARD, "key": weights}).encode()


def faults(root: Path, **champion: Any) -> list[str]:
    return list(models.faults([CHAMPION | champion], root))


def test_a_champion_that_came_back_whole_has_no_fault(tmp_path: Path) -> None:
    assert faults(laid_out(tmp_path)) == []


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"model_json": b""}, "its card models/mlp/run/seed-0/model.json did not come back"),
        ({"model_json": b"not JSON"}, "did not come back"),
        ({"model_json": b'{"sha256": "0"}'}, "its card names other weights than the registry"),
        ({"model_json": b"[" * 100_000}, "its card models/mlp/run/seed-0/model.json did not come back"),
        ({"model_json": card_naming("models/mlp/\0")}, "did not come back"),
        ({"model_json": card_naming("models/" + "x" * 5000)}, "did not come back"),
        ({"model_json": card_naming("models/\ud83d")}, "did not come back"),
        ({"model_safetensors": b""}, "model.safetensors did not come back"),
        ({"model_safetensors": b"Weights"}, "another hash than the registry says"),
    ],
)
def test_what_is_missing_or_different_is_named_with_the_model(
    tmp_path: Path, files: dict[str, bytes], fault: str
) -> None:
    (found,) = faults(laid_out(tmp_path, **files))
    assert found.startswith("model mlp, version 2: ")
    assert fault in found


def test_a_version_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    assert faults(tmp_path, card=None, sha256=None) == []


def test_a_card_outside_of_the_restore_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text(json.dumps(CARD))
    (found,) = faults(laid_out(tmp_path), card="../outside.json")
    assert "did not come back" in found


@pytest.mark.parametrize("key", ["../up", "a/../../up", "/etc/x", "a//b", "new\nline", "a" * 300])
def test_a_key_that_could_lead_elsewhere_makes_no_file(tmp_path: Path, key: str) -> None:
    assert models.lay_out([saved(tmp_path, key, b"x")], tmp_path, tmp_path / "to") == 0
    assert not any(path.is_file() for path in (tmp_path / "to").rglob("*"))


def test_of_a_key_and_one_below_it_one_is_laid_out(tmp_path: Path) -> None:
    both = [saved(tmp_path, "fd", b"file"), saved(tmp_path, "fd/x", b"below")]
    assert models.lay_out(both, tmp_path, tmp_path / "to") == 1
