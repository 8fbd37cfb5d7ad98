"""A healthy stack raises no alert: `make test-silence STACK=dev MINUTES=60` watches one that is up."""

from __future__ import annotations

import os
import time

from tests.acceptance.conftest import STACK
from tests.alerts.watch import EVERY_S, Watch

MINUTES = float(os.environ.get("MINUTES") or 60)


def test_nothing_fires() -> None:
    with Watch(STACK) as watch:
        while watch.seconds < MINUTES * 60:
            time.sleep(EVERY_S)
        assert watch.looks > MINUTES * 60 / EVERY_S / 2, "the metrics service did not answer"
        assert watch.names("firing") == set()
