"""The commands of `python -m benchmark` and their arguments; what they do is in `benchmark.__main__`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmark.cluster.injector import CASES
from benchmark.core.config import TIERS


def parser(about: str) -> argparse.ArgumentParser:
    """`about`: the first line is the description, the others are examples."""
    title, _, examples = about.partition("\n")
    found = argparse.ArgumentParser(
        prog="python -m benchmark",
        description=title or None,
        epilog="examples:\n" + examples.strip("\n") if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = found.add_subparsers(dest="command", metavar="COMMAND")
    _runs(commands)
    _experiments(commands)
    _files(commands)
    return found


def _runs(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Train, serve, measure."""
    timed = _timed()
    run = commands.add_parser(
        "run", parents=[_several(), _stacked(), timed], help="benchmark the stack and report"
    )
    run.add_argument(
        "--min-replicas", type=int, help="served always (default: one a compute node, at least 2)"
    )
    run.add_argument("--max-replicas", type=int, help="served under load (default: twice the least)")
    run.add_argument("--gate", type=Path, help="an earlier result.json to compare with; exit 1 if worse")
    run.add_argument(
        "--find-rate",
        action="store_true",
        help="search the highest rate within the bound (always at release)",
    )
    bare = commands.add_parser(
        "bare", parents=[_several(), _stacked()], help="train on this host, for the ratio"
    )
    bare.add_argument(
        "--no-stack", action="store_true", help="prepare the data here instead of taking the stack's"
    )
    commands.add_parser("schedule", parents=[timed], help="print when a run would start, and do not run")


def _experiments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """One question each, beside the benchmark; the answer may go into its result."""
    for name, about in (
        ("resilience", "kill one replica and roll out another model under load; exit 1 if a request failed"),
        ("autoscale", "load the service until as many replicas run as are allowed; exit 1 if they do not"),
        ("direct", "compare the load balancer with the compute nodes behind it; exit 1 if it adds too much"),
    ):
        probe = commands.add_parser(name, parents=[_stacked(), _into()], help=about)
        probe.add_argument("--workload", help="which served model (default: the first that fits)")
        if name == "resilience":
            probe.add_argument("--rate", type=float, help="requests/s (default: the lowest declared rate)")
    overhead = commands.add_parser(
        "overhead",
        parents=[_several(), _stacked()],
        help="train in the stack and bare, in turns; exit 1 if it costs too much",
    )
    overhead.add_argument("--pairs", type=_at_least(1), default=8, help="rounds (default: 8, the least)")
    abba = commands.add_parser(
        "abba", parents=[_several()], help="train two commits in turns, and judge the second; exit 1 if worse"
    )
    abba.add_argument("baseline", help="a commit, tag or branch")
    abba.add_argument("candidate", nargs="?", help="another (default: the working tree, with its changes)")
    abba.add_argument("--pairs", type=_at_least(1), default=8, help="rounds (default: 8, the least)")
    abba.add_argument("--world-size", type=_at_least(1), default=1, help="ranks (default: 1)")
    abba.add_argument("--threads", type=_at_least(1), default=1, help="threads a rank (default: 1)")
    abba.add_argument(
        "--out", type=Path, default=Path("out/abba"), help="folder of both results (default: out/abba)"
    )
    faults = commands.add_parser(
        "faults", parents=[_one(), _stacked(), _into()], help="kill parts of the stack during training"
    )
    faults.add_argument("--case", choices=(*CASES, "all"), default="all",
                        help="what is killed; driver: the node that holds the job's driver")  # fmt: skip
    faults.add_argument("--seed", type=int, default=1)
    faults.add_argument("--steps", type=_at_least(1), help="of the training (default: the workload's)")
    faults.add_argument("--checkpoint-every", type=_at_least(1), default=25, help="steps (default: 25)")
    faults.add_argument("--outage", type=_at_least(0), default=10,
                        help="seconds until a killed container is started again (default: 10)")  # fmt: skip
    efficiency = commands.add_parser(
        "efficiency",
        parents=[_one(), _into()],
        help="measure our loop against a plain one, and two ranks against one; exit 1 on fail",
    )
    efficiency.add_argument("--pairs", type=_at_least(1), default=8, help="rounds (default: 8, the least)")
    efficiency.add_argument("--steps", type=_at_least(1), default=30, help="measured in a run (default: 30)")
    efficiency.add_argument("--threads", type=_at_least(1), default=1, help="threads a rank (default: 1)")
    efficiency.add_argument(
        "--only", choices=("speed", "scaling"), help="one of the questions (default: both)"
    )
    efficiency.add_argument("--out", type=Path, required=True, help="folder of efficiency.json")


def _files(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What works on results and data alone."""
    compare = commands.add_parser("compare", help="judge a result against an earlier one; exit 1 on fail")
    compare.add_argument("baseline", type=Path, help="the earlier result.json")
    compare.add_argument("candidate", type=Path, help="the result.json to judge")
    report = commands.add_parser("report", help="make report.html from result.json, or compare two")
    report.add_argument("result", type=Path, nargs="?", help="default: the newest complete one of the stack")
    report.add_argument("candidate", type=Path, nargs="?", help="compare: make comparison.html beside it")
    report.add_argument("--run", metavar="ID", help="a run of the stack instead; `runs` lists them")
    report.add_argument("--markdown", action="store_true", help="print a short summary, write no page")
    listed = commands.add_parser("runs", help="list the runs of a stack, newest first")
    listed.add_argument("--json", action="store_true", dest="as_json", help="for programs")
    for one in (report, listed):
        one.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
        one.add_argument("--out", type=Path, help="folder of its results (default: out/<stack>)")
    prepare = commands.add_parser("prepare", parents=[_several()], help="prepare data in a directory")
    prepare.add_argument("--store", required=True, help="directory, or s3:// with the AWS_* variables")
    freeze = commands.add_parser("freeze", help="print the frozen list of files for bytelm")
    freeze.add_argument("--root", type=Path, help="standard library (default: this interpreter's)")
    freeze.add_argument("--python-version", default="", help="its version, for the first line of the list")


def _sized() -> argparse.ArgumentParser:
    sized = argparse.ArgumentParser(add_help=False)
    sized.add_argument("--tier", choices=TIERS, default="ci", help="how long and how strict (default: ci)")
    sized.add_argument(
        "--unfrozen-data", action="store_true", help="take any standard library's source for bytelm"
    )
    return sized


def _several() -> argparse.ArgumentParser:
    several = argparse.ArgumentParser(add_help=False, parents=[_sized()])
    several.add_argument(
        "--workloads", default="mlp,digits,bytelm", help="names or files, separated by commas"
    )
    return several


def _one() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(add_help=False, parents=[_sized()])
    one.add_argument("--workload", default="bytelm", help="name or file (default: bytelm)")
    return one


def _into() -> argparse.ArgumentParser:
    into = argparse.ArgumentParser(add_help=False)
    into.add_argument("--into", type=Path, help="a result.json that takes the outcome up, and its report")
    return into


def _stacked() -> argparse.ArgumentParser:
    stacked = argparse.ArgumentParser(add_help=False)
    stacked.add_argument("--stack", default="dev", help="Pulumi stack (default: dev)")
    stacked.add_argument("--out", type=Path, help="folder of result and report (default: out/<stack>)")
    stacked.add_argument("--world-size", type=int, help="ranks (default: one a compute node)")
    stacked.add_argument("--threads", type=int, default=1, help="threads a rank (default: 1)")
    stacked.add_argument("--inventory", type=Path, help="JSON file instead of the stack's output `inventory`")
    stacked.add_argument(
        "--access", type=Path, help="JSON file instead of the stack's secret output `access`"
    )
    return stacked


def _timed() -> argparse.ArgumentParser:
    timed = argparse.ArgumentParser(add_help=False)
    timed.add_argument(
        "--window", help="begin and end within it: 22:00-06:00 (UTC), or two ISO 8601 times, START/END"
    )
    timed.add_argument("--series", type=Path, help="prices or carbon, CSV or JSON: start when it is cheapest")
    timed.add_argument(
        "--expected-duration", type=float, default=600, help="seconds that the run takes (default: 600)"
    )
    return timed


def _at_least(low: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < low:
            raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number of at least {low}")
        return int(text)

    return number
