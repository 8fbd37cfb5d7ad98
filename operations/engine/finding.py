"""Search in what all containers have written: VictoriaLogs, through the load balancer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import requests

from benchmark.core.words import masked
from components.planning.logs import READER
from operations.errors import OperationError, RefusedError

PATH = "/select/logsql/query"
TIMEOUT = 30.0
SINCE = re.compile(r"[1-9][0-9]{0,5}[smhdw]")
FIX = "plain words are looked for in all lines; docs/logs.md names fields, as level:error"


def query(text: str, service: str | None, since: str, most: int) -> str:
    """LogsQL for the newest `most` lines that `text`, LogsQL itself, finds. Raises RefusedError."""
    if not SINCE.fullmatch(since):
        raise RefusedError(f"SINCE: {since!r} is not a time\n    fix: write it as 30m, 12h or 7d")
    if not text.strip():
        raise RefusedError(f"FIND: says nothing\n    fix: {FIX}")
    # In parentheses, so that no `or` in it reaches beyond the service.
    wanted = [f"_time:{since}", *([f'{{service="{service}"}}'] if service else []), f"({text})"]
    return f"{' '.join(wanted)} | sort by (_time desc) limit {most}"


def ask(url: str, password: str, ca_file: str | None, asked: str) -> Iterator[dict[str, Any]]:
    """The lines found, the newest first. Raises OperationError, and RefusedError for what is no LogsQL."""
    try:
        answer = requests.post(
            f"{url}{PATH}", data={"query": asked}, auth=(READER, password), verify=ca_file, timeout=TIMEOUT
        )
    except requests.RequestException as error:
        raise OperationError(f"{url}: the logs cannot be asked: {error}") from error
    if answer.status_code == requests.codes.bad_request:
        reason = answer.text.strip().splitlines()[:1]
        raise RefusedError(f"FIND: {' '.join(reason)[:300]}\n    fix: {FIX}")
    if answer.status_code != requests.codes.ok:
        raise OperationError(f"{url}: the logs answer with status {answer.status_code}")
    # Its lines end where bytes say so; what else ends a line for Python may stand in a text.
    for line in answer.content.split(b"\n"):
        if line.strip():
            yield _row(url, line)


def _row(url: str, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OperationError(
            f"{url}: the logs answer with what is no line: {line[:200].decode(errors='replace')!r}"
        )
    return found


def shown(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The oldest first: time, service and text, without what a terminal would obey."""
    fields = ("_time", "service", "_msg")
    rows = [tuple(masked(str(line.get(field, ""))) for field in fields) for line in found]
    width = max((len(service) for _, service, _ in rows), default=0)
    return [f"{time[:19]}Z  {service:<{width}}  {text}" for time, service, text in reversed(rows)]
