"""The job itself: fetches the work, runs JupyterLab, and saves what changes until it ends.

Exit code: JupyterLab's; 0 when it was asked to end.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

from benchmark.core.errors import BenchmarkError
from benchmark.core.joblog import say
from benchmark.core.store import open_store
from benchmark.jobs import packages, process
from benchmark.jobs.notebook import place, welcome
from benchmark.jobs.notebook.work import Report, Work

EVERY_S = 3.0


class Saver:
    """Saves, and says once what cannot be saved, and once that it can be again."""

    def __init__(self, work: Work) -> None:
        self.work, self._told = work, dict[str, str]()

    def save(self) -> None:
        faults = self.work.save().faults
        for name, fault in faults.items():
            if self._told.get(name) != fault:
                say(f"{_text(name)} cannot be saved to the object store, and stays on this node: {fault}")
        for name in self._told.keys() - faults.keys():
            say(f"{_text(name)} is saved again")
        self._told = faults


def _text(name: str) -> str:
    """A name of a file may hold bytes that are no text."""
    return name.encode("utf-8", "backslashreplace").decode()


def main() -> int:
    layer = packages.ROOT / os.environ[packages.VARIABLE]
    here = place.of(os.environ, layer)
    folder = place.WORK / "notebook"
    try:
        work = Work(folder, place.WORK / "notebook.json", open_store("s3:"), place.PREFIX)
        _told(work.restore(socket.gethostname()))
    except BenchmarkError as error:
        say(f"the work cannot be fetched: {error}")
        return 1
    if work.is_empty():
        (folder / welcome.NAME).write_text(welcome.text(), encoding="utf-8")
    # Where terminals begin.
    os.chdir(folder)
    with tempfile.TemporaryDirectory(prefix="notebook-") as scratch:
        for path, content in place.settings(Path(scratch)).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return serve(here, folder, Path(scratch), Saver(work))


def _told(report: Report) -> None:
    if report.done:
        say(f"{report.done} file{'s' if report.done > 1 else ''} fetched from the object store")
    for name, fault in report.faults.items():
        say(f"{name} cannot be fetched, and is left in the store: {fault}")


def serve(here: place.Place, folder: Path, scratch: Path, saver: Saver) -> int:
    """Until JupyterLab ends by itself, or this job is asked to."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: asked.set())
    # -P: what lies in the job's folder takes the place of no module.
    command = ["-P", "-W", "ignore::RuntimeWarning", "-m", "jupyterlab", *place.arguments(here, folder)]
    server = process.start(command, place.variables(here, scratch), None)
    say(f"JupyterLab starts on {socket.gethostname()}")
    while not asked.wait(EVERY_S) and server.poll() is None:
        saver.save()
    # First: whoever asks does not wait for long.
    saver.save()
    if asked.is_set():
        server.terminate()
    code = process.exit_code(server.wait())
    saver.save()
    return 0 if asked.is_set() else code


if __name__ == "__main__":
    sys.exit(main())
