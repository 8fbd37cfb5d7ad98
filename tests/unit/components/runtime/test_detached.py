"""A detached plan knows neither the host nor the build contexts, and only within its block."""

from pathlib import Path

import pytest

from components.runtime.detached import detached
from components.runtime.host import host_facts
from components.runtime.image import IMAGES, ImageError, references


def test_a_detached_plan_needs_no_build_contexts(tmp_path: Path) -> None:
    with detached():
        assert references(tmp_path) == {name: f"aidc-{name}:000000000000" for name in IMAGES}
    with pytest.raises(ImageError):
        references(tmp_path)


def test_a_detached_plan_knows_no_host() -> None:
    with detached():
        assert host_facts() is None
