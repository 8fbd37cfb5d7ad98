"""All databases out of their archive: to the last transaction that was archived, or to a time.

The archive is laid out from the vault's disk, restored for trial and compared with the recorded rows, and
restored once more, all in throw-away containers without a network. Only then is the running server stopped
and gets the restored cluster in place of its own. Effects on the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from components.database import USER
from components.runtime.health import judge
from operations.drill import archived
from operations.drill.restore import DATA, DATABASE, Restore, mounted
from operations.engine.client import Engine
from operations.errors import OperationError
from operations.polling import poll
from operations.process import say

CLUSTER = "/cluster"
STOPPED_WITHIN, HEALTHY_WITHIN = 120, 300  # seconds


@dataclass(frozen=True)
class Ready:
    """A restored cluster: the time of its last transaction (RFC 3339), and how many tables were compared."""

    until: str
    tables: int


class ArchiveRestore(Restore):
    """As a context: its containers and volumes are gone at the end, whatever happened."""

    def __init__(self, engine: Engine, stack: str) -> None:
        super().__init__(engine, stack, "restore")
        self.volumes[CLUSTER] = f"{self.prefix}-cluster"

    def prepare(self, snapshot: str, at: str | None) -> Ready | None:
        """A cluster that is known to be whole; None, and the reason is told, where there is none.

        `snapshot` is empty when the newest rows are not in one with their log.
        """
        if not snapshot:
            say("the newest rows were saved without their log: they come from dumps")
            return None
        say("restoring the databases from their archive, aside …")
        started = datetime.now(UTC)
        laid = self.with_vault(["backup", "archive", "--snapshot", snapshot, *(["--at", at] if at else [])])
        faults = [laid["fault"]] if "fault" in laid else list(laid["faults"])
        trial: Mapping[str, Any] = {}
        if not faults and laid["files"]:
            trial = self.archive(laid["moment"], at)
        judged = archived.judge({"archive": None if faults else laid}, trial, started, at)
        faults += [judged.fault] if judged.fault else list(judged.differences)
        if not faults and judged.log:
            told = [f"--time={at}"] if at else []
            found = self.with_database("database", "database-restore", told, self.volumes[CLUSTER])
            if "fault" not in found:
                return Ready(str(found["until"]), judged.log.tables)
            faults = [found["fault"]]
        reason = faults[0] if faults else "the snapshot holds no archive"
        say(f"  not from the archive: {reason}; the dumps in the snapshot are used")
        return None

    def put(self, container: str) -> None:
        """Stop the server, give it the restored cluster, and start it. Raises OperationError."""
        service = self._service(DATABASE)
        server = self.engine.client.containers.get(container)
        server.stop(timeout=STOPPED_WITHIN)
        try:
            done = self._run(
                "replace",
                service["Config"]["Image"],
                ["database-replace", CLUSTER],
                USER,
                {
                    self.volumes[CLUSTER]: {"bind": CLUSTER, "mode": "ro"},
                    mounted(service)[DATA]: {"bind": DATA, "mode": "rw"},
                },
            )
        finally:
            # Where we were interrupted it is still at work, and a server must not start on what it changes.
            self.stop("replace")
            server.start()
        if "fault" in done:
            raise OperationError(f"the restored databases could not be put in place: {done['fault']}")
        if not poll(lambda: self._is_healthy(container), HEALTHY_WITHIN):
            raise OperationError(
                f"{container} is not healthy {HEALTHY_WITHIN} s after its databases were restored"
            )

    def _is_healthy(self, container: str) -> bool:
        return judge(self.engine.inspect(container)["State"], 0, job=False).done
