"""`aidc COMMAND`, also `python -m operations COMMAND`: what the Makefile's targets call.

Exit codes of every command: 0 success; 1 failure; 2 invalid input or unsuitable machine, nothing was changed;
130 interrupted.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from docker.errors import DockerException

from benchmark.core.words import masked
from components.planning.config import STACK_NAME
from operations import cli
from operations.errors import FAILED, INTERRUPTED, OperationError, RefusedError
from operations.process import warn
from operations.stack import proxies
from operations.stack.exclusive import changing


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Only that command's module is imported."""
    first = arguments[0] if arguments else "--help"
    cli.check_name(first)
    os.environ.update(proxies.direct(os.environ))
    command = cli.COMMANDS.get(first)
    if command and command.benchmark:
        benchmark: Callable[[list[str]], int] = importlib.import_module("benchmark.__main__").main
        return benchmark(cli.for_benchmark(first, arguments[1:]))
    if command and command.own_arguments:
        own: Callable[[Sequence[str]], int] = importlib.import_module(
            f"operations.commands.{command.module}"
        ).main
        return own(arguments[1:])
    asks = first if {"-h", "--help"} & set(arguments[1:]) else None
    given = vars(cli.parser(asks).parse_args([first, *arguments[1:]]))
    chosen = cli.COMMANDS[given.pop("command")]
    main: Callable[..., int] = cli.module(chosen).main
    os.environ.update(proxies.direct(os.environ, *proxies.published(str(given.get("stack", "")))))
    # `tell` only reads there; of `bench-lifecycle` it is a file.
    if isinstance(out := given.get("out"), Path) and first != "tell":
        check_folder(out.parent if first == "bench-lifecycle" else out)
    if chosen.changes and STACK_NAME.match(given["stack"]):
        with changing(given["stack"], first):
            return main(**given)
    return main(**given)


def check_folder(out: Path) -> None:
    """Raises RefusedError where nothing can be written there: before the work, whose result would be lost."""
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir():
        fault = f"{there} is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        fault = f"you may not write into {there}"
    else:
        return
    raise RefusedError(f"OUT: {fault}\n    fix: name a folder that you may write into")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; errors that a user can cause are reported without a traceback."""
    try:
        return run(sys.argv[1:] if arguments is None else arguments)
    except OperationError as error:
        # Some quote what a service or a job has said.
        warn(masked(str(error)))
        return error.code
    except KeyboardInterrupt:
        warn("\ninterrupted; run the same command again to continue")
        return INTERRUPTED
    except DockerException as error:
        warn(f"engine: {error}\n    fix: check that it is running (`aidc doctor`), then try again")
        return FAILED
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`; nobody is left to report to.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        return FAILED
    except OSError as error:
        if error.filename is None and error.errno != errno.ENOSPC:
            raise
        what = error.filename or "the disk is full"
        warn(f"{what}: {error.strerror}\n    fix: make room, or name a place that you may read and write")
        return FAILED


def entry() -> None:
    """The console script."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
