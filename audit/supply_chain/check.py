"""The parts on what the images are made of. Effects: read images and containers, write files."""

from __future__ import annotations

from audit.context import Context
from audit.engine.snapshot import name_of
from audit.supply_chain import advisories, contents, sbom
from audit.supply_chain import packages as debian_packages
from audit.verdicts import Part


def packages(context: Context) -> Part:
    """Installed Debian packages of the images."""
    return debian_packages.check(debian_packages.lists(context.client, context.snapshot), context.tracker)


def reviews(context: Context) -> Part:
    """The reviews of known advisories, against the pins and what the images hold."""
    chosen = {str(c["Config"]["Image"]): name_of(c) for c in context.snapshot.containers}
    installed = {
        image: list(contents.debian(debian_packages.file(context.client, name, debian_packages.STATUS)))
        for image, name in chosen.items()
    }
    return advisories.check([r for r in context.plan if r.kind == "pin"], installed)


def bills(context: Context) -> Part:
    """A bill of materials for each image of the stack, written below `out/`."""
    images = (str(c["Config"]["Image"]) for c in context.snapshot.containers)
    return sbom.check(context.client, images, context.root / "out" / context.stack / "sbom")


def lock_files(context: Context) -> Part:
    """The Python lock files: pip-audit has been running since the audit began."""
    return context.python.result()
