"""Pulumi's engine events reduced to one line for each finished step, and everything that went wrong.

Call it with each event and, when Pulumi has ended, `finish` it. It hides steps that only begin, unchanged
resources, and components, which do no work of their own. Mandatory policy violations and diagnostics follow
at the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from pulumi.automation.events import DiagnosticEvent, EngineEvent, OpType, PolicyEvent, StepEventMetadata

from benchmark.core.words import cell
from operations.process import say
from operations.stack import messages
from operations.stack.messages import STACK, name_of

HEADINGS = {"up": "updating …", "refresh": "refreshing …", "destroy": "destroying …"}
FINISHED: Mapping[OpType, tuple[str, str]] = {
    OpType.CREATE: ("+", "created"),
    OpType.UPDATE: ("~", "updated"),
    OpType.DELETE: ("-", "deleted"),
    OpType.DELETE_REPLACED: ("-", "deleted original"),
    OpType.CREATE_REPLACEMENT: ("+", "created replacement"),
    OpType.IMPORT: ("=", "imported"),
}
FAILED: Mapping[OpType, str] = {
    OpType.CREATE: "creating failed",
    OpType.UPDATE: "updating failed",
    OpType.DELETE: "deleting failed",
    OpType.DELETE_REPLACED: "deleting original failed",
    OpType.CREATE_REPLACEMENT: "creating replacement failed",
    OpType.IMPORT: "importing failed",
    OpType.READ: "reading failed",
    OpType.REFRESH: "refreshing failed",
}
# Types that do no work of their own.
LOGICAL = ("pulumi:", "aidc:")


class Progress:
    """Prints by `write`. What fails once `interrupted()` is true is hidden: the interrupt is its reason."""

    def __init__(
        self,
        command: str,
        write: Callable[[str], None] = say,
        interrupted: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.heading = HEADINGS.get(command, f"{command} …")
        self.write, self.interrupted, self.clock = write, interrupted, clock
        self.shown: set[str] = set()
        self.began: dict[str, float] = {}
        self.violations: list[PolicyEvent] = []
        # By resource; "" for those of the program, which name none and belong to the stack.
        self.diagnostics: dict[str, list[DiagnosticEvent]] = {}
        self.stack = ""
        self.failed: set[str] = set()
        self.changes: Mapping[str, int] | None = None

    def __call__(self, event: EngineEvent) -> None:
        self._once(self.heading)
        if begun := event.resource_pre_event:
            self._begin(begun.metadata)
        elif finished := event.res_outputs_event:
            self._end(finished.metadata)
        elif failed := event.res_op_failed_event:
            self._fail(failed.metadata)
        elif diagnostic := event.diagnostic_event:
            self._diagnose(diagnostic)
        elif (violation := event.policy_event) and violation.enforcement_level == "mandatory":
            # `make policy` lists the advisory ones.
            self.violations.append(violation)
        elif summary := event.summary_event:
            changes = summary.resource_changes or {}
            self.changes = {str(getattr(op, "value", op)): number for op, number in changes.items()}

    def wait(self, text: str) -> None:
        """A word on what is waited for; containers choose some of it."""
        if not self.interrupted():
            self.write(f"    … waiting for {cell(text)}")

    def finish(self, printed: Sequence[str] = ()) -> None:
        """Write violations, diagnostics and counts. `printed`: its output, for other errors."""
        violations = messages.violations(self.violations)
        diagnostics = messages.diagnostics({urn or self.stack: d for urn, d in self.diagnostics.items()})
        if not self.interrupted():
            for title, lines in (("policies", violations), ("diagnostics", diagnostics)):
                if lines:
                    self.write("\n".join([title, *lines]))
            if not violations and not diagnostics and (error := messages.command_error(printed)):
                self.write(error)
        if self.changes is not None and not violations:
            counts = messages.counts(self.changes, len({urn or self.stack for urn in self.failed}))
            if counts:
                self.write("  " + ", ".join(counts))

    def _begin(self, step: StepEventMetadata) -> None:
        self.began[step.urn] = self.clock()
        if step.type == STACK:
            self.stack = step.urn
        if step.op == OpType.CREATE and messages.kind_of(step) == "Ready":
            self._once(f"  … {name_of(step.urn)}: waiting until its containers are healthy")

    def _end(self, step: StepEventMetadata) -> None:
        if step.op not in FINISHED or step.type.startswith(LOGICAL):
            return
        mark, what = FINISHED[step.op]
        if what in ("deleted", "deleted original") and step.old and step.old.retain_on_delete:
            mark, what = "=", "kept"
        began = self.began.get(step.urn)
        time_taken = f" ({messages.in_seconds(self.clock() - began)})" if began is not None else ""
        self.write(f"  {mark} {messages.kind_of(step)} {name_of(step.urn)} {what}{time_taken}")

    def _fail(self, step: StepEventMetadata) -> None:
        self.failed.add(step.urn)
        if not step.type.startswith(LOGICAL) and not self.interrupted():
            what = FAILED.get(step.op, f"{step.op.value} failed")
            self.write(f"  ! {messages.kind_of(step)} {name_of(step.urn)}: {what}")

    def _diagnose(self, diagnostic: DiagnosticEvent) -> None:
        if diagnostic.ephemeral or diagnostic.severity == "debug":
            return
        urn = diagnostic.urn or ""
        self.diagnostics.setdefault(urn, []).append(diagnostic)
        if diagnostic.severity == "error":
            self.failed.add(urn)

    def _once(self, text: str) -> None:
        if text not in self.shown:
            self.shown.add(text)
            self.write(text)
