"""What critical rules forbid, tried from inside the containers, and the results. Pure.

`attacker.pl` runs in each container as its own user (`docker exec`), with its capabilities and filters: perl,
because Debian's smallest images have it. Every attempt must be refused; its control, which is allowed, must
succeed: otherwise a refusal might only mean that the attempt was broken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.records import AttackResult, Attempted
from audit.verdicts import Row, judged, not_checked, plural

# The user of the process that must not be traced: nobody, as whom no service runs.
VICTIM = "65534:65534"
VICTIM_COMMAND = ("perl", "-e", "sleep 15")


@dataclass(frozen=True)
class Attempt:
    """One thing that must not work, the policies that forbid it, and the control that shows it was tried."""

    name: str
    title: str
    rules: tuple[str, ...]
    control: str


ATTEMPTS = (
    Attempt("write-root", "write to the root file system", ("readonly-root",), "write-tmp"),
    Attempt("become-root", "become root", ("non-root",), "syscall"),
    Attempt("new-privileges", "gain privileges by a set-uid program", ("no-new-privileges",), "syscall"),
    Attempt("give-away", "give a file to another user", ("caps-drop-all",), "write-tmp"),
    Attempt("mount", "mount a file system", ("no-deadly-caps", "no-privileged"), "syscall"),
    Attempt("user-namespace", "open a user namespace", ("seccomp-on",), "syscall"),
    Attempt("raw-socket", "open a raw or packet socket", ("no-deadly-caps",), "datagram-socket"),
    Attempt("ptrace", "trace another user's process", ("no-deadly-caps",), "ptrace-child"),
    Attempt("module", "load a kernel module", ("no-deadly-caps", "seccomp-on"), "syscall"),
    Attempt("bpf", "load a kernel program (bpf)", ("no-deadly-caps", "seccomp-on"), "syscall"),
    Attempt("device", "make a device node", ("caps-drop-all",), "write-tmp"),
    Attempt("engine-socket", "reach the engine's socket", ("no-docker-socket",), "syscall"),
    Attempt(
        "host-paths", "open the host's paths in /proc and /sys", ("lsm-on", "no-host-paths"), "read-proc"
    ),
    Attempt("host-processes", "see the host's processes", ("no-host-pid",), "read-proc"),
)


def read(service: str, output: str) -> tuple[list[Attempted], dict[str, bool]]:
    """The attacker's lines, `name TAB result TAB detail`: attempts, and controls with whether they succeeded.

    What an attacker that was cut off did not get to is "not possible".
    """
    lines = [line.split("\t") for line in output.splitlines() if line.count("\t") == 2]
    answers = {name: (result, detail) for name, result, detail in lines}
    controls = {n: r == "succeeded" for n, (r, _) in answers.items() if n in {a.control for a in ATTEMPTS}}
    tried = []
    for attempt in ATTEMPTS:
        result, detail = answers.get(attempt.name, ("not possible", "the attacker did not get that far"))
        # An unknown word counts as success: nothing is refused that did not say so.
        known: Mapping[str, AttackResult] = {"refused": "refused", "not possible": "not possible"}
        outcome = known.get(result, "succeeded")
        tried.append(Attempted(service=service, attempt=attempt.name, result=outcome, detail=detail))
    return tried, controls


def rows(tried: Sequence[Attempted], controls: Mapping[str, Mapping[str, bool]]) -> list[Row]:
    """One row per attempt. `controls`: service → control → whether it succeeded."""
    return [_row(attempt, [t for t in tried if t.attempt == attempt.name], controls) for attempt in ATTEMPTS]


def _row(attempt: Attempt, mine: Sequence[Attempted], controls: Mapping[str, Mapping[str, bool]]) -> Row:
    name = f"attack: {attempt.title}"
    done = [t for t in mine if t.result != "not possible"]
    left = [f"{t.service}: {t.detail}" for t in mine if t.result == "not possible"]
    if not done:
        return not_checked(name, "; ".join(left[:2]) or "no service runs")
    open_ = [f"{t.service} ({t.detail})" for t in done if t.result == "succeeded"]
    if open_:
        fix = f"see `make policy` for {' and '.join(attempt.rules)}, then make up"
        return judged(name, open_, "", f"succeeded in {plural(len(open_), 'service')}", fix)
    broken = [t.service for t in done if not controls.get(t.service, {}).get(attempt.control)]
    if broken:
        reason = f"its control ({attempt.control}) did not work in {', '.join(broken)}"
        return not_checked(name, reason, "a refusal proves nothing there: try by hand")
    errors = sorted({t.detail for t in done})
    text = f"refused in {plural(len(done), 'service')} ({', '.join(errors[:3])})"
    return Row(name, "pass", text + (f"; not possible in {'; '.join(left)}" if left else ""))
