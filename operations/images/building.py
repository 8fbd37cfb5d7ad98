"""Builds images that the engine lacks. Effects: runs the Docker CLI, and writes in `.build/`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.planning.paths import ROOT
from components.runtime.image import IMAGES, context_digest
from operations.errors import InterruptionError
from operations.images import contexts
from operations.images.contexts import BuildError, IncompleteError, assemble, building_alone
from operations.process import Interrupts, attached, capture

LOG_LINES = 25


def ensure(name: str, *, verbose: bool) -> None:
    """Assemble `name` and build it if the engine lacks it; only then do plans see the new context.

    `verbose`: report an image that is already there, too. Raises BuildError.
    """
    fresh = assemble(name)
    try:
        digest = context_digest(fresh)
        image = f"aidc-{name}:{digest}"
        if not exists(image):
            build_with_report(name, image, fresh)
        elif verbose:
            print(f"  {image}: present")
        if not contexts.unchanged(name, fresh, digest):
            contexts.publish(name, fresh)
    finally:
        contexts.discard(name, fresh)


def docker(*arguments: str, cli: str = "docker") -> subprocess.CompletedProcess[str]:
    """Run a short command of the Docker CLI. Raises BuildError when the CLI is missing."""
    try:
        return capture([cli, *arguments], environment=os.environ, cwd=ROOT)
    except FileNotFoundError:
        raise BuildError(f"the command `{cli}` is missing; fix: run `make setup`") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"`{cli} {arguments[0]}` did not end; fix: check that the engine answers") from None


def exists(image: str) -> bool:
    return docker("image", "inspect", image).returncode == 0


def buildkit_cli() -> str | None:
    """A Docker CLI that can use BuildKit, which writes each layer once; the classic builder writes it twice.

    CLIs before 23 include a client for it, later ones need the buildx plugin. None: classic builder.
    """
    for cli in dict.fromkeys(filter(None, map(shutil.which, ("docker", "/usr/bin/docker")))):
        major = re.search(r"version (\d+)", docker("--version", cli=cli).stdout)
        plugin = docker("buildx", "version", cli=cli)
        if major and (int(major[1]) < 23 or plugin.returncode == 0):
            return cli
    return None


def build(name: str, image: str, context: Path) -> float:
    """Build `image` from `context`; return the seconds it took. The output goes to `.build/<name>.log`.

    Raises BuildError, and InterruptionError when a stop was requested.
    """
    started, log = time.monotonic(), contexts.BUILD / f"{name}.log"
    cli = buildkit_cli()
    command = [cli or "docker", "build", "--label", f"aidc.image={name}", "--tag", image, "."]
    environment = {**os.environ, "DOCKER_BUILDKIT": "1" if cli else "0", "BUILDKIT_PROGRESS": "plain"}
    with log.open("w") as output, Interrupts("the build") as interrupts, _clock(image, started):
        code = attached(
            command, interrupts=interrupts, cwd=context, environment=environment, output=output.fileno()
        )
        if interrupts.any():
            raise InterruptionError("interrupted; run the same command again to continue")
    if code != 0:
        tail = "\n".join(f"    {line}" for line in log.read_text().splitlines()[-LOG_LINES:])
        raise BuildError(f"image {name}: the build failed; its last lines ({log}):\n{tail}")
    return time.monotonic() - started


@contextmanager
def _clock(image: str, started: float) -> Iterator[None]:
    """On a terminal, show the elapsed seconds on one line."""
    ended = threading.Event()

    def show() -> None:
        while not ended.wait(0.5):
            print(f"\r  {image}: building, {time.monotonic() - started:.0f} s", end="", flush=True)

    thread = threading.Thread(target=show, daemon=True)
    if sys.stdout.isatty():
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()


def build_with_report(name: str, image: str, context: Path) -> None:
    print(f"  {image}: building …", flush=True)
    print(f"\r  {image}: built in {build(name, image, context):.0f} s")


def refresh() -> None:
    """Build images whose sources were edited since: a workload's module, a Dockerfile.

    Images that were never assembled, or cannot be before `make setup`, are left alone. Raises BuildError when
    a build fails.
    """
    with building_alone():
        for name in IMAGES:
            if not (contexts.BUILD / name).is_dir():
                continue
            try:
                ensure(name, verbose=False)
            except IncompleteError:
                continue
