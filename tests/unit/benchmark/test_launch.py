"""Jobs on this host: none of their processes outlives them."""

from __future__ import annotations

import subprocess

import pytest

from benchmark import launch


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_what_a_job_started_ends_with_it_even_if_it_does_not_want_to(trap: str) -> None:
    command = ["bash", "-c", f"{trap} (while true; do sleep 0.1; done) & echo started; wait"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    launch._end(process, patience_s=0.5)
    assert process.returncode is not None
    assert process.stdout.read() == ""  # the end of file: nobody has it open any more
