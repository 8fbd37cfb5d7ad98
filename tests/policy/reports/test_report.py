"""Reports for people: annotations at the right lines, a table with every fault, a summary line."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from components.planning.issues import Issue
from components.planning.paths import ROOT
from policies import buildfile
from policies.catalogue import RULES
from policies.evaluate import Report, evaluate
from policies.model import Stack
from policies.reports import report as reports
from policies.reports.report import Located


@pytest.fixture
def located(faulty: Report) -> Located:
    return reports.located(faulty, "test", ROOT)


def test_annotations_are_one_line_each_and_errors_come_first(located: Located) -> None:
    lines = list(reports.github(located))
    assert len(lines) == 4
    form = re.compile(r"::(\w+) file=[^,]+,line=\d+,title=[\w-]+::.")
    matches = [form.match(line) for line in lines]
    assert [match and match[1] for match in matches] == ["error", "error", "error", "warning"]
    assert all("\n" not in line for line in lines)


def test_a_waived_fault_is_no_annotation(located: Located) -> None:
    assert not any("aidc-test-backup" in line for line in reports.github(located))


def test_an_annotation_survives_signs_that_mean_something(located: Located) -> None:
    issue = Issue("policies/waivers.yaml", "rule: 100 %\nof it", "halve it", 7)
    (line,) = reports.github(Located((), (issue,)))
    assert line == (
        "::error file=policies/waivers.yaml,line=7,title=waivers-current::"
        "policies/waivers.yaml:7: rule: 100 %25%0Aof it. Fix: halve it"
    )


def test_mistakes_in_the_settings_are_annotations() -> None:
    issue = Issue("policies/levels.yaml", "prd: there is no Pulumi.prd.yaml", "x", 3)
    (line,) = reports.github_settings([issue])
    assert line.startswith("::error file=policies/levels.yaml,line=3,title=policy-settings::")


def test_the_table_holds_every_fault_and_what_to_do(faulty: Report) -> None:
    drawn = reports.table(faulty)
    assert drawn is not None
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(drawn)
    text = console.export_text()
    for part in (
        "no-privileged",
        "no-secret-env",
        "cpu-limit",
        "waived",
        "until 2027-03-01",
        "remove the waiver",
    ):
        assert part in text
    assert "hunter2" not in text


def test_what_a_fault_quotes_is_shown_as_it_is() -> None:
    stack = Stack((buildfile.resource("images/x/Dockerfile", "FROM [/evil]:1\nUSER 10010\n"),))
    issue = Issue("policies/waivers.yaml", "resource: '[/x]' is not there", "remove it")
    report = replace(evaluate(stack, RULES, (), {}, date(2026, 1, 31)), waiver_issues=(issue,))
    console = Console(width=400, record=True, file=io.StringIO())
    console.print(reports.table(report))
    text = console.export_text()
    assert "[/evil]:1" in text
    assert "'[/x]' is not there" in text


def test_a_clean_report_has_no_table(plant: Any) -> None:
    assert reports.table(Report(())) is None


def test_the_summary_counts(faulty: Report) -> None:
    line = reports.summary(faulty, len(RULES), 17, "test", "plan")
    assert line.startswith("policy FAILED: stack test (plan)")
    assert "17 resources" in line
    assert "2 mandatory, 1 advisory, 1 waived, 1 waiver faults" in line


def test_no_annotation_holds_a_secret(located: Located) -> None:
    assert not any("hunter2" in line for line in reports.github(located))


def test_resources_that_share_their_faults_are_named_together(plant: Any) -> None:
    for key in ("head", "node"):
        plant[key].update(envs=[])
    plant["vault"]["command"] = ["vault-server", "--tls"]
    report = evaluate(plant.stack(), RULES, (), {}, date(2027, 3, 1))
    texts = [Located.message(outcomes) for _, outcomes in reports.located(report, "test", ROOT).groups]
    vault, ray = texts
    assert ray.startswith("aidc-test-ray-head, aidc-test-compute-node1: environment variable RAY_AUTH_MODE")
    assert ray.count("aidc-test-ray-head") == vault.count("aidc-test-vault") == 1
    assert vault.count("the command has no") == 3


def test_fewer_results_than_faults_are_explained(faulty: Report) -> None:
    failed = faulty.having("failed")[0]
    where = ("components/vault.py", 1)
    assert reports.grouping_note(Located(((where, (failed, failed)),), ())).startswith(
        "2 faults, including waived ones, at one place: "
    )
    assert reports.grouping_note(Located(((where, (failed,)),), ())) == ""
