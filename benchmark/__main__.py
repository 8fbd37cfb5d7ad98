"""Command line of the benchmark.

python -m benchmark run --stack dev --tier ci        train, serve, measure, report
python -m benchmark bare --stack dev --tier ci       the same training on this host
python -m benchmark run --gate EARLIER.json          …and fail if it is worse than an earlier result
python -m benchmark faults --stack dev --case all    kill a worker, a node, the head: does training go on?
python -m benchmark run --window 22:00-06:00 --series prices.csv   …when it is cheapest
python -m benchmark schedule --series prices.csv     print when that would be
python -m benchmark compare A.json B.json            is B worse than A? pass, fail or inconclusive
python -m benchmark abba COMMIT [COMMIT]     the same of two commits, trained on this host in turns
python -m benchmark runs --stack dev                 list the runs, newest first
python -m benchmark report --stack dev               make report.html from the newest result
python -m benchmark report --run 20261128-043000     …of one run
python -m benchmark report A.json B.json             make comparison.html beside B
python -m benchmark report --markdown A.json [B.json]  print a short summary for a pull request
python -m benchmark resilience --stack dev           kill a replica and roll out a model, under load
python -m benchmark autoscale --stack dev            load the service: do the replicas follow?
python -m benchmark direct --stack dev               what the load balancer adds to the latency
python -m benchmark overhead --stack dev             train in the stack and bare, in turns: what does it cost?
python -m benchmark efficiency --out DIR             tokens/s against a plain loop, and scaling
python -m benchmark prepare --tier ci --store DIR    only prepare the data, into a directory
python -m benchmark freeze --root LIBRARY            print the frozen list of a standard library
"""

# ruff: noqa: PLC0415  (each command imports what it needs: torch and boto3 take seconds)
from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmark.arguments import parser
from benchmark.cluster.injector import CASES
from benchmark.core.config import WORKLOADS_DIR, SourceCodeData, load_all
from benchmark.core.errors import BenchmarkError, ComparisonError, ConfigError, StackError

if TYPE_CHECKING:
    from benchmark.cluster.stack import Stack
    from benchmark.scheduling.schedule import Plan

T = TypeVar("T")


def main(arguments: list[str] | None = None) -> int:
    known = parser(__doc__ or "")
    options = known.parse_args(arguments)
    if not options.command:
        known.print_help()
        return 2
    try:
        commands = {
            "run": _run, "bare": _bare, "schedule": _schedule, "faults": _faults, "resilience": _resilience,
            "autoscale": _autoscale, "direct": _direct, "overhead": _overhead, "efficiency": _efficiency,
            "abba": _abba,
            "compare": _compare, "report": _report, "runs": _runs, "prepare": _prepare, "freeze": _freeze,
        }  # fmt: skip
        return commands[options.command](options)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _files(names: str) -> list[Path]:
    """`mlp` is a workload that comes with the benchmark; anything with a dot or slash is a file."""
    parts = [name.strip() for name in names.split(",") if name.strip()]
    return [Path(p) if "/" in p or "." in p else WORKLOADS_DIR / f"{p}.yaml" for p in parts]


def _file(names: str) -> Path:
    """Of a command that takes one workload."""
    files = _files(names)
    if len(files) != 1:
        raise ConfigError([f"--workload: {names!r}: give one name or file"])
    return files[0]


def _fill(kind: type[T], options: argparse.Namespace, **given: Any) -> T:
    """An Options of a command: each field from the argument of its name, unless it is given or has none."""
    fields = {f.name: getattr(options, f.name) for f in dataclasses.fields(kind) if f.name in options}  # type: ignore[arg-type]
    return kind(**{**fields, **given})


def _folder(options: argparse.Namespace) -> Path:
    out: Path | None = options.out
    return out or Path("out") / options.stack


def _run(options: argparse.Namespace) -> int:
    try:
        record = _wait(options) if options.window or options.series else None
    except KeyboardInterrupt:
        print("\ninterrupted while waiting; nothing was started", file=sys.stderr)
        return 130
    from benchmark.experiments import run

    files = _files(options.workloads)
    return run.run(_fill(run.Options, options, workload_files=files, out=_folder(options), schedule=record))


def _wait(options: argparse.Namespace) -> dict[str, Any]:
    """Until the planned start; what the result says about it. Torch is not held in memory meanwhile."""
    from benchmark.scheduling import schedule, waiting

    plan = _plan(options)
    load_all(_files(options.workloads), options.tier)  # a mistake is told before the wait, not after
    if options.gate:
        _earlier(options.gate)
    print("\n".join(schedule.lines(plan)), file=sys.stderr, flush=True)
    return schedule.record(plan, waiting.wait(plan))


def _plan(options: argparse.Namespace) -> Plan:
    """ConfigError with the mistakes of window and series together."""
    from benchmark.scheduling import schedule, series, waiting

    problems, window, values = [], None, None
    try:
        window = schedule.parse_window(options.window) if options.window else None
    except ConfigError as error:
        problems += error.problems
    try:
        values = series.load(options.series) if options.series else None
    except ConfigError as error:
        problems += error.problems
    if not 0 < options.expected_duration < 366 * 86400:
        problems.append("--expected-duration: write seconds, above 0 and less than a year")
    if problems:
        raise ConfigError(problems)
    return schedule.choose(waiting.now(), timedelta(seconds=options.expected_duration), window, values)


def _schedule(options: argparse.Namespace) -> int:
    from benchmark.scheduling import schedule

    print("\n".join(schedule.lines(_plan(options))))
    return 0


def _bare(options: argparse.Namespace) -> int:
    from benchmark.experiments import host_baseline

    files = _files(options.workloads)
    return host_baseline.main(
        _fill(host_baseline.Options, options, workload_files=files, out=_folder(options))
    )


def _overhead(options: argparse.Namespace) -> int:
    from benchmark.experiments import overhead

    out = options.out or _folder(options) / "overhead"
    return overhead.main(_fill(overhead.Options, options, workload_files=_files(options.workloads), out=out))


def _faults(options: argparse.Namespace) -> int:
    from benchmark.experiments import faults

    cases = CASES if options.case == "all" else (options.case,)
    return faults.run(
        _fill(faults.Options, options, workload_file=_file(options.workload), out=_folder(options),
              cases=cases, outage_s=options.outage)
    )  # fmt: skip


def _resilience(options: argparse.Namespace) -> int:
    from benchmark.experiments import resilience

    if options.rate is not None and not options.rate > 0:
        raise ConfigError([f"--rate: {options.rate:g}: give a number of requests a second above 0"])
    return _serving_probe(
        options, "resilience", lambda s, r: resilience.examine(s, r, options.workload, options.rate)
    )


def _autoscale(options: argparse.Namespace) -> int:
    from benchmark.experiments import autoscale

    return _serving_probe(options, "autoscale", lambda s, r: autoscale.examine(s, r, options.workload))


def _direct(options: argparse.Namespace) -> int:
    from benchmark.experiments import balancer_overhead

    return _serving_probe(options, "direct", lambda s, r: balancer_overhead.examine(s, r, options.workload))


def _serving_probe(
    options: argparse.Namespace, key: str, examine: Callable[[Stack, dict[str, Any]], dict[str, Any]]
) -> int:
    """Write `<key>.json`, and with --into the same under `serving.<key>` of a result and its report."""
    from benchmark.analysis import result as results
    from benchmark.analysis import runs
    from benchmark.analysis.verdicts import serving as serving_verdicts
    from benchmark.cluster import stack
    from benchmark.core import files
    from benchmark.core.verdict import text_of
    from benchmark.report import pages

    out = _folder(options)
    files.check_folder(out)
    path = options.into or runs.newest(out)
    result = results.load(path)
    if not result.get("serving"):
        raise StackError(f"{path}: serving: nothing was served in this run; run the benchmark first")
    found = examine(stack.read(options.stack, options.inventory, options.access), result)
    files.write_json(out / f"{key}.json", found)
    if options.into:
        pages.take_up(options.into, found, "serving", key)
    rows = serving_verdicts.rows({key: found})
    for row in rows:
        print(text_of(row))
    print(out / f"{key}.json")
    return 1 if found.get("errors") or any(row["verdict"] == "fail" for row in rows) else 0


def _efficiency(options: argparse.Namespace) -> int:
    from benchmark.experiments import efficiency

    return efficiency.main(_fill(efficiency.Options, options, workload_file=_file(options.workload)))


def _abba(options: argparse.Namespace) -> int:
    from benchmark.experiments import abba

    return abba.main(_fill(abba.Options, options, workload_files=_files(options.workloads)))


def _compare(options: argparse.Namespace) -> int:
    from benchmark.analysis import gate

    found = gate.compare(_earlier(options.baseline), _earlier(options.candidate))
    for line in gate.lines(found):
        print(line)
    return 1 if found["verdict"] == "fail" else 0


def _report(options: argparse.Namespace) -> int:
    from benchmark.analysis import result as results
    from benchmark.analysis import runs
    from benchmark.report import comparison, pages

    if options.run and options.result:
        raise ConfigError([f"--run: {options.run}: give a run or a result.json, not both"])
    out = _folder(options)
    path: Path = options.result or (runs.find(out, options.run) if options.run else runs.newest(out))
    if options.candidate:
        baseline, candidate = _earlier(path), _earlier(options.candidate)
        if options.markdown:
            print(comparison.markdown(baseline, candidate), end="")
        else:
            print(comparison.write(baseline, candidate, options.candidate.with_name("comparison.html")))
    elif options.markdown:
        print(comparison.markdown_of_one(results.load(path)), end="")
    else:
        print(pages.write(path))
    return 0


def _runs(options: argparse.Namespace) -> int:
    from benchmark.analysis import runs

    out = _folder(options)
    found = list(runs.rows(out))
    if options.as_json:
        print(json.dumps(found, indent=1))
    elif found:
        print("\n".join(runs.table(found)))
    else:
        print(f"{out}: no run yet; `make bench` makes one", file=sys.stderr)
    return 0


def _earlier(path: Path) -> dict[str, Any]:
    """A result to compare. Exit 1 says `worse`, so a file that cannot be used is bad input: exit 2."""
    from benchmark.analysis import result as results

    try:
        return results.load(path)
    except BenchmarkError as error:
        raise ComparisonError([str(error)]) from error


def _prepare(options: argparse.Namespace) -> int:
    from benchmark.core.store import open_store
    from benchmark.data import dataset

    store = open_store(options.store)
    for workload in load_all(_files(options.workloads), options.tier):
        manifest = dataset.prepare(workload, store, not options.unfrozen_data)
        state = "reused" if manifest["reused"] else "made"
        print(f"{manifest['prefix']}: {state}, sha256 {manifest['sha256']}")
    return 0


def _freeze(options: argparse.Namespace) -> int:
    from benchmark.data.stdlib import freeze

    (workload,) = load_all([WORKLOADS_DIR / "bytelm.yaml"], "ci")
    assert isinstance(workload.data, SourceCodeData)
    sys.stdout.write(freeze(workload.data, options.root, options.python_version))
    return 0


def _end(number: int, frame: object) -> None:
    """Python would end without unwinding: nothing stopped, nothing kept."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _end)
    sys.exit(main())
