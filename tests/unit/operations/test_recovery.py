"""Seeds whose files are missing or old are made again; complete ones and other containers stay."""

from unittest.mock import Mock

import pytest

from components.secrets import fingerprint, joined
from operations.engine import Engine, Thing
from operations.recovery import remove_unfilled

SEED = "0f" * 32
FILES = {"a": "one", "b/c": "two"}
DIGEST = fingerprint(SEED, joined(FILES))


def removed(labels: dict[str, str], present: dict[str, str]) -> list[str]:
    engine = Mock(spec=Engine)
    engine.containers.return_value = [Thing("container", "seed", "id", labels)]
    engine.files.return_value = present
    remove_unfilled("dev", engine, SEED)
    return [call.args[0].name for call in engine.remove.call_args_list]


@pytest.mark.parametrize(
    ("labels", "present", "expected"),
    [
        ({"aidc.files": "a,b/c"}, FILES, []),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, FILES, []),
        ({"aidc.files": "a,b/c"}, {"a": "one"}, ["seed"]),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, {"a": "one"}, ["seed"]),
        ({"aidc.files": "a,b/c", "aidc.digest": DIGEST}, {**FILES, "a": "old"}, ["seed"]),
        ({"aidc.files": "a"}, {}, ["seed"]),
        ({"aidc.role": "vault"}, {}, []),
    ],
    ids=["no digest", "complete", "one is missing", "missing and digest", "one is old", "empty", "no seed"],
)
def test_only_seeds_without_their_files_are_removed(
    labels: dict[str, str], present: dict[str, str], expected: list[str]
) -> None:
    assert removed(labels, present) == expected
