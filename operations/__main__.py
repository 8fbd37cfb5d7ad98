"""`python -m operations COMMAND --stack STACK`: what the Makefile's targets call.

Exit codes of every command: 0 done; 1 failed; 2 the input or the machine is not fit, and nothing was changed;
130 interrupted. A command's own help says more.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from docker.errors import DockerException

from operations.errors import FAILED, INTERRUPTED, OperationError
from operations.process import warn

COMMANDS = {
    "up": "check everything, bring the stack up, prove that it is healthy",
    "status": "what runs, how it is, where to reach it",
    "doctor": "the checks before `up`, alone",
    "access": "write the CA certificate and say how to call the stack",
    "rotate": "new certificates or passwords, taken up by the running services",
    "destroy": "remove the stack; its data stays unless purged",
    "bench-lifecycle": "measure up, second up, drift check and destroy on a stack of its own",
    "audit": "try what is declared on what runs: reachability, drift, policies, attacks, certificates",
    "sbom": "write what each image is made of, as CycloneDX",
    "images": "assemble and build the images that are missing",
    "policy": "check every rule on the planned stack",
}
# These read their own arguments.
OWN_ARGUMENTS = ("policy",)


def parser() -> argparse.ArgumentParser:
    """All commands but those that read their own arguments."""
    top = argparse.ArgumentParser(
        prog="python -m operations", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {name: commands.add_parser(name, help=text) for name, text in COMMANDS.items()}
    for name in ("up", "status", "doctor", "access", "rotate", "destroy", "bench-lifecycle", "audit", "sbom"):
        made[name].add_argument("--stack", default=os.environ.get("STACK", "dev"))
    for name in ("status", "doctor"):
        made[name].add_argument("--json", action="store_true", help="for programs")
    made["destroy"].add_argument("--purge", action="store_true", help="data, seed and stack too, for good")
    what = "names with commas between them, or all (default: certificates)"
    made["rotate"].add_argument("--what", default="certificates", metavar="NAMES", help=what)
    for name in ("rotate", "destroy"):
        made[name].add_argument("--yes", action="store_true", help="do not ask")
    made["access"].add_argument("--out", type=Path, help="folder for ca.pem (default: out/<stack>)")
    made["audit"].add_argument("--out", type=Path, help="folder for audit.json and audit.html")
    made["sbom"].add_argument("--out", type=Path, help="folder above sbom/ (default: out/<stack>)")
    made["bench-lifecycle"].add_argument("--out", type=Path, default=Path("out/lifecycle.json"))
    made["bench-lifecycle"].add_argument("--no-training", action="store_true", help="lifecycle only")
    return top


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Only the wanted command's module is imported."""
    if arguments and arguments[0] in OWN_ARGUMENTS:
        own: Callable[[Sequence[str]], int] = importlib.import_module(f"operations.{arguments[0]}").main
        return own(arguments[1:])
    given = vars(parser().parse_args(arguments))
    name = given.pop("command").replace("bench-", "")
    if "json" in given:
        given["as_json"] = given.pop("json")
    main: Callable[..., int] = importlib.import_module(f"operations.{name}").main
    return main(**given)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; whatever a user can cause is told without a traceback."""
    try:
        return run(sys.argv[1:] if arguments is None else arguments)
    except OperationError as error:
        warn(str(error))
        return error.code
    except KeyboardInterrupt:
        warn("\ninterrupted; run the same command again to go on")
        return INTERRUPTED
    except DockerException as error:
        warn(f"engine: {error}\n    fix: see that it runs (`python -m operations doctor`), then try again")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does; nothing is left to tell.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
