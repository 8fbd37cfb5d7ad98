"""`python -m benchmark.serving.predict_once FOLDER [--sha256 HASH …]`: answer a fixed request, offline.

FOLDER holds the buckets as an object store does: `models/<workload>/…/model.json`. For each card, or for each
whose weights have one of these hashes, it loads the model, checks its hash and prints one JSON document:

    {"models": [{"workload", "sha256", "card", "instances", "predictions"}], "faults": ["…"]}

`instances` can be sent to the served model as they are: the same weights give the same predictions. Needs
neither network nor Ray. Exit codes: 0 all answered; 1 one did not, or none was there.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from benchmark.checkpoints.artefact import Loaded
from benchmark.core.config import GptConfig
from benchmark.core.errors import BenchmarkError
from benchmark.core.store import DirectoryStore, get_json

INSTANCES = 4


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmark.serving.predict_once")
    parser.add_argument("folder", type=Path, help="holds models/<workload>/…")
    parser.add_argument("--sha256", action="append", default=[], help="only models with this hash")
    options = parser.parse_args(arguments)
    found = answers(options.folder, options.sha256)
    print(json.dumps(found))
    return 0 if found["models"] and not found["faults"] else 1


def answers(folder: Path, wanted: Collection[str] = ()) -> dict[str, list[Any]]:
    """One answer for each model, or for each of those hashes; a hash that no card names is a fault."""
    store = DirectoryStore(folder)
    found: dict[str, list[Any]] = {"models": [], "faults": []}
    seen = set()
    for key in (k for k in store.list("models/") if k.endswith("/model.json")):
        try:
            card = get_json(store, key)
            sha256 = str(card["sha256"]) if isinstance(card, dict) and "sha256" in card else ""
            if sha256 in seen or (wanted and sha256 not in wanted):
                continue
            seen.add(sha256)
            found["models"].append(answer(store, key, sha256))
        except BenchmarkError as error:
            found["faults"].append(str(error))
    found["faults"] += [f"sha256 {hash_[:16]}…: no card names it" for hash_ in sorted(set(wanted) - seen)]
    return found


def answer(store: DirectoryStore, card_key: str, sha256: str) -> dict[str, Any]:
    """What this model predicts for its fixed request; CheckpointError if the weights are not those."""
    model = Loaded(store, card_key, sha256)
    instances = fixed_instances(model.config)
    return {
        "workload": model.card["workload"],
        "sha256": sha256,
        "card": card_key,
        "instances": instances,
        "predictions": model.predict(instances),
    }


def fixed_instances(config: Any) -> list[Any]:
    """Always the same for a shape of model."""
    if isinstance(config, GptConfig):
        return [f"def f{i}(" for i in range(INSTANCES)]
    rows, columns = range(INSTANCES), range(config.inputs)
    return [[round((i * j) % 7 - 3 + i / 16, 4) for j in columns] for i in rows]


def differences(
    models: list[dict[str, Any]], live: dict[str, list[dict[str, Any]]], tolerance: float = 1e-3
) -> list[str]:
    """Each answer that is another one than the live answer to the same request, by workload."""
    found = []
    for model in models:
        for i, (here, there) in enumerate(zip(model["predictions"], live[model["workload"]], strict=True)):
            pairs = zip(here["probabilities"], there["probabilities"], strict=True)
            apart = max(abs(a - b) for a, b in pairs)
            if here["label"] != there["label"] or apart > tolerance:
                found.append(
                    f"{model['workload']}: instances[{i}]: label {here['label']}, live {there['label']}; "
                    f"probabilities differ by up to {apart:.1e}"
                )
    return found


if __name__ == "__main__":
    sys.exit(main())
