"""What a user names and is no file is refused before it blocks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.analysis import node_verdicts, restorable, result, runs
from benchmark.cluster import stack
from benchmark.core import regular, yaml_files
from benchmark.core.errors import BenchmarkError
from benchmark.scheduling import series
from tests.unit.odd_files import KINDS, odd_file

READERS: dict[str, Callable[[Path], object]] = {
    "workload": yaml_files.read,
    "series": series.load,
    "result": result.load,
    "nodes": lambda path: node_verdicts.left_out(path, 2),
    "inventory": stack._load,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READERS)
def test_every_file_that_a_user_names_is_refused_in_words(name: str, kind: str, tmp_path: Path) -> None:
    with odd_file(kind, tmp_path) as odd, pytest.raises(BenchmarkError, match="cannot be read: it") as caught:
        READERS[name](odd)
    assert str(odd) in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_what_only_adds_to_a_run_is_left_out(kind: str, tmp_path: Path) -> None:
    with odd_file(kind, tmp_path) as odd:
        assert runs.read(odd) is None
        assert "cannot be read: it" in str(restorable.read(odd, "2026-01-01T00:00:00Z")["problem"])


def test_a_file_has_at_most_the_given_size(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1234")
    assert regular.read_bytes(tmp_path / "file", 4) == b"1234"
    with pytest.raises(OSError, match="more than"):
        regular.read_bytes(tmp_path / "file", 3)
