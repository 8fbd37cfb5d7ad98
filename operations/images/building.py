"""Builds an image that the engine lacks, with the Docker CLI. Effects: runs it, and writes in `.build/`."""

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

from components.runtime.image import IMAGES, context_digest
from operations.errors import InterruptionError
from operations.images import contexts
from operations.images.contexts import ROOT, BuildError, IncompleteError, alone, assemble
from operations.process import Interrupts, attached, capture

LOG_LINES = 25


def bring(name: str, *, told: bool) -> None:
    """Assemble `name` and build what the engine lacks; only then do plans see the new context.

    `told`: say so too when nothing is to be done. Raises BuildError.
    """
    fresh = assemble(name)
    try:
        digest = context_digest(fresh)
        image = f"aidc-{name}:{digest}"
        if not exists(image):
            build_aloud(name, image, fresh)
        elif told:
            print(f"  {image}: present")
        if not contexts.unchanged(name, fresh, digest):
            contexts.publish(name, fresh)
    finally:
        contexts.discard(name, fresh)


def docker(*arguments: str, cli: str = "docker") -> subprocess.CompletedProcess[str]:
    """What a short command of the Docker CLI says. Raises BuildError when there is no such CLI."""
    try:
        return capture([cli, *arguments], environment=os.environ, cwd=ROOT)
    except FileNotFoundError:
        raise BuildError(f"the command `{cli}` is missing; fix: run `make setup`") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"`{cli} {arguments[0]}` did not end; fix: see that the engine answers") from None


def exists(image: str) -> bool:
    return docker("image", "inspect", image).returncode == 0


def buildkit_cli() -> str | None:
    """A Docker CLI that can use BuildKit, which writes a layer once; the classic builder writes it twice.

    CLIs before 23 bring their own client for it, later ones need the buildx plugin. None: classic builder.
    """
    for cli in dict.fromkeys(filter(None, map(shutil.which, ("docker", "/usr/bin/docker")))):
        major = re.search(r"version (\d+)", docker("--version", cli=cli).stdout)
        plugin = docker("buildx", "version", cli=cli)
        if major and (int(major[1]) < 23 or plugin.returncode == 0):
            return cli
    return None


def build(name: str, image: str, context: Path) -> float:
    """Build `image` from `context`; return the seconds. The output goes to `.build/<name>.log`.

    Raises BuildError, and InterruptionError when somebody asked to stop.
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
            raise InterruptionError("interrupted; run the same command again to go on")
    if code != 0:
        tail = "\n".join(f"    {line}" for line in log.read_text().splitlines()[-LOG_LINES:])
        raise BuildError(f"image {name}: the build failed; its last lines ({log}):\n{tail}")
    return time.monotonic() - started


@contextmanager
def _clock(image: str, started: float) -> Iterator[None]:
    """On a terminal, the seconds go by on one line."""
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


def build_aloud(name: str, image: str, context: Path) -> None:
    print(f"  {image}: building …", flush=True)
    print(f"\r  {image}: built in {build(name, image, context):.0f} s")


def refresh() -> None:
    """Build what was edited since its context was assembled: a workload's module, a Dockerfile.

    What was never assembled, or cannot be without `make setup`, is left alone. Raises BuildError when a build
    fails.
    """
    with alone():
        for name in IMAGES:
            if not (contexts.BUILD / name).is_dir():
                continue
            try:
                bring(name, told=False)
            except IncompleteError:
                continue
