"""`make images`: assemble every image's build context in `.build/` and build the images that are missing.

The tag is the context's digest (components/runtime/image.py), so an existing image is never built again, and
a second run takes a second. Needs the Docker CLI. Exit codes: 0 all images exist; 1 a build failed, with its
last lines.
"""

from __future__ import annotations

import sys

from components.runtime.image import IMAGES
from operations.errors import FAILED, OK
from operations.images.building import ensure
from operations.images.contexts import BuildError, building_alone


def main() -> int:
    """Build all missing images. Returns 0, or 1 with the reason on stderr."""
    try:
        with building_alone():
            for name in IMAGES:
                ensure(name, verbose=True)
    except BuildError as error:
        print(error, file=sys.stderr)
        return FAILED
    return OK
