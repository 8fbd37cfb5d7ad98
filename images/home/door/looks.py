"""The page and the document, made when they are asked for and kept for some seconds."""

from __future__ import annotations

import base64
import json
import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlencode

from operations.documents import content
from operations.front import page
from operations.front.handed import Header, moment
from operations.output import ago

from . import jobs, pages, told
from .figures import QUERY
from .reading import Heard, status
from .settings import AGAIN, FILES, KEPT, WITHIN, stack
from .source import Source, get

NOTE = "Audits, benchmarks and checks of nodes: as a workstation has told them."


class Look(NamedTuple):
    """One look at the stack, as a page and as the document of `make status`."""

    page: bytes
    document: bytes


class Looks:
    """Asks its sources at most once within KEPT seconds, however many want to see the answer."""

    def __init__(self) -> None:
        self._stack = stack()
        form = urlencode({"query": QUERY}).encode()
        self._figures = Source(lambda: get(self._stack.figures, login, form, WITHIN))
        self._alerts = Source(lambda: get(self._stack.alerts, login, None, WITHIN))
        self._alone = threading.Lock()
        self._newest: tuple[float, Look] | None = None

    def newest(self) -> Look:
        with self._alone:
            if self._newest is None or time.monotonic() - self._newest[0] > KEPT:
                look = self._look()
                self._newest = time.monotonic(), look
            return self._newest[1]

    def _look(self) -> Look:
        # Side by side: what hangs costs its time once.
        until = time.monotonic() + WITHIN
        for source in (self._figures, self._alerts):
            source.begin()
        heard = Heard(self._figures.answer(until), self._alerts.answer(until), told.read())
        now = datetime.now(UTC)
        found = status(self._stack, heard, now)
        handed = {name: about(one, now) for name, one in pages.held().items()}
        shown = page.render(found, now, handed, page.Live(AGAIN, NOTE, jobs.now(heard.figures)))
        document = json.dumps(content(found), indent=2) + "\n"
        return Look(shown.encode(), document.encode())


def about(one: Header, now: datetime) -> str:
    """What is said beside the link to a page: `run 20261128-043000, 5 h ago`."""
    return ", ".join(filter(None, (f"run {one.of}" if one.of else "", f"{ago(moment(one.at), now)} ago")))


def login() -> str:
    """The header Authorization with which figures are asked for."""
    password = (FILES / "password").read_text(encoding="utf-8").strip()
    return "Basic " + base64.b64encode(f"home:{password}".encode()).decode()
