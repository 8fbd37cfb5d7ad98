"""Assemble every image's build context in `.build/` and build what the engine lacks.

The tag is the context's digest (components/image.py), so an image that exists is never built again, and a
second run takes a second. Needs the Docker CLI; exit code 1 with the build's last lines when one fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from components.image import IMAGES, reference
from operations.errors import OperationError
from operations.modules import needed

ROOT = Path(__file__).parent.parent
BUILD = ROOT / ".build"
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# Image → files beside its own folder: name in the context → source relative to the cache's bin or the clone.
BINARIES: Mapping[str, tuple[str, ...]] = {"object-store": ("minio",), "backup": ("supercronic",)}
PACKAGES: Mapping[str, tuple[str, ...]] = {"compute": ("benchmark",)}
# Image → what it shares with others, from images/shared.
SHARED: Mapping[str, tuple[str, ...]] = dict.fromkeys(("load-balancer", "object-store", "vault"), ("follow",))
# What of a package the image runs. The rest of its modules runs on a workstation, and an edit there must not
# replace the containers.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "benchmark": ("benchmark.job", "benchmark.ray_train", "benchmark.serve"),
}
NEEDS_CA = frozenset({"compute"})
LOG_LINES = 25


class BuildError(OperationError):
    """A context cannot be assembled or an image cannot be built; the text says which, why, and the fix."""


def cache() -> Path:
    """Where `make setup` keeps what it built."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aidc"
    return Path(os.environ.get("AIDC_CACHE") or default)


def ca_bundle() -> Path:
    """The host's CA bundle: downloads during a build pass through the same proxy as the host's own."""
    return Path(os.environ.get("SSL_CERT_FILE") or CA_BUNDLE)


def assemble(name: str) -> Path:
    """Write `.build/<name>` afresh and return it. Raises BuildError when a part is missing."""
    context, fresh = BUILD / name, BUILD / f".{name}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(ROOT / "images" / name, fresh)
    for binary in BINARIES.get(name, ()):
        source = cache() / "bin" / binary
        if not source.exists():
            raise BuildError(f"image {name}: {source} is missing; fix: run `make setup`")
        shutil.copy2(source.resolve(), fresh / binary)
    for script in SHARED.get(name, ()):
        shutil.copy2(ROOT / "images" / "shared" / script, fresh / script)
    for package in PACKAGES.get(name, ()):
        copy_package(package, fresh / package)
    if name in NEEDS_CA:
        shutil.copy2(ca_bundle(), fresh / "ca-certificates.crt")
    shutil.rmtree(context, ignore_errors=True)
    fresh.rename(context)
    return context


def copy_package(package: str, into: Path) -> None:
    """Its folders whole: they hold data and a user's modules. Of its modules those that its programs need."""
    kept = needed(ROOT, PROGRAMS[package])

    def left_out(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        found = {name for name in names if name in ("__pycache__", "templates") or name.endswith(".pyc")}
        if here == ROOT / package:
            found |= {n for n in names if n.endswith(".py") and here / n not in kept}
        return found

    shutil.copytree(ROOT / package, into, ignore=left_out)


def exists(image: str) -> bool:
    return (
        subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode
        == 0
    )


def buildkit_cli() -> str | None:
    """A Docker CLI that can use BuildKit, which writes a layer once; the classic builder writes it twice.

    CLIs before 23 bring their own client for it, later ones need the buildx plugin. None: classic builder.
    """
    for cli in dict.fromkeys(filter(None, (shutil.which("docker"), "/usr/bin/docker"))):
        found = subprocess.run([cli, "--version"], capture_output=True, text=True, check=False)
        major = re.search(r"version (\d+)", found.stdout)
        plugin = subprocess.run([cli, "buildx", "version"], capture_output=True, check=False)
        if major and (int(major[1]) < 23 or plugin.returncode == 0):
            return cli
    return None


def build(name: str, image: str) -> float:
    """Build `image` from its context; return the seconds. The output goes to `.build/<name>.log`."""
    started, log = time.monotonic(), BUILD / f"{name}.log"
    cli = buildkit_cli()
    command = [cli or "docker", "build", "--label", f"aidc.image={name}", "--tag", image, "."]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if cli else "0", "BUILDKIT_PROGRESS": "plain"}
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=BUILD / name, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        while process.poll() is None:
            time.sleep(0.5)
            if sys.stdout.isatty():
                print(f"\r  {image}: building, {time.monotonic() - started:.0f} s", end="", flush=True)
    if process.returncode != 0:
        tail = "\n".join(f"    {line}" for line in log.read_text().splitlines()[-LOG_LINES:])
        raise BuildError(f"image {name}: the build failed; its last lines ({log}):\n{tail}")
    return time.monotonic() - started


def build_aloud(name: str, image: str) -> None:
    print(f"  {image}: building …", flush=True)
    print(f"\r  {image}: built in {build(name, image):.0f} s")


def refresh() -> None:
    """Build what was edited since its context was assembled: a workload's module, a Dockerfile.

    What was never assembled, or cannot be without `make setup`, is left alone. Raises BuildError.
    """
    for name in IMAGES:
        if not (BUILD / name).is_dir():
            continue
        before = reference(name, BUILD)
        try:
            assemble(name)
        except BuildError:
            continue
        image = reference(name, BUILD)
        if image != before and not exists(image):
            print(f"  {image}: its sources were edited", flush=True)
            build_aloud(name, image)


def main() -> int:
    """Assemble and build everything that is missing. Returns 0, or 1 with the reason on stderr."""
    BUILD.mkdir(exist_ok=True)
    try:
        for name in IMAGES:
            assemble(name)
            image = reference(name, BUILD)
            if exists(image):
                print(f"  {image}: present")
            else:
                build_aloud(name, image)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
