"""Asking a user before something that cannot be undone."""

from __future__ import annotations

import sys

from operations.errors import RefusedError


def ask(question: str, expected: str, *, unasked: str, consequence: str) -> None:
    """Return when the answer is `expected`. Raises RefusedError otherwise, and without a terminal.

    `unasked` says why nobody can be asked, and the fix; `consequence`, that nothing has happened.
    """
    if not sys.stdin.isatty():
        raise RefusedError(f"{unasked}; {consequence}")
    try:
        answer = input(question)
    except EOFError:
        answer = ""
    if answer.strip() != expected:
        raise RefusedError(f"not confirmed; {consequence}")
