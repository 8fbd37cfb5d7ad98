"""A bill of materials for each image, as CycloneDX 1.6. Effects: reads images, writes files.

An image is read in a container of its own, without network or privileges, which is removed at once; programs
are copied out of one that is never started.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component as Entry
from cyclonedx.model.component import ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from docker.errors import DockerException, NotFound
from packageurl import PackageURL

from audit.records import Sbom
from audit.supply_chain import contents
from audit.supply_chain.contents import Component
from audit.verdicts import Part, judged, plural

NAME = "every image has a bill of materials"
# Where our own programs are; those of Debian are known as its packages.
PROGRAMS = "/usr/local/bin"
STATUS = "/var/lib/dpkg/status"
MARK = "\x1e"
# The headers of every distribution's METADATA, with a mark before each.
SCRIPT = (
    f"cat {STATUS} 2>/dev/null;"
    " find /opt /usr/lib/python3 /usr/local/lib -path '*.dist-info/METADATA' 2>/dev/null |"
    " while read -r file; do printf '\\036'; sed '/^\\r*$/q' \"$file\"; done"
)


def read(client: Any, image: str) -> frozenset[Component]:
    """Every package that an image records. Raises docker.errors.DockerException."""
    found: set[Component] = set()
    described = client.images.get(image).attrs
    if not described["RootFS"].get("Layers") or _is_bare(client, image):
        return frozenset()
    output: bytes = client.containers.run(
        image,
        ["-c", SCRIPT],
        entrypoint=["sh"],
        user="65534",
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        remove=True,
    )
    status, *metadata = output.decode(errors="replace").split(MARK)
    found.update(contents.debian(status))
    found.update(component for text in metadata if (component := contents.python(text)))
    for program in _programs(client, image):
        found.update(contents.go(program))
    return frozenset(found)


def _is_bare(client: Any, image: str) -> bool:
    """Whether an image holds only files, so that no command can be run in it."""
    container = client.containers.create(image, ["-"], network_mode="none")
    try:
        container.get_archive("/bin")
    except NotFound:
        return True
    finally:
        container.remove()
    return False


def _programs(client: Any, image: str) -> Iterator[bytes]:
    container = client.containers.create(image, ["-"], network_mode="none")
    try:
        chunks, _ = container.get_archive(PROGRAMS)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file:
                    yield file.read()
    except NotFound:
        return
    finally:
        container.remove()


def document(image: str, identity: str, created: datetime, found: Iterable[Component]) -> str:
    """The bill as JSON. The same image gives the same bytes: number and date are the image's own."""
    name, _, tag = image.partition(":")
    whole = Entry(name=name, version=tag, type=ComponentType.CONTAINER, bom_ref=image)
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{image}@{identity}"),
        metadata=BomMetaData(component=whole, timestamp=created),
        components=[entry(component) for component in sorted(found)],
    )
    bom.register_dependency(whole, list(bom.components))
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    return text + "\n"


def entry(component: Component) -> Entry:
    """A component with the address (purl) by which databases of advisories know it."""
    url = purl(component)
    properties = []
    if component.source:
        source = f"{component.source} {component.source_version}"
        properties.append(Property(name="aidc:debian:source", value=source))
    if component.digest:
        # Go's hash of a module's files, which is not the hash of an archive.
        properties.append(Property(name="aidc:go:sum", value=component.digest))
    return Entry(
        name=component.name,
        version=component.version,
        type=ComponentType.LIBRARY,
        purl=url,
        bom_ref=url.to_string(),
        properties=properties,
    )


def purl(component: Component) -> PackageURL:
    if component.ecosystem == "deb":
        arch = {"arch": component.architecture} if component.architecture else {}
        return PackageURL("deb", "debian", component.name, component.version, {**arch, "distro": "trixie"})
    if component.ecosystem == "golang":
        folder, _, last = component.name.rpartition("/")
        return PackageURL("golang", folder or None, last, component.version)
    return PackageURL("pypi", None, component.name, component.version)


def write(client: Any, images: Iterable[str], folder: Path) -> Mapping[str, int]:
    """Write `<folder>/<image>.cdx.json` for each; the number of its components. Raises DockerException."""
    folder.mkdir(parents=True, exist_ok=True)
    counted = {}
    for image in sorted(images):
        described = client.images.get(image).attrs
        found = read(client, image)
        created = datetime.fromisoformat(described["Created"][:19] + "+00:00")
        text = document(image, described["Id"], created, found)
        (folder / f"{image.partition(':')[0]}.cdx.json").write_text(text, encoding="utf-8")
        counted[image] = len(found)
    return counted


def check(client: Any, images: Iterable[str], folder: Path) -> Part:
    """The bills of a stack's images, as a part of the audit."""
    wanted = sorted(set(images))
    try:
        counted = write(client, wanted, folder)
    except DockerException as error:
        return Part((judged(NAME, [str(error)], "", "an image cannot be read", "make images, then make up"),))
    good = f"{plural(sum(counted.values()), 'component')} in {plural(len(counted), 'image')}: {folder}"
    return Part((judged(NAME, [], good, "", ""),), Sbom(images=dict(counted)))
