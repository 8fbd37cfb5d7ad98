"""A volume on a small file system of its own, which can be filled without filling the machine's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr.strip()}"
    return done.stdout.strip()


def place(container: str, target: str) -> Path:
    """Where the engine keeps the volume that is mounted at `target`."""
    mounts = json.loads(run("docker", "inspect", "--format", "{{json .Mounts}}", container))
    return next(Path(mount["Source"]) for mount in mounts if mount["Destination"] == target)


class Disks:
    """Small disks under the volumes of a stack; `remove` before the stack is destroyed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mounted: list[tuple[str, Path]] = []

    def shrink(self, containers: Sequence[str], size: int, target: str = "/data") -> None:
        """Start each container again on a file system of `size` bytes that holds what the volume held."""
        run("docker", "stop", "--time", "30", *containers)
        for container in containers:
            volume, image = place(container, target), self._folder / f"{container}.img"
            with image.open("wb") as file:
                file.truncate(size)
            run("mkfs.ext4", "-q", "-m", "0", str(image))
            beside = self._folder / f"{container}.new"
            beside.mkdir()
            run("mount", "-o", "loop", str(image), str(beside))
            (beside / "lost+found").rmdir()
            run("cp", "--archive", f"{volume}/.", str(beside))
            run("umount", str(beside))
            run("mount", "-o", "loop", str(image), str(volume))
            self._mounted.append((container, volume))
        run("docker", "start", *containers)

    def fill(self, container: str, left: float) -> None:
        """Take room away until `left` of the whole is free, as a share; nothing is written."""
        volume = next(place for name, place in self._mounted if name == container)
        found = os.statvfs(volume)
        take = int(found.f_frsize * (found.f_bavail - left * found.f_blocks))
        run("fallocate", "--length", str(take), f"{volume}/.filler")

    def remove(self) -> None:
        """The containers end, and the volumes are on the machine's disk again, as they were at first."""
        for container, volume in self._mounted:
            subprocess.run(["docker", "stop", "--time", "30", container], capture_output=True, check=False)
            run("umount", str(volume))
            (self._folder / f"{container}.img").unlink()
        self._mounted.clear()
