"""Freed memory stays with the process, and on large pages where the kernel grants them.

A step allocates and frees the same tensors of a few MB again and again. By default the C library
gives such memory back to the kernel, which clears every page anew when it is asked for again:
some 5,000 page faults per step of the byte-level model. What that costs depends on the machine: from nothing
measurable to a tenth of the step was seen. Large pages are worth another hundredth or two there.
"""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress
from pathlib import Path

# From malloc.h of the GNU C library.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGEST = 1 << 30  # of one allocation; above this it may go back to the kernel
HEAP = 512 << 20  # of address space, taken at once and filled as it is needed
LARGE_PAGE = 2 << 20


def keep_freed() -> bool:
    """Whether the C library accepted the settings; they affect speed and resident memory only."""
    try:
        library = ctypes.CDLL(None)
        tune, allocate, free = library.mallopt, library.malloc, library.free
    except (AttributeError, OSError):
        return False  # another C library
    options = ((TRIM_THRESHOLD, LARGEST), (TOP_PAD, 64 << 20), (MMAP_THRESHOLD, LARGEST))
    accepted = [tune(option, value) for option, value in options] == [1, 1, 1]
    if accepted:
        allocate.restype, allocate.argtypes, free.argtypes = (
            ctypes.c_void_p,
            [ctypes.c_size_t],
            [ctypes.c_void_p],
        )
        free(allocate(HEAP))  # the heap grows to this size and keeps it
        with suppress(OSError, AttributeError):
            _advise_large_pages(library)
    return accepted


def _advise_large_pages(library: ctypes.CDLL) -> None:
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            start = -(-start // LARGE_PAGE) * LARGE_PAGE
            library.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), mmap.MADV_HUGEPAGE)
