"""What restic says while it runs. By itself it tries for a quarter of an hour what its server cannot do."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections import deque

PATIENCE_S = 120.0
TRIES_AGAIN = re.compile(r"returned error, retrying after [^:]+: (.+)")
SUCCEEDED = "operation successful after"
LINES = 50


class Listener(threading.Thread):
    """Hears a restic out, and ends it when its server has refused for `patience` seconds on end.

    `refused` is then what the server said. `words` are the last lines.
    """

    def __init__(self, process: subprocess.Popen[bytes], patience: float = PATIENCE_S) -> None:
        super().__init__(daemon=True)
        self.refused = ""
        self._process, self._patience = process, patience
        self._lines: deque[str] = deque(maxlen=LINES)
        self._since: float | None = None

    def __enter__(self) -> Listener:
        self.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._process.kill()
        self._process.wait()
        self.join()

    @property
    def words(self) -> str:
        return "\n".join(self._lines)

    def run(self) -> None:
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            line = raw.decode(errors="replace").rstrip()
            self._lines.append(line)
            self._judge(line)

    def _judge(self, line: str) -> None:
        if SUCCEEDED in line:
            self._since = None
        elif found := TRIES_AGAIN.search(line):
            now = time.monotonic()
            self._since = self._since or now
            if now - self._since >= self._patience and not self.refused:
                self.refused = found[1]
                # It takes its lock back before it ends.
                self._process.terminate()
