"""Cards that a job wrote by itself are refused as an error that is caught and told."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from benchmark.checkpoints.loading import load
from benchmark.core.documents import put_json
from benchmark.core.errors import CheckpointError
from benchmark.core.store import DirectoryStore

CARD, KEY, DATA = "models/slope/x/model.json", "models/slope/x/model.pt2", b"no archive"
SHA256 = hashlib.sha256(DATA).hexdigest()
MODEL = {"kind": "exported", "named": False, "inputs": [{"name": "x", "dtype": "float32"}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": {"kind": "exported", "inputs": 7}}, "is no card"),
        ({"model": {**MODEL, "seconds": -1}}, "is no card"),
        ({"key": None}, "is no card"),
        ({}, KEY),
    ],
)
def test_a_card_that_a_job_wrote_by_itself_is_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    store = DirectoryStore(tmp_path)
    store.put(KEY, DATA)
    card = {"workload": "slope", "key": KEY, "sha256": SHA256, "bytes": len(DATA), "model": MODEL}
    put_json(store, CARD, {k: v for k, v in {**card, **changes}.items() if v is not None})
    with pytest.raises(CheckpointError, match=words):
        load(store, CARD, SHA256)
