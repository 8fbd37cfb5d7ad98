"""Assemble every image's build context in `.build/` and build what the engine lacks.

The tag is the context's digest (components/runtime/image.py), so an image that exists is never built again,
and a second run takes a second. Needs the Docker CLI; exit code 1 with the build's last lines when one fails.
"""

from __future__ import annotations

import sys

from components.runtime.image import IMAGES
from operations.errors import FAILED, OK
from operations.images.building import bring
from operations.images.contexts import BuildError, alone


def main() -> int:
    """Build everything that is missing. Returns 0, or 1 with the reason on stderr."""
    try:
        with alone():
            for name in IMAGES:
                bring(name, told=True)
    except BuildError as error:
        print(error, file=sys.stderr)
        return FAILED
    return OK
