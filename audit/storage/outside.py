"""What the job that compares an outside store with the declaration found, from what it left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.verdicts import Row, judged, not_checked

NAME, UNSEEN = "the outside store was as declared", "all of the outside store could be seen"
WRONG, NOT_CHECKED = "WRONG: ", "not checked: "


def rows(stack: str, state: Mapping[str, Any], said: str) -> tuple[Row, ...]:
    """One row for what is wrong, and one for what nobody could see. `said` is what the newest run printed."""
    again = (
        f"the store is not ours: its operator mends it; docker start aidc-{stack}-store-check asks it again"
    )
    if state.get("Status") != "exited":
        return (not_checked(NAME, "the job store-check has not ended", again),)
    # Two runs in one second are shown together.
    lines = list(dict.fromkeys(said.splitlines()))
    wrong = [line.removeprefix(WRONG) for line in lines if line.startswith(WRONG)]
    if code := state.get("ExitCode"):
        wrong = wrong or lines[-2:] or [f"exit code {code}"]
    when = f"when it was asked, {str(state.get('FinishedAt'))[:19]} UTC"
    unseen = [line.removeprefix(NOT_CHECKED) for line in lines if line.startswith(NOT_CHECKED)]
    found = judged(NAME, wrong, when, when, again)
    return (found, not_checked(UNSEEN, "; ".join(unseen), again)) if unseen else (found,)
