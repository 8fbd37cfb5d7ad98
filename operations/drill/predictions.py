"""Whether the restored models answer as the live ones do. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from operations.documents import DrillModel

# The same weights on another kind of processor, or computed together with other requests.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Wanted:
    """A model that should answer. `version` and `card` are the registry's; without them it is only served.

    `answer`: the SHA-256 of what it answered when it was served, by the serving record.
    """

    model: str
    sha256: str
    card: str = ""
    version: int | None = None
    answer: str = ""

    def __str__(self) -> str:
        """As the program that asks it is told."""
        card, answer = f":{self.card}" if self.card else "", f"@{self.answer}" if self.answer else ""
        return f"{self.model}:{self.sha256}{card}{answer}"


def wanted(champions: Sequence[Mapping[str, Any]], served: Mapping[str, str]) -> list[Wanted]:
    """The registry's champions, as the restored database has them; where there are none, what is served."""
    if champions:
        return [
            Wanted(
                str(c["model"]),
                str(c["sha256"]),
                str(c["card"]),
                int(c["version"]),
                str(c.get("answer") or ""),
            )
            for c in champions
            if c["sha256"] and c["card"]
        ]
    return [Wanted(name, sha256) for name, sha256 in sorted(served.items())]


def judge(
    models: Sequence[Wanted], answered: Mapping[str, Any], live: Mapping[str, Sequence[Any]]
) -> list[DrillModel]:
    """`answered` is what `predict_once` prints, `live` model to the live answer to the same request."""
    answers = {model["model"]: model for model in answered.get("models", ())}
    found = []
    for model in models:
        answer = answers.get(model.model)
        if answer is None:
            fault = (
                answered.get("fault") or answered.get("faults", {}).get(model.model) or "it did not answer"
            )
            # What is served and not registered may be newer than the snapshot.
            outcome = "failed" if model.version is not None or "fault" in answered else "not compared"
            found.append(_row(model, outcome, None, str(fault)))
            continue
        found.append(_compared(model, answer, live.get(model.model)))
    return found


def _compared(model: Wanted, answer: Mapping[str, Any], live: Sequence[Any] | None) -> DrillModel:
    """`answer` is of `predict_once`. Without a live one the recorded one counts, if it is still that."""
    replaced = answer.get("replaced")
    against, other = ("live", live) if live is not None else ("recorded", answer.get("recorded"))
    if other is None and replaced:
        return _row(model, "failed", None, f"its recorded answer cannot be believed: {replaced}")
    if other is None:
        missing = answer.get("missing")
        why = f"; its recorded answer {missing} is not in the backup" if missing else ""
        return _row(model, "not compared", None, f"it answers; no live answer is known to compare with{why}")
    differences = list(different(answer["predictions"], other))
    words = WORDS[against]
    if against == "recorded" and not answer.get("named"):
        words += " of before the serving record had them, which jobs can write"
    said = (
        f"{differences[0]} (compared with the {words})"
        if differences
        else f"{len(other)} answers equal the {words}"
    )
    also = f"; its recorded answer cannot be believed: {replaced}" if replaced else ""
    return _row(model, "different" if differences else "equal", against, said + also)


WORDS = {"live": "live ones", "recorded": "recorded ones"}


def different(here: Sequence[Any], there: Sequence[Any]) -> Iterator[str]:
    """Each answer that is another one, by the number of the instance."""
    if len(here) != len(there):
        yield f"{len(here)} answers, {len(there)} there"
        return
    for i, (one, other) in enumerate(zip(here, there, strict=True)):
        try:
            pairs = list(_pairs(one, other))
            # Not a number is near to nothing. Values of a user's model have any size.
            near = all(abs(a - b) <= TOLERANCE * max(1.0, abs(b)) for a, b in pairs)
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError):
            yield f"instance {i}: the answers are of another shape"
            continue
        labels = [x["label"] for x in (one, other) if isinstance(x, dict) and "label" in x]
        if labels[:1] == labels[1:] and near:
            continue
        apart = max((abs(a - b) for a, b in pairs), default=0.0)
        if labels:
            yield (
                f"instance {i}: label {labels[0]}, there {labels[-1]}; "
                f"probabilities differ by up to {apart:.1e}"
            )
        else:
            yield f"instance {i}: the answers differ by up to {apart:.1e}"


def _pairs(one: Any, other: Any) -> Iterator[tuple[float, float]]:
    """The numbers of two answers, each with its counterpart. Labels, which are numbers of classes, apart."""
    if isinstance(one, (dict, list)) and type(one) is not type(other):
        raise ValueError("another shape")
    if isinstance(one, dict):
        if one.keys() != other.keys():
            raise ValueError("other fields")
        for name in one.keys() - {"label"}:
            yield from _pairs(one[name], other[name])
    elif isinstance(one, list):
        for pair in zip(one, other, strict=True):
            yield from _pairs(*pair)
    else:
        yield float(one), float(other)


def _row(model: Wanted, outcome: Any, against: Any, detail: str) -> DrillModel:
    return DrillModel(
        model=model.model,
        version=model.version,
        sha256=model.sha256,
        outcome=outcome,
        against=against,
        detail=detail,
    )


def summary(models: Sequence[DrillModel]) -> str:
    """Of the levels' line."""
    if not models:
        return "no model to compare"
    words: dict[str, list[str]] = {}
    for model in models:
        words.setdefault(f"{model.outcome} ({model.against})" if model.against else model.outcome, []).append(
            model.model
        )
    return "prediction of " + "; ".join(f"{', '.join(names)}: {said}" for said, names in words.items())


def faults(models: Sequence[DrillModel]) -> list[str]:
    """Those that fail the drill."""
    return [
        f"model {m.model}{'' if m.version is None else f', version {m.version}'}: {m.detail}"
        for m in models
        if m.outcome in ("different", "failed")
    ]
