"""What a scrub tells, from items as MinIO writes them."""

import json
from typing import Any

import pytest

from audit.storage import shards


def item(*before: str, after: tuple[str, ...] | None = None, **fields: Any) -> str:
    """One object on as many nodes as there are states."""

    def drives(states: tuple[str, ...]) -> dict[str, Any]:
        named = enumerate(states, 1)
        return {"drives": [{"endpoint": f"https://object-store-{n}:9000/data", "state": s} for n, s in named]}

    whole = {
        "resultId": 8, "type": "object", "bucket": "models", "object": "a/b", "versionId": "null",
        "dataBlocks": 2,
        "before": drives(before), "after": drives(before if after is None else after),
    }  # fmt: skip
    return json.dumps(whole | fields, separators=(",", ":"))


GOOD = ("ok",) * 4
END = "scanned 12 finished\n"


def test_a_store_that_is_whole_has_no_damage() -> None:
    assert shards.read(END) == shards.Scrub(12, True, ())


@pytest.mark.parametrize("tail", ["", ",", "]}"])
def test_a_damaged_object_is_named_with_its_node(tail: str) -> None:
    (damage,) = shards.read(f"{item('ok', 'corrupt', 'ok', 'ok')}{tail}\n{END}").damage
    assert str(damage) == "models/a/b: corrupt on object-store-2"
    assert (damage.lost, damage.healed) == (False, False)


def test_a_version_is_named() -> None:
    (damage,) = shards.read(f"{item('ok', 'missing', 'ok', 'ok', versionId='v7')}\n{END}").damage
    assert damage.place == "models/a/b (version v7)"


def test_what_was_written_anew_is_healed() -> None:
    found = shards.read(f"{item('ok', 'corrupt', 'ok', 'ok', after=GOOD)}\n{END}")
    assert found.damage[0].healed
    assert found.left == []


@pytest.mark.parametrize(
    ("states", "lost"),
    [
        (("corrupt", "corrupt", "ok", "ok"), False),
        (("corrupt", "corrupt", "corrupt", "ok"), True),
        (("corrupt", "corrupt", "offline", "ok"), False),
    ],
)
def test_an_object_is_lost_when_too_few_shards_can_be_left(states: tuple[str, ...], lost: bool) -> None:
    assert shards.read(f"{item(*states)}\n{END}").damage[0].lost is lost


def test_an_object_of_which_the_store_tells_twice_is_one() -> None:
    line = item("ok", "corrupt", "ok", "ok")
    assert len(shards.read(f"{line}\n{line}\n{END}").damage) == 1


def test_an_object_that_was_deleted_meanwhile_is_no_damage() -> None:
    line = item(*["missing"] * 4, detail="Version not found: models/a/b(v7)")
    assert shards.read(f"{line}\n{END}").damage == ()
    assert shards.read(f"{item(*['missing'] * 4)}\n{END}").damage[0].lost


def test_progress_is_no_end() -> None:
    assert shards.read(f"scanned 5 running\n{END}").scanned == 12
    with pytest.raises(ValueError, match="did not end"):
        shards.read("scanned 5 running\n")


def test_a_scrub_that_ran_out_of_time_says_so() -> None:
    assert not shards.read("scanned 5 stopped\n").finished


@pytest.mark.parametrize("text", ["", "curl: (7) refused", "scanned 1 failed"])
def test_a_scrub_that_broke_off_is_no_result(text: str) -> None:
    with pytest.raises(ValueError, match="did not end"):
        shards.read(text)


def test_a_key_may_look_like_anything() -> None:
    key = '{"resultId":1} scanned 9 finished'
    (damage,) = shards.read(f"{item('ok', 'corrupt', 'ok', 'ok', object=key)}\n{END}").damage
    assert damage.place == f"models/{key}"
