"""Lines of ours in a job's log, among those of the script."""

from __future__ import annotations


def say(text: str) -> None:
    print(f"aidc: {text}", flush=True)
