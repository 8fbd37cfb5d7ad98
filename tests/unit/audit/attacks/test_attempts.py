"""What the attacker says, and what is made of it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from audit.attacks import attempts
from audit.attacks.attempts import ATTEMPTS
from audit.attacks.check import ATTACKER
from audit.records import Attempted
from policies.catalogue import NAMES

CONTROLS = {a.control: True for a in ATTEMPTS}


def tried(result: str = "refused", service: str = "vault") -> list[Attempted]:
    lines = "\n".join(f"{a.name}\t{result}\tOperation not permitted" for a in ATTEMPTS)
    return attempts.read(service, lines)[0]


def test_all_refused_with_working_controls_passes() -> None:
    rows = attempts.rows(tried(), {"vault": CONTROLS})
    assert len(rows) == len(ATTEMPTS)
    assert {row.verdict for row in rows} == {"pass"}


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: a.name)
def test_an_attempt_that_succeeds_fails_its_row_alone(attempt: attempts.Attempt) -> None:
    found = [
        t.model_copy(update={"result": "succeeded"}) if t.attempt == attempt.name else t for t in tried()
    ]
    failed = [row for row in attempts.rows(found, {"vault": CONTROLS}) if row.verdict == "fail"]
    assert [row.name for row in failed] == [f"attack: {attempt.title}"]
    assert "vault" in failed[0].detail
    assert all(rule in failed[0].fix for rule in attempt.rules)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: a.name)
def test_a_refusal_beside_a_broken_control_is_no_pass(attempt: attempts.Attempt) -> None:
    rows = {row.name: row for row in attempts.rows(tried(), {"vault": {**CONTROLS, attempt.control: False}})}
    assert rows[f"attack: {attempt.title}"].verdict == "not checked"


def test_an_attacker_that_could_not_run_is_no_pass() -> None:
    found, controls = attempts.read("vault", "")
    assert {row.verdict for row in attempts.rows(found, {"vault": controls})} == {"not checked"}


def test_a_word_that_nobody_knows_counts_as_succeeded() -> None:
    found, _ = attempts.read("vault", "mount\tsurprise\t?")
    assert next(t.result for t in found if t.attempt == "mount") == "succeeded"


def test_one_service_that_is_left_out_is_said() -> None:
    rows = attempts.rows([*tried(), *attempts.read("backup", "")[0]], {"vault": CONTROLS})
    assert all("not possible in backup" in row.detail for row in rows)


def test_the_rules_that_forbid_an_attempt_exist() -> None:
    assert {rule for attempt in ATTEMPTS for rule in attempt.rules} <= NAMES


def test_the_attacker_tries_everything_that_is_judged() -> None:
    script = ATTACKER.read_text()
    quoted = set(re.findall(r'"([a-z-]+)"', script))
    assert {a.name for a in ATTEMPTS} | {a.control for a in ATTEMPTS} <= quoted


@pytest.mark.skipif(not shutil.which("perl"), reason="needs perl")
def test_the_attacker_is_valid_perl() -> None:
    done = subprocess.run(["perl", "-c", str(ATTACKER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
