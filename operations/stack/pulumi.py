"""The Pulumi command for one stack: short queries, and long runs with progress."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.planning.paths import ROOT
from components.runtime.health import INTERRUPT_FILE, WAITING_FILE
from operations.errors import OperationError
from operations.process import Interrupts, capture, stream
from operations.stack import proxies
from operations.stack.events import EventLog, Follower, Tail
from operations.stack.file import SEED
from operations.stack.progress import Progress

MISSING = 'the command `pulumi` is missing; fix: run `make setup`, then `eval "$(make -s env)"`'
# Message of Pulumi → what to do about it.
FIXES = (
    (
        re.compile(r"incorrect passphrase", re.I),
        "the stack's file was encrypted with another passphrase: restore that passphrase "
        "(by default in .aidc/passphrase); without it the secrets in the file cannot be read",
    ),
    (
        re.compile(r"passphrase must be set", re.I),
        'set PULUMI_CONFIG_PASSPHRASE_FILE, or run `eval "$(make -s env)"`',
    ),
    (re.compile(r"PULUMI_ACCESS_TOKEN|login", re.I), 'log in, or run `eval "$(make -s env)"`'),
    (re.compile(r"currently locked", re.I), "wait until the other run has ended"),
)


class PulumiError(OperationError):
    """A Pulumi command failed; the text holds its reason and, where known, a fix."""


class Pulumi:
    """`pulumi … --stack <stack>` in the clone `root`."""

    def __init__(self, stack: str, root: Path = ROOT, environment: Mapping[str, str] | None = None) -> None:
        self.stack, self.root = stack, root
        base = dict(os.environ if environment is None else environment)
        # The provider would prefer it to DOCKER_HOST, by which everything else goes.
        base.pop("DOCKER_CONTEXT", None)
        self.environment = {**base, **proxies.direct(base), "PULUMI_SKIP_UPDATE_CHECK": "1"}

    def call(self, *arguments: str, stdin: str | None = None) -> str:
        """Standard output of a short command. Raises PulumiError."""
        command = ["pulumi", *arguments, "--stack", self.stack, "--non-interactive", "--color", "never"]
        try:
            done = capture(command, environment=self.environment, cwd=self.root, stdin=stdin)
        except FileNotFoundError:
            raise PulumiError(MISSING) from None
        except subprocess.TimeoutExpired as error:
            what, seconds = " ".join(arguments[:2]), f"{error.timeout:g} s"
            raise PulumiError(f"pulumi {what}: did not finish within {seconds}; fix: try again") from None
        if done.returncode != 0:
            raise PulumiError(explain(" ".join(arguments[:2]), done.stderr or done.stdout))
        return done.stdout

    def run(self, *arguments: str, interrupts: Interrupts, on_line: Callable[[str], None]) -> int:
        """A long command; its output goes to `on_line`. Returns its exit code, negative for a signal."""
        return self._run(arguments, interrupts, on_line)

    def run_with_progress(self, *arguments: str, interrupts: Interrupts) -> int:
        """A long command (`up`, `refresh`, `destroy`) whose finished steps and faults are shown (`Progress`).

        Returns its exit code, negative for a signal.
        """
        progress, printed = Progress(arguments[0], interrupted=interrupts.any), list[str]()
        # Private: the log holds the inputs of every resource, secrets excepted.
        with tempfile.TemporaryDirectory(prefix="aidc-events-") as folder:
            log = EventLog(Path(folder) / "events.jsonl")
            words = Tail(Path(folder) / "waiting")
            with Follower(log, progress, words, progress.wait) as follower:

                def on_line(line: str) -> None:
                    follower.check()
                    printed.append(line)

                arguments = (*arguments, "--event-log", str(log.path))
                variables = {"PULUMI_DEBUG_COMMANDS": "true", WAITING_FILE: str(words.path)}
                code = self._run(arguments, interrupts, on_line, variables)
        progress.finish(printed)
        return code

    def _run(
        self,
        arguments: Sequence[str],
        interrupts: Interrupts,
        on_line: Callable[[str], None],
        variables: Mapping[str, str] | None = None,
    ) -> int:
        command = ["pulumi", *arguments, "--stack", self.stack, "--non-interactive", "--color", "never"]
        try:
            return stream(
                command,
                interrupts=interrupts,
                on_line=on_line,
                environment={**self.environment, INTERRUPT_FILE: str(interrupts.file), **(variables or {})},
                cwd=self.root,
            )
        except FileNotFoundError:
            raise PulumiError(MISSING) from None

    def select(self) -> None:
        """Create the stack if it does not exist, and make it the current one for plain `pulumi` commands."""
        self.call("stack", "select", "--create")

    def exists(self) -> bool:
        return self.export() is not None

    def export(self) -> dict[str, Any] | None:
        """The stack's state, secrets encrypted; None when there is no such stack."""
        try:
            exported: dict[str, Any] = json.loads(self.call("stack", "export"))
        except PulumiError as error:
            if "no stack named" in str(error):
                return None
            raise
        return exported

    def output(self, name: str, *, secret: bool = False) -> Any:
        """A stack output, or None when the stack or the output does not exist."""
        shown = ["--show-secrets"] if secret else []
        try:
            return json.loads(self.call("stack", "output", name, "--json", *shown))
        except PulumiError as error:
            if "no stack named" in str(error) or "does not have output" in str(error):
                return None
            raise

    def set(self, key: str, value: str, *, secret: bool = False) -> None:
        """Write into the stack's file; a secret goes through stdin and never appears in the process list."""
        if secret:
            self.call("config", "set", "--secret", key, stdin=value)
        else:
            self.call("config", "set", key, value)

    def set_all(self, values: Mapping[str, str]) -> None:
        """Write several plain values, path → value, in one step."""
        pairs = [part for path, value in values.items() for part in ("--plaintext", f"{path}={value}")]
        self.call("config", "set-all", "--path", *pairs)

    def seed(self) -> str:
        """The stack's seed. Raises PulumiError when it has none or the passphrase is another one."""
        return self.call("config", "get", SEED).strip()

    def unset(self, key: str) -> None:
        self.call("config", "rm", key)


def explain(what: str, text: str) -> str:
    """Pulumi's own message without decoration, and the fix where one is known."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    reason = "\n    ".join(line.removeprefix("error: ") for line in lines) or "no reason given"
    fix = next((fix for pattern, fix in FIXES if pattern.search(text)), None)
    return f"pulumi {what}: {reason}" + (f"\n    fix: {fix}" if fix else "")
