"""Following a job until it ends: its log, what it waits for, new starts where its driver's node is lost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmark.cluster.ray_api import LOST
from benchmark.core.actors import STOPPED, low_memory
from benchmark.core.errors import BenchmarkError
from benchmark.jobs.process import exit_code
from operations.errors import FAILED, OK
from operations.jobs import capacity, demand, request, session
from operations.jobs.package import Package
from operations.jobs.request import Request
from operations.jobs.session import Session
from operations.process import say, warn

STARTS = 3
LOW_FIX = "have the script use less memory at a time, or give the nodes more in the stack's file"
REMIND_S = 60.0
# A job that need not wait is pending for a moment, too.
PENDING_S = 3.0
# What Ray writes before the script's own first line.
HEADINGS = ("Running entrypoint for job ", "Runtime env is setting up.")


@dataclass(frozen=True)
class End:
    """A job's last status, the exit code of a command that followed it, and whether it ever ran.

    `why` is Ray's own word about a job that has failed.
    """

    status: str
    code: int
    ran: bool
    why: str = ""


def follow(opened: Session, identifier: str) -> End:
    """Print a job's log until it ends. KeyboardInterrupt leaves it running."""
    waiting, last = _Waiting(opened), dict[str, Any]()
    ran = False

    def state(found: Mapping[str, Any]) -> None:
        nonlocal ran
        last.update(found)
        ran = ran or found.get("status") == "RUNNING"
        waiting.see(found)

    def line(text: str) -> None:
        if not text.startswith(HEADINGS):
            say(text)

    status = opened.ray.follow(identifier, line, keep=True, on_state=state)
    if status == "FAILED" and last.get("driver_exit_code") is None:
        # It never began: there is no log that could say why.
        why = str(last.get("message") or "Ray does not say why it failed").strip()
        warn(f"job {identifier}: {why[:2000]}")
    return End(status, code_of(status, last.get("driver_exit_code")), ran, str(last.get("message") or ""))


def code_of(status: str, driver: int | None) -> int:
    """As a shell has it: 128 and the number for a driver that a signal ended, which Ray has negative."""
    if status in ("SUCCEEDED", "STOPPED"):
        return OK if status == "SUCCEEDED" else STOPPED
    return exit_code(driver) if driver else FAILED


def keep_up(opened: Session, wanted: Request, package: Package, first: str) -> int:
    """Follow a job that was just submitted; one that is lost with its driver's node is submitted again."""
    identifier = first
    for number in range(1, STARTS + 1):
        end = follow(opened, identifier)
        # One that never ran was stopped while it waited.
        if end.status != LOST or not end.ran:
            if end.status in (LOST, "STOPPED"):
                say(f"job {identifier} was stopped")
            return end.code
        if number < STARTS:
            with suppress(BenchmarkError):  # what may be left of it must not run beside its successor
                opened.ray.stop(identifier)
            identifier = session.start(opened, wanted, package)
            say(f"{lost_by(end.why)}; submitted again as {identifier}")
    warn(f"job {identifier}: lost like the {STARTS - 1} before it: {_lost(end.why)}")
    return FAILED


def ended(end: End) -> str:
    """In words how a job ended that did not succeed, and what helps where that is known. Pure."""
    return f"lost: {_lost(end.why)}" if end.status == LOST else end.status.lower()


def _lost(why: str) -> str:
    return lost_by(why) + (f"\n    fix: {LOW_FIX}" if low_memory(why) else "")


def lost_by(why: str) -> str:
    """In words what a job was lost by, from Ray's. Pure."""
    if low := low_memory(why):
        return f"the node of the job ran out of memory ({low['used']} of {low['limit']} were used)"
    return "the node of the job's driver was lost"


def waits_of(job: Mapping[str, Any], nodes: Sequence[capacity.Node]) -> str:
    """What a job that has not begun waits for; empty for one that could start, or is not one of ours."""
    asked = request.asked_of(job.get("metadata"))
    return capacity.waits(*asked, nodes) if asked else ""


class _Waiting:
    """Says what a job waits for that has not begun, once and then every minute; and what one that runs has
    asked of Ray itself, and does not get.
    """

    def __init__(self, opened: Session) -> None:
        self.opened, self.begun, self.told = opened, time.monotonic(), 0.0
        self.asked = self.begun

    def see(self, job: Mapping[str, Any]) -> None:
        now = time.monotonic()
        with suppress(BenchmarkError):
            if job.get("status") == "PENDING":
                self._pending(job, now)
            elif job.get("status") == "RUNNING" and job.get("job_id") and now - self.asked >= REMIND_S:
                self.asked = now
                self._running(str(job["job_id"]))

    def _pending(self, job: Mapping[str, Any], now: float) -> None:
        if now - self.begun < PENDING_S or (self.told and now - self.told < REMIND_S):
            return
        if why := waits_of(job, self.opened.nodes()):
            self.told = now
            say(f"waiting for {why}")

    def _running(self, job: str) -> None:
        state = self.opened.ray.state
        rows = [
            row
            for kind, (name, column) in demand.WAITING.items()
            for row in state(kind, demand.MOST, **{"state": name, column: job})
        ]
        if rows and (why := demand.waits(rows, self.opened.nodes())):
            say(f"the job waits for {why}")
