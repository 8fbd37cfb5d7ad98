"""What ends a command early, and the exit codes of every command.

    OperationError          1: the work was started and failed
    ├── RefusedError             2: nothing was started: invalid input or unsuitable machine
    └── InterruptionError       130: stopped by Ctrl-C or a signal; the same command continues the work

Each text says what is wrong and how to fix it, and is printed without a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence

from components.planning.issues import Issue

OK, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


class OperationError(Exception):
    """The command failed; `code` becomes the exit code."""

    code = FAILED


class RefusedError(OperationError):
    """Nothing was changed."""

    code = REFUSED


class InterruptionError(OperationError):
    """The user or the system asked to stop."""

    code = INTERRUPTED


def refusal(issues: Sequence[Issue], what: str) -> RefusedError:
    """All `issues` in one text; `what` says what was not done because of them."""
    count = f"{len(issues)} problem{'s' if len(issues) > 1 else ''}"
    return RefusedError(f"{count}; {what}\n" + "\n".join(f"  {issue}" for issue in issues))
