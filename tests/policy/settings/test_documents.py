"""Hostile texts in the settings are reported with their line, and raise nothing."""

from pathlib import Path

import pytest

from components.planning.issues import Issue
from policies.settings.documents import read


@pytest.mark.parametrize("text", ["[" * 3000, "{a: " * 3000, "a: [1\nb: 2\n"])
def test_what_cannot_be_read_is_a_problem(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.yaml").write_text(text)
    issues: list[Issue] = []
    assert read(tmp_path / "f.yaml", issues) is None
    assert issues


@pytest.mark.parametrize("text", ["!!timestamp x", "!!bool x", "!!int 'x'", "2026-02-30", "0x_", "9" * 5000])
def test_a_scalar_that_is_not_what_it_says_stays_a_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.yaml").write_text(f"key: {text}\n")
    node = read(tmp_path / "f.yaml", [])
    assert node is not None
    assert node.fields is not None
    assert isinstance(node.fields["key"].value, str)
