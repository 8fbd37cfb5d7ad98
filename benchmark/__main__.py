"""Train and serve models on a stack, measure, and judge the results.

python -m benchmark run --stack dev --tier ci        train, serve, measure, report
python -m benchmark host-baseline --stack dev        the same training on this host
python -m benchmark run --gate EARLIER.json          …and fail if it is worse than an earlier result
python -m benchmark faults --stack dev --case all    kill parts of the stack: does training go on?
python -m benchmark run --window 22:00-06:00 --series prices.csv   …when it is cheapest
python -m benchmark schedule --series prices.csv     print when that would be
python -m benchmark compare A.json B.json            is B worse than A? pass, fail or inconclusive
python -m benchmark abba COMMIT [COMMIT]             the same for two commits, trained on this host in turns
python -m benchmark runs --stack dev                 list the runs, newest first
python -m benchmark record --stack dev               write runs into MLflow that it does not have yet
python -m benchmark models --stack dev               list versions of models, and which is served
python -m benchmark promote --model bytelm --version 7   serve this version; `demote` takes it back
python -m benchmark serve --stack dev                serve the champions of all models again
python -m benchmark report --stack dev               make report.html from the newest result
python -m benchmark report --run 20261128-043000     …of one run
python -m benchmark report A.json B.json             make comparison.html beside B
python -m benchmark report --markdown A.json [B.json]  print a short summary for a pull request
python -m benchmark resilience --stack dev           kill a replica and roll out a model, under load
python -m benchmark autoscale --stack dev            load the service: do the replicas follow?
python -m benchmark balancer-overhead --stack dev    what the load balancer adds to the latency
python -m benchmark overhead --stack dev             train in the stack and on this host, in turns
python -m benchmark efficiency --out DIR             tokens/s against a plain loop, and scaling
python -m benchmark prepare --tier ci --store DIR    only prepare the data, into a directory
python -m benchmark freeze --root LIBRARY            print the frozen list of files of a standard library
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from benchmark.arguments import COMMANDS, named, parser
from benchmark.core.errors import BenchmarkError, ConfigError
from benchmark.core.suggest import near
from benchmark.experiments.options import filled


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    try:
        wanted = next((word for word in words if not word.startswith("-")), "")
        if wanted and not named(wanted):
            hint = near(wanted, COMMANDS) or "; `python -m benchmark --help` lists the commands"
            raise ConfigError([f"{wanted!r} is not a command{hint}"])
        known = parser(__doc__ or "", only=wanted)
        options = known.parse_args(words)
        if not options.command:
            known.print_help()
            return 2
        return execute(options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def execute(options: argparse.Namespace) -> int:
    """The exit code of the command. An experiment has a dataclass `Options`; others take the arguments."""
    if "default_out" in options and options.out is None:
        options.out = Path(options.default_out.format(stack=options.stack))
    command = named(options.command)
    assert command  # the parser knows no other
    module = command.load()
    kind = getattr(module, "Options", None)
    return int(module.main(filled(kind, options) if kind else options))


def _end(number: int, frame: object) -> None:
    """Otherwise Python would exit without unwinding: jobs would go on, and measurements would be lost."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    sys.exit(main())
