"""What a child writes, line by line, without a deaf moment for signals."""

from __future__ import annotations

import codecs
import io
import os
import selectors
from collections.abc import Iterator
from typing import TextIO

# Seconds within which a signal is handled. One that comes after Python has looked for signals and before a
# call that blocks would otherwise wait until the call ends by itself.
HEED = 0.2
PIECE = 1 << 16


def lines(pipe: TextIO) -> Iterator[str]:
    """The lines of `pipe` without their ends, the last one also where it has no end."""
    decoder = codecs.getincrementaldecoder(pipe.encoding)("replace")
    text, rest = io.IncrementalNewlineDecoder(decoder, translate=True), ""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            while not selector.select(HEED):
                pass
            read = os.read(pipe.fileno(), PIECE)
            *whole, rest = (rest + text.decode(read, final=not read)).split("\n")
            yield from whole
            if not read:
                yield from filter(None, [rest])
                return
