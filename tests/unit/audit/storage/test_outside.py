"""The verdict on an outside store, from what the job that asked it has left."""

from audit.storage import outside

DONE = {"Status": "exited", "ExitCode": 0, "FinishedAt": "2026-01-31T02:15:00.123Z"}
FAILED = DONE | {"ExitCode": 1}
SEEN = "not checked: quotas\nas declared\n"


def test_what_was_as_declared_passes_with_the_time_and_what_nobody_saw_is_said() -> None:
    found, unseen = outside.rows("dev", DONE, SEEN)
    assert (found.verdict, unseen.verdict) == ("pass", "not checked")
    assert "2026-01-31T02:15:00" in found.detail
    assert unseen.detail == "quotas"


def test_each_fault_is_named() -> None:
    found = outside.rows("dev", FAILED, "WRONG: bucket a does not exist\nWRONG: b\n")[0]
    assert found.verdict == "fail"
    assert "bucket a does not exist; b" in found.detail


def test_a_store_that_did_not_answer_fails_with_the_reason() -> None:
    found = outside.rows("dev", FAILED, "https://s3 does not answer: timed out\nfix: check\n")[0]
    assert found.verdict == "fail"
    assert "timed out" in found.detail


def test_a_failure_without_a_word_is_one_too() -> None:
    assert outside.rows("dev", FAILED, "")[0].verdict == "fail"


def test_a_job_that_is_missing_or_running_proves_nothing() -> None:
    assert outside.rows("dev", {}, "")[0].verdict == "not checked"
    assert outside.rows("dev", {"Status": "running"}, SEEN)[0].verdict == "not checked"
