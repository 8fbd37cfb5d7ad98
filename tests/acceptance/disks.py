"""A volume on a small file system of its own, which can be filled without filling the machine's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

FILLERS = (".filler", ".filler-rest")
# Of the whole, what `fill` leaves at first where it is to leave nothing.
MARGIN = 0.005


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
        """Take room away until `left` of the whole is free, as a share; hardly anything is written.

        With 0 the last byte is taken.
        """
        volume = self._volume(container)
        found = os.statvfs(volume)
        take = int(found.f_frsize * (found.f_bavail - max(left, MARGIN) * found.f_blocks))
        run("fallocate", "--length", str(take), f"{volume}/{FILLERS[0]}")
        if not left:
            # The file system needs some blocks for itself: how many, only writing tells.
            with suppress(OSError), (volume / FILLERS[1]).open("wb", buffering=0) as file:
                while file.write(b"x" * 4096):
                    pass

    def empty(self, container: str) -> None:
        """Give back what `fill` took."""
        for name in FILLERS:
            self._volume(container).joinpath(name).unlink(missing_ok=True)

    def remove(self, *, keep: bool = False) -> None:
        """The containers end, and the volumes are on the machine's disk again, as they were at first.

        With `keep` they get what came since, and the containers start again.
        """
        for container, volume in self._mounted:
            self.empty(container)
            subprocess.run(["docker", "stop", "--time", "30", container], capture_output=True, check=False)
            run("umount", str(volume))
            image, beside = self._folder / f"{container}.img", self._folder / f"{container}.new"
            if keep:
                run("mount", "-o", "loop", str(image), str(beside))
                run("cp", "--archive", f"{beside}/.", str(volume))
                run("umount", str(beside))
                run("docker", "start", container)
            image.unlink()
        self._mounted.clear()

    def _volume(self, container: str) -> Path:
        return next(volume for name, volume in self._mounted if name == container)
