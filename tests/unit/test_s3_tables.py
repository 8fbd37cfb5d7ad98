"""The tables of the S3 suite name tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.s3 import differences

SUITE = Path(__file__).parents[1] / "s3"


def test_every_difference_is_one_of_a_test() -> None:
    texts = "".join(path.read_text() for path in SUITE.glob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)", texts, re.MULTILINE))
    named = {name.partition("[")[0] for name in (*differences.NOT_OFFERED, *differences.UNFENCED)}
    assert named <= tests
    assert len(tests) > 60
