"""For how many nodes the object store's data was made."""

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from operations.engine.client import EngineResource
from operations.engine.drives import made_for, set_size

FOUR = json.dumps({"version": "1", "xl": {"sets": [["a", "b", "c", "d"]]}})


def volumes(count: int, stack: str = "dev") -> list[EngineResource]:
    labels = {"aidc.stack": stack, "aidc.kind": "data"}
    named = [f"aidc-{stack}-object-store-{n + 1}-data" for n in range(count)]
    return [EngineResource("volume", n, n, labels) for n in [*named, f"aidc-{stack}-vault-data"]]


def engine(in_container: str | None = None, folder: str = "/nonexistent") -> Any:
    def files(_container: str, _path: str) -> dict[str, str]:
        if in_container is None:
            raise NotFound("no such container")
        return {"": in_container}

    api = SimpleNamespace(inspect_volume=lambda _name: {"Mountpoint": folder})
    return SimpleNamespace(files=files, is_local=True, client=SimpleNamespace(api=api))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (FOUR, 4),
        ("", None),
        ("{}", None),
        ("no json", None),
        ('{"xl": {"sets": 4}}', None),
        ("[" * 100_000, None),
    ],
)
def test_the_size_is_read_from_what_the_store_wrote(text: str, size: int | None) -> None:
    assert set_size(text) == size


@pytest.mark.parametrize(
    ("kept", "size"),
    [(volumes(0), None), (volumes(6, "other"), None), (volumes(4), 4), (volumes(6), 4)],
)
def test_volumes_of_nodes_that_never_came_up_do_not_count(
    kept: Sequence[EngineResource], size: int | None
) -> None:
    assert made_for(engine(in_container=FOUR), "dev", kept) == size


def test_where_nothing_can_be_read_volumes_are_counted() -> None:
    assert made_for(engine(), "dev", volumes(4)) == 4


def test_without_a_container_the_drive_itself_is_read(tmp_path: Any) -> None:
    (tmp_path / ".minio.sys").mkdir()
    (tmp_path / ".minio.sys" / "format.json").write_text(FOUR)
    assert made_for(engine(folder=str(tmp_path)), "dev", volumes(6)) == 4
