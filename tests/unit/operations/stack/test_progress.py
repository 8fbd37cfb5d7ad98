"""Pulumi's lines in, lines for a person out."""

from operations.stack.progress import Progress

UP = """\
Updating (dev):
 +  aidc:network:Fabric fabric creating (0s)
 +  aidc:network:Fabric fabric created (0.1s)
 +  docker:index:Volume d creating (0s)
 +  docker:index:Volume d created (2s)
 -- docker:index:Container q deleted original (0.19s)
 +- docker:index:Container q replaced (0.03s) [diff: ~command]
 ++ docker:index:Container q created replacement (1s) [diff: ~command]
 +  pulumi-python:dynamic/readiness:Ready stack-ready creating (0s)
@ updating....
 +  pulumi-python:dynamic/readiness:Ready stack-ready creating (5s)
Policies:
    ⚠️ aidc@v0.0.1 (local: policies)
        - [advisory]  no-x  (docker:index:Container: c)
          advice

Resources:
    + 2 created
    +-1 replaced

Duration: 6s
"""
FAILED = """\
Updating (dev):
 +  docker:index:Container q creating (0s) error: 1 error occurred:
 +  docker:index:Container q **creating failed** error: 1 error occurred:
    pulumi:pulumi:Stack aidc-dev **failed** 1 error
Diagnostics:
  pulumi:pulumi:Stack (aidc-dev):
    error: update failed

  docker:index:Container (q):
    error:   sdk-v2/provider2.go:571: sdk.helper_schema: no such image: provider=docker@5.2.0
    error: 1 error occurred:
    \t* creating urn:pulumi:dev::aidc::docker:index/container:Container::q: 1 error occurred:
    \t* no such image

  pulumi-python:dynamic/readiness:Ready (stack-ready):
    error: Exception calling application: aidc-dev-vault: unhealthy; its last log lines:
        cannot bind

    [Pulumi Neo] Would you like help with these diagnostics?
    ?explainFailure

Resources:
    2 errored

Duration: 2s
"""


def shown(text: str) -> list[str]:
    lines: list[str] = []
    progress = Progress(lines.append)
    for line in text.splitlines():
        progress(line)
    return lines


def test_an_update_is_one_line_for_each_finished_step() -> None:
    assert shown(UP) == [
        "updating …",
        "  + Volume d created (2s)",
        "  - Container q deleted original (0.19s)",
        "  + Container q created replacement (1s)",
        "  … stack-ready: waiting until its containers are healthy",
        "  2 created, 1 replaced",
    ]


def test_a_mandatory_finding_is_shown_and_an_advisory_one_is_not() -> None:
    advisory, mandatory = (
        "    - [advisory]  a  (c)\n      advice\n",
        "    - [mandatory]  m  (c)\n      stop\n",
    )
    assert shown(f"Policies:\n    aidc\n{advisory}{mandatory}\nDuration: 1s") == [
        "policies\n    - [mandatory]  m  (c)\n      stop"
    ]


def test_a_failure_is_told_once_and_in_its_own_words() -> None:
    assert shown(FAILED) == [
        "updating …",
        "  ! Container q: creating failed",
        "diagnostics\n"
        "  docker:index:Container (q):\n"
        "    error:   no such image\n"
        "  pulumi-python:dynamic/readiness:Ready (stack-ready):\n"
        "    error: aidc-dev-vault: unhealthy; its last log lines:\n"
        "        cannot bind",
        "  2 errored",
    ]


def test_what_fails_after_an_interrupt_is_not_told() -> None:
    lines: list[str] = []
    progress = Progress(lines.append, interrupted=lambda: True)
    for line in FAILED.splitlines():
        progress(line)
    assert lines == ["updating …", "  2 errored"]


def test_retained_data_is_shown_as_kept() -> None:
    assert shown("Destroying (dev):\n -  docker:index:Volume d deleted (0.12s)[retain]\n") == [
        "destroying …",
        "  = Volume d kept (0.12s)",
    ]


def test_an_interrupted_program_is_no_diagnostic() -> None:
    said = "    error: an unhandled error occurred: Program signal: killed"
    assert shown(f"Diagnostics:\n  pulumi:pulumi:Stack (a):\n{said}\nDuration: 1s") == []
