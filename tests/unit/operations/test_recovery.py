"""Seeds that lack files are made again; complete ones and other containers stay."""

from unittest.mock import Mock

import pytest

from operations.engine import Engine, Thing
from operations.recovery import remove_unfilled


def removed(labels: dict[str, str], present: frozenset[str]) -> list[str]:
    engine = Mock(spec=Engine)
    engine.containers.return_value = [Thing("container", "seed", "id", labels)]
    engine.files.return_value = present
    remove_unfilled("dev", engine)
    return [call.args[0].name for call in engine.remove.call_args_list]


@pytest.mark.parametrize(
    ("labels", "present", "expected"),
    [
        ({"aidc.files": "a,b/c"}, frozenset({"a", "b/c"}), []),
        ({"aidc.files": "a,b/c"}, frozenset({"a"}), ["seed"]),
        ({"aidc.files": "a"}, frozenset(), ["seed"]),
        ({"aidc.role": "vault"}, frozenset(), []),
    ],
    ids=["complete", "one is missing", "empty", "no seed"],
)
def test_only_seeds_that_lack_files_are_removed(
    labels: dict[str, str], present: frozenset[str], expected: list[str]
) -> None:
    assert removed(labels, present) == expected
