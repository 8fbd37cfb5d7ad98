"""When a rank counts as advancing: by its steps, by its processor before the first and in a script."""

from __future__ import annotations

import pytest

from benchmark.core import advance
from benchmark.core.advance import BUSY, Sign
from benchmark.core.events import EventLog


def sign(*, cpu_s: float = 100, steps: int = 0) -> Sign:
    """Of a rank that advanced at second 0, and was looked at then."""
    return Sign(0, 0, cpu_s, steps)


@pytest.mark.parametrize(("used", "advanced"), [(0, 0), (BUSY * 9, 0), (BUSY * 11, 10), (10, 10)])
def test_a_script_advances_while_it_uses_a_processor(used: float, advanced: float) -> None:
    assert sign().look(10, 100 + used, 0) == advanced


def test_what_is_used_counts_from_one_look_to_the_next() -> None:
    rank = sign()
    assert rank.look(10, 105, 0) == 10
    assert rank.look(20, 105, 0) == 10
    assert rank.look(30, 110, 0) == 30


def test_a_training_that_has_begun_advances_by_its_steps() -> None:
    rank = sign()
    assert rank.look(10, 100, 1) == 10
    # It spins in a collective.
    assert rank.look(20, 110, 1) == 10
    assert rank.look(30, 110, 2) == 30


def test_a_process_that_has_ended_takes_nothing_away() -> None:
    rank = sign()
    assert rank.look(10, 50, 0) == 0
    assert rank.look(20, 60, 0) == 20


def test_each_step_that_is_logged_counts() -> None:
    before = advance.STEPS.made
    log = EventLog()
    log.step(0)
    log.step(1)
    assert advance.STEPS.made == before + 2
