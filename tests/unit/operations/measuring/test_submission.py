"""Seconds until the first step, out of what a job says; and how two ways compare."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations.errors import OperationError
from operations.measuring import submission
from operations.measuring.submission import RAY, SUBMIT, first, ratio


def test_the_first_step_is_found_among_other_lines() -> None:
    said = "job x-1: step.py, 2 ranks\nfirst step at 1012.500\nfirst step at 1019.000\nsucceeded\n"
    assert first(said, 1000.0) == pytest.approx(12.5)


@pytest.mark.parametrize("said", ["", "Traceback:\nValueError: no way\n"])
def test_a_job_without_a_step_is_an_error_that_says_what_it_said(said: str) -> None:
    with pytest.raises(OperationError, match="no way" if said else "without a word"):
        first(said, 1000.0)


def test_the_ratio_is_ours_by_theirs() -> None:
    found = ratio(SUBMIT, RAY, {SUBMIT: [4.0, 4.4, 3.6], RAY: [8.0, 8.8, 7.2]})
    assert (found.way, found.to, found.pairs) == (SUBMIT, RAY, 3)
    assert found.ratio == pytest.approx(0.5)


def test_a_way_that_is_late_has_its_job_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "WITHIN_S", 0.5)
    with pytest.raises(OperationError, match=r"sleep: no end within 0\.5 s"):
        submission._time(["sleep", "60"], dict(os.environ), tmp_path, ["touch", "stopped"])
    assert (tmp_path / "stopped").exists()
