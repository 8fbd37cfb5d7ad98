"""What clients may ask of a served model: parsed, and refused with the location of the fault.

A request is checked as a whole before it is computed with others: what passes here is a list of finite
float32 numbers, or of Unicode text, of a size that the model answers in time.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from typing import Any

from benchmark.checkpoints.signature import OwnModel, Wrong, kind
from benchmark.core.config import GptConfig, ModelConfig

MAX_INSTANCES = 512
MAX_BODY = 2 << 20  # bytes; the load balancer refuses more too
FLOAT32_MAX = 3.4028234663852886e38
SHOWN = 60  # characters of a client's own text in a message


class RequestError(Exception):
    """The client's mistake: an HTTP status and a message that says which field.

    `wrong` holds the same for programs: the field, what was expected, and what came.
    """

    def __init__(
        self, status: int, message: str, headers: Mapping[str, str] | None = None, wrong: Wrong | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.headers, self.wrong = status, dict(headers or {}), wrong


async def read(parts: AsyncIterable[bytes], declared: str | None = None) -> bytes:
    """A body, part by part; RequestError as soon as it is known to be too long, not after."""
    if declared and declared.isascii() and declared.isdigit() and int(declared[:20]) > MAX_BODY:
        raise _too_long(f"{declared[:20]} bytes")
    found = bytearray()
    async for part in parts:
        if len(found) + len(part) > MAX_BODY:
            raise _too_long("too long")
        found += part
    return bytes(found)


def parse(body: bytes, config: ModelConfig | OwnModel) -> list[Any]:
    """The instances of a request; RequestError names the first field that is wrong."""
    # Whole numbers as floats: one of a thousand digits is infinite, and read as fast as another.
    content = content_of(body, numbers=float)
    instances = content.get("instances") if isinstance(content, dict) else None
    if not isinstance(instances, list) or not instances:
        raise RequestError(
            400, 'instances: must be a non-empty list, as in {"instances": [...]}',
            wrong=Wrong("instances", "a non-empty list", _got(content, "instances")),
        )  # fmt: skip
    extra = next((key for key in content if key != "instances"), None)
    if extra is not None and isinstance(config, OwnModel):
        wrong = Wrong(shown(extra), "only instances", "a field that no request has")
        raise RequestError(400, f"{shown(extra)}: is no field of a request; only instances is", wrong=wrong)
    if len(instances) > MAX_INSTANCES:
        raise RequestError(413, f"instances: {len(instances)}, at most {MAX_INSTANCES} are accepted")
    for i, instance in enumerate(instances):
        if isinstance(config, OwnModel):
            if found := config.problem(instance):
                field = f"instances[{i}]{found.field}"
                message = f"{field}: must be {found.expected}; is {found.got}"
                raise RequestError(400, message, wrong=found._replace(field=field))
            continue
        problem = _text(instance) if isinstance(config, GptConfig) else _row(instance, config.inputs)
        if problem:
            place, _, expected = problem.partition(": must be ")
            got = kind(_inside(instance, place))
            wrong = Wrong(f"instances[{i}]{place}", expected, got)
            raise RequestError(400, f"instances[{i}]{problem}", wrong=wrong if expected else None)
    return instances


def _got(content: Any, field: str) -> str:
    if not isinstance(content, dict):
        return kind(content)
    return kind(content[field]) if field in content else "nothing: the field is missing"


def _inside(instance: Any, place: str) -> Any:
    """The number that `[3]` names, or all of it."""
    return instance[int(place[1:-1])] if place.startswith("[") else instance


def content_of(body: bytes, numbers: Callable[[str], float]) -> Any:
    """The JSON of a body; `numbers` reads whole ones."""
    if len(body) > MAX_BODY:
        raise _too_long(f"{len(body)} bytes")
    try:
        return json.loads(body, parse_int=numbers, object_pairs_hook=_once)
    except RecursionError:
        raise RequestError(400, "body: is nested too deeply") from None
    except ValueError as error:
        raise RequestError(400, f"body: is not JSON: {error}") from None


def shown(text: str) -> str:
    """A client's text as a message shows it: short and in plain ASCII."""
    plain = text.encode("ascii", "backslashreplace").decode("ascii")
    return plain if len(plain) <= SHOWN else f"{plain[:SHOWN]}..."


def _too_long(what: str) -> RequestError:
    return RequestError(413, f"body: {what}, at most {MAX_BODY} bytes are accepted")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise RequestError(400, f"body: the key '{shown(twice)}' is given twice")
    return found


def _text(instance: Any) -> str | None:
    if not isinstance(instance, str) or not instance:
        return ": must be non-empty text"
    try:
        instance.encode()
    except UnicodeEncodeError as error:
        code = f"\\u{ord(instance[error.start]):04x}"
        return f": {code} at character {error.start} is half a surrogate pair: must be Unicode text"
    return None


def _row(instance: Any, inputs: int) -> str | None:
    if not isinstance(instance, list) or len(instance) != inputs:
        return f": must be a list of {inputs} numbers"
    for j, value in enumerate(instance):
        # Not a number compares as false, and what only float64 can hold would be infinite in the model.
        if type(value) is not float or not abs(value) <= FLOAT32_MAX:
            return f"[{j}]: must be a finite number (float32)"
    return None
