"""Freed memory stays with the process.

A step allocates and frees the same tensors of a few MB again and again. By default the C library
gives such memory back to the kernel, which clears every page anew when it is asked for again:
some 5,000 page faults a step of the byte-level model. What that costs depends on the machine: from nothing
measurable to a tenth of the step was seen.
"""

from __future__ import annotations

import ctypes

# From malloc.h of the GNU C library.
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
LARGEST = 1 << 30  # of one allocation; above this it may go back to the kernel


def keep_freed() -> bool:
    """Whether the C library could be told so; without effect on anything but speed and resident memory."""
    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False  # another C library
    options = ((TRIM_THRESHOLD, LARGEST), (TOP_PAD, 64 << 20), (MMAP_THRESHOLD, LARGEST))
    return [tune(option, value) for option, value in options] == [1, 1, 1]
