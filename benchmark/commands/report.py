"""`python -m benchmark report`: make report.html from a result, or compare two results."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmark.analysis import result as results
from benchmark.analysis import runs
from benchmark.commands.compare import load_earlier
from benchmark.commands.runs import add_result_folder
from benchmark.core.errors import ConfigError
from benchmark.report import comparison, pages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "result", type=Path, nargs="?", help="result.json (default: the stack's newest complete one)"
    )
    parser.add_argument(
        "candidate",
        type=Path,
        nargs="?",
        help="a second result.json, to compare: comparison.html is made beside it",
    )
    parser.add_argument("--run", metavar="ID", help="a run of the stack instead; `runs` lists them")
    parser.add_argument("--markdown", action="store_true", help="print a short summary, write no page")
    add_result_folder(parser)


def main(options: argparse.Namespace) -> int:
    if options.run and options.result:
        raise ConfigError([f"--run: {options.run}: give a run or a result.json, not both"])
    out: Path = options.out
    path: Path = options.result or (runs.find(out, options.run) if options.run else runs.newest(out))
    if options.candidate:
        baseline, candidate = load_earlier(path), load_earlier(options.candidate)
        if options.markdown:
            print(comparison.markdown(baseline, candidate), end="")
        else:
            print(comparison.write(baseline, candidate, options.candidate.with_name("comparison.html")))
    elif options.markdown:
        print(comparison.markdown_of_one(results.load(path)), end="")
    else:
        print(pages.write(path))
    return 0
