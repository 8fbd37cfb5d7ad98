"""`python -m benchmark.serving.predict_once FOLDER [--model NAME:SHA256:CARD@ANSWER …]`: answer offline.

FOLDER holds the buckets as an object store does: `models/<workload>/…/model.json`. Each model that is named,
or else each card in the folder, is loaded, its hash checked, and asked what the served model was asked when
its answer was recorded, or a fixed request. Prints one JSON document:

    {"models": [{"model", "sha256", "card", "instances", "predictions", "recorded", "named", "replaced",
                 "missing"}], "faults": {model: "…"}}

`instances` can be sent to the served model as they are: the same weights give the same predictions.
`recorded` is what the served model answered to them then, or null. ANSWER is the SHA-256 of that answer by
the serving record, and without it whatever was kept is taken: `named` tells which. `missing` is the key where
an answer that is named should be; `replaced` says what is wrong with the one that is there, if it is another.
Without CARD the model is looked for by its hash. Needs neither network nor Ray. Exit code 0: the document
says what failed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.checkpoints.loading import load
from benchmark.core.documents import get_json
from benchmark.core.errors import BenchmarkError
from benchmark.core.store import DirectoryStore
from benchmark.serving import recorded

# No key of a card ends like this: all are called model.json.
ANSWER = re.compile(r"(.*)@([0-9a-f]{64})", re.DOTALL)

# What a model, or the request that was recorded for it, may end in.
UNFIT = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Wanted(NamedTuple):
    """A model, the hash of its weights, the key of its card, and the hash of its answer as it was recorded.

    Without the key any card that names the weights is taken, without the last whatever answer was kept.
    """

    model: str
    sha256: str
    card: str = ""
    answer: str = ""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmark.serving.predict_once")
    parser.add_argument("folder", type=Path, help="holds models/<workload>/…")
    parser.add_argument("--model", action="append", default=[], type=wanted,
                        metavar="NAME:SHA256[:CARD][@ANSWER]",
                        help="only this model (several times: only these)")  # fmt: skip
    options = parser.parse_args(arguments)
    print(json.dumps(answers(options.folder, options.model)))
    return 0


def wanted(text: str) -> Wanted:
    """No name of a registered model holds a colon."""
    found = ANSWER.fullmatch(text)
    told, answer = found.groups() if found else (text, "")
    name, _, rest = told.partition(":")
    sha256, _, card = rest.partition(":")
    if not name or not sha256:
        raise argparse.ArgumentTypeError(f"{text!r}: give NAME:SHA256, NAME:SHA256:CARD, or one with @ANSWER")
    return Wanted(name, sha256, card, answer)


def answers(folder: Path, models: Iterable[Wanted] = ()) -> dict[str, Any]:
    """The answer of each model; of one that cannot answer, why."""
    store = DirectoryStore(folder)
    found: dict[str, Any] = {"models": [], "faults": {}}
    for model in list(models) or cards(store):
        try:
            found["models"].append(answer(store, model))
        except (BenchmarkError, *UNFIT) as error:
            # A card, and what was recorded beside it, may hold anything.
            found["faults"][model.model] = str(error) if isinstance(error, BenchmarkError) else repr(error)
    return found


def cards(store: DirectoryStore) -> Iterator[Wanted]:
    """Every card in the folder; models with the same weights once."""
    seen = set()
    for key in (k for k in store.list("models/") if k.endswith("/model.json")):
        card = get_json(store, key)
        if isinstance(card, dict) and card.get("sha256") not in seen:
            seen.add(card.get("sha256"))
            yield Wanted(str(card.get("workload")), str(card.get("sha256")), key)


def answer(store: DirectoryStore, wanted: Wanted) -> dict[str, Any]:
    """What this model predicts; CheckpointError or StoreError if it did not come back as it was."""
    key = wanted.card or next((c.card for c in cards(store) if c.sha256 == wanted.sha256), "")
    if not key:
        raise BenchmarkError(f"sha256 {wanted.sha256[:16]}…: no card names it")
    model = load(store, key, wanted.sha256)
    kept, replaced = None, None
    try:
        if wanted.answer:
            kept = recorded.named(store, wanted.sha256, wanted.answer)
        else:
            kept = recorded.read(store, wanted.sha256)
    except recorded.ReplacedError as error:
        replaced = str(error)
    absent = wanted.answer and not kept and not replaced
    instances = kept["instances"] if kept else recorded.instances(model.config)
    return {
        "model": wanted.model,
        "sha256": wanted.sha256,
        "card": key,
        "instances": instances,
        "predictions": model.predict(instances),
        "recorded": kept and kept["predictions"],
        "named": bool(wanted.answer),
        "replaced": replaced,
        "missing": recorded.key(wanted.sha256, wanted.answer) if absent else None,
    }


if __name__ == "__main__":
    sys.exit(main())
