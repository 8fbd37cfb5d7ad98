"""Pulumi's events in, lines for a person out.

The files in events/ were recorded with `--event-log` from Pulumi 3.256 on a program of dynamic resources.
Types were renamed to those of the Docker provider, and inputs, outputs and debug messages removed.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi.automation.events import EngineEvent

from operations.stack import messages
from operations.stack.events import EventLog, parse
from operations.stack.progress import Progress

EVENTS = Path(__file__).parent / "events"


def replay(
    events: list[EngineEvent], printed: str = "", command: str = "up", stop: bool = False
) -> list[str]:
    """What is shown of `events`, while the clock goes by their times in whole seconds."""
    lines: list[str] = []
    now = [0.0]
    progress = Progress(command, lines.append, lambda: stop, lambda: now[0])
    for event in events:
        now[0] = float(event.timestamp)
        progress(event)
    progress.finish(printed.splitlines())
    return lines


def shown(name: str, printed: str = "", command: str = "up", stop: bool = False) -> list[str]:
    return replay(EventLog(EVENTS / f"{name}.jsonl").read(), printed, command, stop)


def event(kind: str, **fields: Any) -> EngineEvent:
    made = parse(json.dumps({"sequence": 0, "timestamp": 0, kind: fields}).encode())
    assert made is not None
    return made


def error(message: str, urn: str | None = None) -> EngineEvent:
    return event("diagnosticEvent", prefix="error: ", message=message, severity="error", urn=urn)


def test_an_update_is_one_line_for_each_finished_step() -> None:
    assert shown("replace") == [
        "updating …",
        "  ~ Container a updated (0.00s)",
        "  ~ Ready stack-ready updated (0.00s)",
        "  - Container b deleted original (1s)",
        "  + Container b created replacement (0.00s)",
        "diagnostics\n  pulumi:pulumi:Stack (aidc-dev):\n    warning: a warning of the program",
        "  2 updated, 1 replaced, 3 changes. 3 unchanged",
    ]


def test_what_is_waited_for_is_said_when_it_begins() -> None:
    assert shown("create")[:-2] == [
        "updating …",
        "  + Volume k created (0.00s)",
        "  … stack-ready: waiting until its containers are healthy",
        "  + Container a created (0.00s)",
        "  + Container b created (0.00s)",
        "  + Ready stack-ready created (4s)",
    ]


def test_a_mandatory_finding_is_shown_and_an_advisory_one_is_not() -> None:
    assert "advice" not in "\n".join(shown("create"))
    assert shown("policy")[1] == (
        "policies\n    - [mandatory]  no-m  (docker:index:Volume: k)\n"
        "      No m.\n      stop here\n      second line"
    )


def test_a_failure_is_told_once_and_in_its_own_words() -> None:
    assert shown("fail") == [
        "updating …",
        "  ! Container other: creating failed",
        "  ~ Ready stack-ready updated (0.00s)",
        "  - Container b deleted original (0.00s)",
        "diagnostics\n"
        "  pulumi:pulumi:Stack (aidc-dev):\n"
        "    warning: a warning of the program\n"
        "  docker:index:Container (other):\n"
        "    error: aidc-dev-vault: unhealthy; its last log lines:\n"
        "        cannot bind\n"
        "        exit 3",
        "  1 updated, 4 unchanged, 2 errored",
    ]


def test_the_chatter_of_the_docker_provider_is_left_out() -> None:
    urn = "urn:pulumi:dev::aidc::aidc:a:B$docker:index/container:Container::q"
    twice = "  sdk-v2/provider2.go:571: sdk.helper_schema: no such image: provider=docker@5.2.0\n"
    failed = f"1 error occurred:\n\t* creating {urn}: 1 error occurred:\n\t* no such image\n\n"
    assert replay([error(twice, urn), error(failed, urn), error("update failed\n")])[1:] == [
        "diagnostics\n  docker:index:Container (q):\n    error:   no such image"
    ]


def test_the_programs_own_error_is_told_in_its_own_words() -> None:
    assert "    error: nope: no such thing" in "\n".join(shown("program"))


def test_what_fails_after_an_interrupt_is_not_told() -> None:
    assert shown("fail", stop=True) == [
        "updating …",
        "  ~ Ready stack-ready updated (0.00s)",
        "  - Container b deleted original (0.00s)",
        "  1 updated, 4 unchanged, 2 errored",
    ]
    assert shown("interrupt", "error: update canceled", stop=True)[-2:] == [
        "  + Ready stack-ready created (4s)",
        "  6 created, 1 errored",
    ]


def test_a_run_that_was_killed_shows_what_it_had_finished() -> None:
    lines = shown("kill")
    assert "  + Volume k created (0.00s)" in lines
    assert not any("stack-ready created" in line for line in lines)


def test_retained_data_is_shown_as_kept() -> None:
    lines = shown("destroy", command="destroy")
    assert lines[0] == "destroying …"
    assert "  = Volume k kept (0.00s)" in lines
    assert lines[-1] == "  6 deleted"


def test_an_interrupted_program_is_no_diagnostic() -> None:
    assert replay([error("an unhandled error occurred: Program signal: killed\n")]) == ["updating …"]


def test_an_error_of_the_command_itself_is_shown() -> None:
    printed = "Updating (dev):\nerror: failed to load the policy project:\n  no such file\n"
    said = ["error: failed to load the policy project:\n  no such file"]
    assert shown("refused", printed) == ["updating …", *said]
    assert replay([], printed) == said
    assert replay([], printed, stop=True) == []


def test_what_the_engine_said_is_not_repeated_from_the_output() -> None:
    assert "error: update failed" not in shown("fail", "error: update failed\n")


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0.00s"), (0.194, "0.19s"), (2.4, "2s"), (75.0, "75s")])
def test_durations_are_short(seconds: float, text: str) -> None:
    assert messages.in_seconds(seconds) == text


@pytest.mark.parametrize(
    ("urn", "kind"),
    [
        ("urn:pulumi:dev::aidc::docker:index/container:Container::q", "docker:index:Container"),
        ("urn:pulumi:dev::aidc::a:b:C$docker:index/volume:Volume::x::y", "docker:index:Volume"),
        ("urn:pulumi:dev::aidc::p:dynamic/readiness:Ready::r", "p:dynamic/readiness:Ready"),
        ("urn:pulumi:dev::aidc::pulumi:pulumi:Stack::aidc-dev", "pulumi:pulumi:Stack"),
        ("no urn", "no urn"),
    ],
)
def test_types_are_shown_as_pulumi_shows_them(urn: str, kind: str) -> None:
    assert messages.type_of(urn) == kind


def test_a_name_may_hold_colons() -> None:
    assert messages.name_of("urn:pulumi:dev::aidc::a:b:C::x::y") == "x::y"


def test_a_word_on_what_is_waited_for_steers_no_terminal() -> None:
    lines: list[str] = []
    Progress("up", lines.append).wait("backup (unhealthy: \x1b[2J)")
    assert lines == ["    … waiting for backup (unhealthy: �[2J)"]
