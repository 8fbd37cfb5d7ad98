"""`make sbom`: the bill of materials of each image, as CycloneDX 1.6, in `<out>/sbom/`. Needs the images.

Exit codes: 0 written; 2 an image is missing, or no engine answers.
"""

from __future__ import annotations

from pathlib import Path

from audit.supply_chain import sbom
from components.planning.paths import ROOT
from components.runtime.image import ImageError, references
from operations.engine.client import connect
from operations.errors import OK, RefusedError
from operations.images.building import exists
from operations.images.contexts import BUILD
from operations.process import say


def main(stack: str, out: Path | None = None) -> int:
    """Write the bills of all images (default: into out/<stack>/sbom). Raises RefusedError."""
    folder = (out or ROOT / "out" / stack) / "sbom"
    try:
        images = references(BUILD)
    except ImageError as error:
        raise RefusedError(str(error)) from None
    missing = [image for image in images.values() if not exists(image)]
    if missing:
        raise RefusedError(f"not built yet: {', '.join(missing)}\n    fix: run `make images`")
    for image, number in sbom.write(connect().client, images.values(), folder).items():
        say(f"  {image}: {number:,} components")
    say(f"bills of materials: {folder}")
    return OK
