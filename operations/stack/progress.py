"""Pulumi's output without a terminal, reduced to one line for each finished step, and all that went wrong.

Give it line by line. It hides steps that only begin, unchanged resources, and components, which are no work
of their own. Messages and policy findings pass through.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from operations.process import say

STEP = re.compile(
    r"^ (?P<mark>[ +\-~<>=]{2}) +(?P<type>[\w:./-]+) (?P<name>\S+) +"
    r"(?P<what>\*\*[^*]+\*\*|[a-z]+(?: [a-z]+)?)"
    r"(?: \((?P<seconds>[^)]*)\))?(?P<rest>.*)$"
)
PHASE = re.compile(r"^(Updating|Refreshing|Destroying) .*\(.*\):$")
SECTIONS = ("Policies:", "Diagnostics:", "Resources:", "Outputs:")
# Marks of one line that says nothing to a person.
NOISE = ("@ ", "Permalink: ", "View Live: ", "Loading policy packs", "^C received", "Note that terminating")
DONE = {"created": "+", "updated": "~", "deleted": "-", "imported": "=", "created replacement": "+"}
# Pulumi's own suffixes and repetitions within messages.
CHATTER = re.compile(
    r"Exception calling application: |sdk-v2/provider2\.go:\d+: sdk\.helper_schema: |: provider=docker@\S+$"
)
NO_NEWS = re.compile(
    r"error: update (failed|canceled)$|error: \d+ errors? occurred:|Program signal: killed|"
    r"^\* creating urn:|\[Pulumi Neo\]|\?explainFailure|pulumi neo --debug|"
    r"resources in the stack have been deleted|remove the stack completely"
)


class Progress:
    """Call it with each line; it prints by `write`. Failures after `interrupted()` come from that alone."""

    def __init__(
        self, write: Callable[[str], None] = say, interrupted: Callable[[], bool] = lambda: False
    ) -> None:
        self.write, self.interrupted = write, interrupted
        self.section = ""
        self.block: list[str] = []
        self.shown: set[str] = set()

    def __call__(self, line: str) -> None:
        text = line.rstrip()
        if PHASE.match(text):
            self._begin(text)
        elif text in SECTIONS:
            self._close()
            self.section = text
        elif text.startswith(NOISE):
            return
        elif text.startswith("Duration:"):
            self._close()
        elif self.section == "Resources:":
            self._count(text)
        elif self.section:
            self.block.append(text)
        elif match := STEP.match(text):
            self._step(match)

    def _begin(self, text: str) -> None:
        self._close()
        self.write(f"{text.split(maxsplit=1)[0].lower()} …")

    def _step(self, match: re.Match[str]) -> None:
        kind, name, what = match["type"].split(":")[-1], match["name"], match["what"]
        own = match["type"].startswith(("pulumi:", "aidc:"))
        if "failed" in what and not own and not self.interrupted():
            self.write(f"  ! {kind} {name}: {what.strip('*')}")
        elif own:
            return
        elif what in ("deleted", "deleted original") and "[retain]" in match["rest"]:
            self._finished("=", kind, name, "kept", match["seconds"])
        elif what in DONE or what == "deleted original":
            self._finished(DONE.get(what, "-"), kind, name, what, match["seconds"])
        elif what == "creating" and kind == "Ready":
            self._once(f"  … {name}: waiting until its containers are healthy")

    def _finished(self, mark: str, kind: str, name: str, what: str, seconds: str | None) -> None:
        time = f" ({seconds})" if seconds else ""
        self.write(f"  {mark} {kind} {name} {what}{time}")

    def _count(self, text: str) -> None:
        if match := re.match(r"^ +(?:\+-|[+~=<>-])? ?(\d+ .*)$", text):
            self.block.append(match[1])

    def _close(self) -> None:
        block, section = self.block, self.section
        self.block, self.section = [], ""
        if section == "Resources:" and block:
            self.write("  " + ", ".join(block))
        elif section in ("Policies:", "Diagnostics:") and not self.interrupted():
            kept = _cleaned(block) if section == "Diagnostics:" else _mandatory(block)
            if kept:
                # A refresh says what the update says again.
                self._once("\n".join([section.rstrip(":").lower(), *kept]))

    def _once(self, text: str) -> None:
        if text not in self.shown:
            self.shown.add(text)
            self.write(text)


def _mandatory(block: list[str]) -> list[str]:
    """Only what stops a run: `make policy` lists the advisory findings."""
    kept: list[str] = []
    keep = False
    for line in block:
        if match := re.match(r"^ +- \[(\w+)\]", line):
            keep = match[1] == "mandatory"
        if keep and line.strip():
            kept.append(line)
    return kept


def _cleaned(block: list[str]) -> list[str]:
    """Without chatter, repeated lines, and headings under which nothing is left."""
    kept: list[str] = []
    seen: set[str] = set()
    for line in block:
        text = CHATTER.sub("", line)
        bare = text.strip().removeprefix("error: ").removeprefix("* ").strip()
        if not bare or NO_NEWS.search(text) or NO_NEWS.search(text.strip()) or bare in seen:
            continue
        heading = re.match(r"^  \S.*:$", text) is not None
        if heading and kept and re.match(r"^  \S.*:$", kept[-1]):
            kept.pop()
        if not heading and "[" not in bare:
            seen.add(bare)
        kept.append(text)
    if kept and re.match(r"^  \S.*:$", kept[-1]):
        kept.pop()
    return kept
