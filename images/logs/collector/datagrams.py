"""A datagram of the engine's syslog driver (RFC 5424, microseconds) as a line of a service. Pure.

The engine writes the header, so whose line it is comes from there, and never from the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

# The engine cuts longer lines into pieces of this many bytes.
PIECE = 16 * 1024
# <priority>1 time host tag process tag - text
HEADER = re.compile(rb"<(\d{1,3})>1 (\S{20,40}) \S{1,255} ([a-z0-9-]{1,63}) \d{1,10} \3 - ", re.ASCII)
ERRORS = 3  # the severity under which the engine sends what a service writes to its error output
# Codes of colours, and control characters: what a terminal would obey.
COLOURS = re.compile(r"\x1b\[[0-9;:?]{0,32}[A-Za-z]")
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# How programs name a level near the beginning of a line, in this order of trust.
LEVELS = (
    re.compile(r"""\blevel["']?[=:]\s{0,2}["']?([A-Za-z]{1,10})\b""", re.ASCII | re.IGNORECASE),
    re.compile(
        r"[\[<( ]?\b(TRACE|DEBUG|INFO|NOTICE|LOG|WARN|WARNING|ERROR|ERR|FATAL|CRITICAL|PANIC|ALERT)\b"
    ),
)
NAMES = {
    **dict.fromkeys(("trace", "debug"), "debug"),
    **dict.fromkeys(("info", "information", "notice", "log"), "info"),
    **dict.fromkeys(("warn", "warning"), "warning"),
    **dict.fromkeys(("error", "err"), "error"),
    **dict.fromkeys(("fatal", "critical", "panic", "alert"), "fatal"),
}
BEGINNING = 120


@dataclass(frozen=True)
class Line:
    """`time` as RFC 3339; `stream`: stdout or stderr; `piece`: the engine goes on with it in the next one."""

    service: str
    time: str
    stream: str
    text: str
    piece: bool = False


def parse(raw: bytes) -> Line | None:
    """The line in a datagram; None where it is none of the engine's."""
    head = HEADER.match(raw)
    if head is None:
        return None
    priority, time, service = (part.decode("ascii", "replace") for part in head.groups())
    try:
        if datetime.fromisoformat(time).tzinfo is None:
            return None
    except ValueError:
        return None
    text = raw[head.end() :].rstrip(b"\n")
    stream = "stderr" if int(priority) % 8 <= ERRORS else "stdout"
    return Line(service, time, stream, plain(text.decode("utf-8", "replace")), len(text) >= PIECE)


def plain(text: str) -> str:
    """The text without what a terminal would obey; a tab stays."""
    return CONTROLS.sub(" ", COLOURS.sub("", text)).rstrip()


def level(text: str) -> str:
    """debug, info, warning, error or fatal, where the line says so plainly; else an empty text."""
    beginning = text[:BEGINNING]
    for pattern in LEVELS:
        if (found := pattern.search(beginning)) and (name := NAMES.get(found[1].lower())):
            return name
    return ""
