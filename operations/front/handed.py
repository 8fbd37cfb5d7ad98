"""Pages that a workstation hands to the front door: the newest report, and the newest audit. Pure.

A line of JSON, the header, comes first, and then the page; together they are also what the front door keeps.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

PAGES = {"report.html": "Report of the newest benchmark", "audit.html": "Newest security audit"}
# How the title of each begins, by which it is known.
TITLES = {"report.html": "Acceptance report: {stack}, ", "audit.html": "Security audit: {stack}</title>"}
# Bytes: of a page, of which most have a tenth of a mebibyte; of a header; of a page until its title has come.
MOST, HEADER_MOST, HEAD_MOST = 8 << 20, 1024, 4096
# A link to a file beside the page, which only the clone has.
BESIDE = re.compile(r'<a href="[^":/#?]+">([^<]*)</a>')


@dataclass(frozen=True)
class Header:
    """`at`: end of the audit or run, RFC 3339 with its zone; `of`: the run's name; `size` in bytes."""

    name: str
    at: str
    of: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if self.name not in PAGES:
            raise ValueError(f"there is no page of this name; known: {', '.join(PAGES)}")
        if type(self.size) is not int or not 0 < self.size <= MOST:
            raise ValueError(f"{self.name} is empty or larger than {MOST >> 20} MiB")
        for text, form in ((self.of, r"[A-Za-z0-9_.:-]{0,64}"), (self.sha256, r"[0-9a-f]{64}")):
            if not isinstance(text, str) or not re.fullmatch(form, text):
                raise ValueError(f"{self.name}: the header makes no sense")
        moment(self.at)

    def line(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"


def moment(text: object) -> datetime:
    """Raises ValueError for what is no time, or has no zone."""
    found = datetime.fromisoformat(text) if isinstance(text, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError("not a time with its zone")
    return found


def header(line: bytes) -> Header:
    """Raises ValueError for anything that is none."""
    try:
        return Header(**json.loads(line))
    except (TypeError, RecursionError):
        raise ValueError("the header makes no sense") from None


def of_page(name: str, text: str, at: str, of: str = "") -> tuple[Header, bytes]:
    """What is handed over of a page of this clone. Raises ValueError where it is none, or too large."""
    page = BESIDE.sub(r"\1", text).encode()
    return Header(name, at, of, len(page), hashlib.sha256(page).hexdigest()), page


def replaces(new: Header, old: Header | None) -> bool:
    """Whether `new` is to be kept in place of `old`: drawn anew, a page is of the same time as before."""
    if old is None:
        return True
    return moment(new.at) >= moment(old.at) and new.sha256 != old.sha256


def said(held: Mapping[str, Header]) -> str:
    """The pages that the front door has, as a line for the workstation."""
    return json.dumps({"pages": [asdict(one) for one in held.values()]})


def heard(line: str) -> dict[str, Header]:
    """The same, read; nothing where it is something else, as what an older front door says."""
    try:
        return {one["name"]: Header(**one) for one in json.loads(line)["pages"]}
    except (ValueError, TypeError, LookupError, RecursionError):
        return {}


class Judge:
    """Sees a page go by, piece by piece, and says whether it is the one that its header promises."""

    def __init__(self, wanted: Header, stack: str) -> None:
        self._wanted, self._title = wanted, f"<title>{TITLES[wanted.name].format(stack=stack)}"
        self._hash, self._text = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
        self._head, self._tail, self._size = "", "", 0

    def see(self, piece: bytes) -> None:
        """Raises ValueError where it is no text."""
        self._hash.update(piece)
        self._size += len(piece)
        text = self._text.decode(piece)
        self._head += text[: HEAD_MOST - len(self._head)]
        self._tail = (self._tail + text)[-64:]

    def end(self) -> None:
        """Raises ValueError where it was not that page, or not all of it."""
        if (self._size, self._hash.hexdigest()) != (self._wanted.size, self._wanted.sha256):
            raise ValueError(f"{self._wanted.name} did not come as a whole")
        whole = self._head.lower().startswith("<!doctype html>") and self._tail.rstrip().endswith("</html>")
        if not whole or self._title not in self._head:
            raise ValueError(f"{self._wanted.name} is no such page of this stack")
